"""One content being fetched: what is held, what is asked of whom, who has what, and how an answer is judged.

Knows nothing of rates, time or blame; that is ``core.download``, its only caller. Sets of chunks are integers as
in ``core.picker``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from peerterm.core.bitfield import Bitfield, mask_of
from peerterm.core.ids import HASH_BYTES, PeerId, Root
from peerterm.core.manifest import (
    CHUNK_BYTES,
    MAX_FILE_BYTES,
    MAX_HEAD_BYTES,
    PAGE_CHUNKS,
    Head,
    chunk_count,
    chunk_digest,
    chunk_span,
    page_count,
    page_span,
    parse_head,
    single_chunk_root,
)
from peerterm.core.picker import Levels, add_source, expected_at, lowest, pick, remove_source
from peerterm.core.pieces import Fetch, Piece, PieceKind
from peerterm.errors import IntegrityError, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

MAX_ASKED = 2
"""Most sources asked for one piece at a time; those that take too long do not count."""

MAX_CHUNKS = chunk_count(MAX_FILE_BYTES)
"""No announcement may speak of chunks from this one on; it bounds what one source can make us remember."""

_ALL = -1  # as a set of chunks: every one, however many there are


@dataclass(frozen=True, slots=True)
class HeadKnown:
    """A content's head came and proves its size."""

    root: Root
    size: int


@dataclass(frozen=True, slots=True)
class ChunkHeld:
    """A chunk is verified and written; ``peer`` is ``None`` if it was found on this machine."""

    root: Root
    index: int
    peer: PeerId | None
    length: int


@dataclass(frozen=True, slots=True)
class LookFor:
    """Chunks that may be on this machine can be told now; ``Download.looked`` is to follow for each of them.

    Attributes:
        chunks: Their numbers.
        accepts: Whether bytes are the chunk of a number. Pure; called in any thread.
    """

    root: Root
    chunks: tuple[int, ...]
    accepts: Callable[[int, memoryview], bool]


@dataclass(frozen=True, slots=True)
class ContentDone:
    """Every chunk of a content is held."""

    root: Root


@dataclass(frozen=True, slots=True)
class ContentImpossible:
    """A content cannot be what was claimed of it; the machine has forgotten it."""

    root: Root
    reason: str


@dataclass(slots=True, eq=False)
class Request:
    """A piece asked of a source.

    Attributes:
        due: When its answer is expected.
        asked_at: When it was asked.
        is_overdue: The answer takes too long, silent or not, so that it keeps nobody else from being asked.
        is_stalled: The source went silent, so the piece may be asked elsewhere too.
        is_late: A player needs the piece before it is to be expected, so it may be asked elsewhere too.
    """

    fetch: Fetch
    due: float
    asked_at: float = 0.0
    is_overdue: bool = False
    is_stalled: bool = False
    is_late: bool = False


@dataclass(slots=True)
class Holding:
    """What one source has of the content; ``lacks`` are the head and pages that it turned out not to have."""

    chunks: int
    lacks: set[Piece] = field(default_factory=set)


class Content:
    """The state of one content.

    Invariant: a chunk is idle when it is missing, its digest can be known, no look on this machine is due for it,
    and nobody who answers in time is asked for it; a page is idle likewise. Only idle pieces, and in the endgame
    those asked once, are handed out, and of these only what the window wants.

    Attributes:
        order: Place in the order of preference.
        size: Bytes: claimed at first, proven once the head is known; ``None`` if neither.
        held: Chunks verified and written; ``None`` while the size is unknown.
        deadlines: When a player needs a chunk; chunks named here come first. Set by ``set_deadlines``.
        head: What the root commits to; ``None`` until it came.
        pages: Chunk digests by page, as far as they came.
        suspects: Sources whose bytes did not fit a size that is only claimed.
    """

    def __init__(
        self,
        root: Root,
        order: int,
        size: int | None,
        held: Bitfield | None = None,
        *,
        is_recalled: bool = False,
        is_sought: bool = False,
    ) -> None:
        assert held is None or (size is not None and held.size == chunk_count(size)), "held does not fit the size"
        self._recalled: tuple[int, Bitfield] | None = None  # counts once the head proves the size
        if is_recalled and size is not None and held is not None and not held.is_complete:
            self._recalled, size, held = (size, held), None, None
        self.root = root
        self.order = order
        self.size = size
        self.held = held
        self.deadlines: dict[int, float] = {}
        self.suspects: list[PeerId] = []
        self.holdings: dict[PeerId, Holding] = {}
        self._head_piece = Piece(root, PieceKind.HEAD, 0)
        self.head: Head | None = None
        self.pages: dict[int, bytes] = {}
        self._asked: dict[Piece, list[Request]] = {}
        self._levels: Levels = []
        self._sought = _ALL if is_sought else 0  # chunks that wait for a look at what is on this machine
        self._idle_chunks = 0
        self._idle_pages = 0
        self._window = self._window_pages = _ALL
        if held is None and size is not None:
            self.held = Bitfield(chunk_count(size))
        self._needs_head = self.held is None or (self.held.size > 1 and not self.held.is_complete)
        if not self._needs_head:
            self._idle_chunks = self._missing & ~self._sought

    @property
    def is_complete(self) -> bool:
        """Whether every chunk is held."""
        return self.held is not None and self.held.is_complete

    @property
    def is_proven(self) -> bool:
        """Whether the size is the root's and not only a claim."""
        return self.head is not None or self.is_complete

    @property
    def _missing(self) -> int:
        assert self.held is not None, "the size is unknown"
        return ~self.held.mask & ((1 << self.held.size) - 1)

    # Who has what

    def has(self, peer: PeerId, *, complete: bool, first: int, bits: bytes) -> None:
        """Take a source's announcement; it adds to what the source announced before.

        Raises:
            ProtocolViolation: It speaks of chunks that no content can have, or starts inside a byte.
        """
        if first % 8 or first + len(bits) * 8 > MAX_CHUNKS:
            raise ProtocolViolation(f"bits for chunks from {first} on")
        self._announce(peer, _ALL if complete else mask_of(bits) << first)

    def has_more(self, peer: PeerId, chunks: Iterable[int], *, complete: bool) -> None:
        """Take a source's announcement of single chunks.

        Raises:
            ProtocolViolation: It names a chunk that no content can have.
        """
        more = _ALL if complete else 0
        for chunk in chunks:
            if not 0 <= chunk < MAX_CHUNKS:
                raise ProtocolViolation(f"announcement of chunk {chunk}")
            more |= 1 << chunk
        self._announce(peer, more)

    def has_nothing(self, peer: PeerId) -> None:
        """Forget what a source announced."""
        holding = self.holdings.pop(peer, None)
        if holding is not None and holding.chunks != _ALL:
            remove_source(self._levels, holding.chunks)

    def lacks(self, peer: PeerId, piece: Piece) -> None:
        """Correct an announcement: the source does not hold this piece."""
        holding = self.holdings.get(peer)
        if holding is None:
            return
        if piece.kind != PieceKind.CHUNK:
            holding.lacks.add(piece)
            return
        assert self.held is not None, "chunks are asked for only when the size is known"
        known = holding.chunks & ((1 << self.held.size) - 1)
        self.has_nothing(peer)
        self._announce(peer, known & ~(1 << piece.index))

    def _announce(self, peer: PeerId, chunks: int) -> None:
        if self.held is not None and chunks != _ALL:
            chunks &= (1 << self.held.size) - 1
        before = self.holdings[peer].chunks if peer in self.holdings else 0
        after = before | chunks
        if not after:
            return
        self.has_nothing(peer)
        self.holdings[peer] = Holding(after)
        if after != _ALL:
            add_source(self._levels, after)

    # What is wanted, and when

    def set_window(self, wanted: Iterable[int] | None) -> None:
        """Want only these chunks from now on, and the pages that prove them; ``None`` wants all."""
        self._window = self._window_pages = _ALL
        if wanted is not None:
            self._window = self._window_pages = 0
            for chunk in wanted:
                self._window |= 1 << chunk
                self._window_pages |= 1 << chunk // PAGE_CHUNKS

    def set_deadlines(self, deadlines: dict[int, float]) -> None:
        """Replace the times at which a player needs chunks; ``note_late`` is to follow."""
        self.deadlines = deadlines
        self.note_late(-inf)

    def note_late(self, now: float) -> None:
        """Free what is asked for but expected too late, so that another source may overtake."""
        for piece, requests in self._asked.items():
            for request in requests:
                request.is_late = expected_at(request.due, now) > self.deadline_of(piece)
            self._refresh(piece)

    def deadline_of(self, piece: Piece) -> float:
        """Return when a player needs a piece: a head or page at once, infinity if no player waits for it."""
        if piece.kind == PieceKind.CHUNK:
            return self.deadlines.get(piece.index, inf)
        return -inf if self.deadlines else inf

    def expected_at(self, piece: Piece, now: float) -> float:
        """Return when a piece that is asked for is to be expected; infinity if it is not asked for."""
        return min((expected_at(request.due, now) for request in self._asked.get(piece, ())), default=inf)

    def wants(self, piece: Piece) -> bool:
        """Whether a piece is to be asked for: an answer would be of use, and the window has it."""
        window = self._window if piece.kind == PieceKind.CHUNK else self._window_pages
        return self.needs(piece) and (piece.kind == PieceKind.HEAD or bool(window >> piece.index & 1))

    # What to ask

    def next_piece(self, peer: PeerId, rng: Random, left: int = 0) -> Piece | None:
        """Return an idle piece that this source has: the head, then pages, then the most wanted chunk.

        Args:
            peer: The source.
            rng: Breaks ties.
            left: Chunks that are not for this source.
        """
        holding = self.holdings.get(peer)
        if holding is None:
            return None
        if self._needs_head:
            head = self._head_piece
            return head if self._is_idle(head) and self.may_ask(peer, head) else None
        return self._next_page(peer) or self._next_chunk(peer, holding.chunks & ~left, rng)

    def _next_page(self, peer: PeerId) -> Piece | None:
        pages = self._idle_pages & self._window_pages
        while pages:
            piece = Piece(self.root, PieceKind.PAGE, lowest(pages))
            if self.may_ask(peer, piece):
                return piece
            pages &= pages - 1
        return None

    def _next_chunk(self, peer: PeerId, offered: int, rng: Random) -> Piece | None:
        candidates = self._idle_chunks & offered & self._window
        while candidates:
            piece = Piece(self.root, PieceKind.CHUNK, pick(candidates, self._levels, rng, self.deadlines))
            if not self._is_asked(peer, piece):
                return piece
            candidates ^= 1 << piece.index
        return None

    def may_ask(self, peer: PeerId, piece: Piece) -> bool:
        """Whether a wanted piece may be asked of a source: it announced it, and not too many are asked."""
        holding = self.holdings.get(peer)
        if holding is None or not self.wants(piece) or piece in holding.lacks or self._is_asked(peer, piece):
            return False
        if len(self._awaited(piece)) >= MAX_ASKED:
            return False
        if piece.kind == PieceKind.HEAD:
            return True
        assert self.size is not None, "pages and chunks are asked for only when the size is known"
        first, count = (piece.index, 1) if piece.kind == PieceKind.CHUNK else page_span(self.size, piece.index)
        return bool(holding.chunks >> first & ((1 << count) - 1))  # whoever has a chunk has its page

    def needs(self, piece: Piece) -> bool:
        """Whether an answer for this piece would be of use."""
        if piece.kind == PieceKind.HEAD:
            return self._needs_head
        if piece.kind == PieceKind.PAGE:
            return self.head is not None and piece.index not in self.pages
        return self.held is not None and piece.index < self.held.size and not self.held.has(piece.index)

    def length_of(self, piece: Piece) -> int:
        """Return the most bytes an answer may have; for a chunk, exactly its bytes."""
        if piece.kind == PieceKind.HEAD:
            return MAX_HEAD_BYTES
        assert self.size is not None, "pages and chunks are asked for only when the size is known"
        if piece.kind == PieceKind.PAGE:
            return page_span(self.size, piece.index)[1] * HASH_BYTES
        return chunk_span(self.size, piece.index)[1]

    def ask(self, peer: PeerId, piece: Piece, due: float) -> Request:
        """Note that a piece is asked of a source."""
        request = Request(Fetch(piece, peer, self.length_of(piece), self._judge(piece)), due)
        self._asked.setdefault(piece, []).append(request)
        self._refresh(piece)
        return request

    def stall(self, request: Request, *, is_stalled: bool) -> None:
        """Note that a request's source went silent, or answers again."""
        request.is_stalled = is_stalled
        self._refresh(request.fetch.piece)

    def end(self, request: Request) -> None:
        """Note that a request was answered or given up; its piece is idle again if it is still missing."""
        piece = request.fetch.piece
        self._asked[piece].remove(request)
        if not self._asked[piece]:
            del self._asked[piece]
        self._refresh(piece)

    def has_asked(self, request: Request) -> bool:
        """Whether this very request is open."""
        return request in self._asked.get(request.fetch.piece, ())

    def _is_asked(self, peer: PeerId, piece: Piece) -> bool:
        return any(request.fetch.peer == peer for request in self._asked.get(piece, ()))

    def _is_idle(self, piece: Piece) -> bool:
        requests = self._awaited(piece)
        return len(requests) < MAX_ASKED and all(request.is_stalled or request.is_late for request in requests)

    def _awaited(self, piece: Piece) -> list[Request]:
        """Return the requests for a piece that keep others from being asked."""
        return [request for request in self._asked.get(piece, ()) if not request.is_overdue]

    def _refresh(self, piece: Piece) -> None:
        if piece.kind == PieceKind.HEAD:
            return
        bit = 1 << piece.index if self.needs(piece) and self._is_idle(piece) else 0
        if piece.kind == PieceKind.PAGE:
            self._idle_pages = self._idle_pages & ~(1 << piece.index) | bit
        else:
            self._idle_chunks = self._idle_chunks & ~(1 << piece.index) | bit & ~self._sought

    # What came

    def doubt_size(self) -> None:
        """Ask for the head before anything else, because bytes did not fit a size that is only claimed."""
        self._needs_head = True

    def learn_head(self, data: bytes) -> bool:
        """Take a head that was accepted; return whether it agrees with the size claimed."""
        head = parse_head(self.root, data)
        if self.size is not None and self.size != head.size:
            return False
        self.head, self.size, self._needs_head = head, head.size, False
        if self.held is None:
            size, held = self._recalled or (None, None)
            self.held = held if held and size == head.size else Bitfield(chunk_count(head.size))
            self._idle_chunks = self._missing & ~self._sought if self.held.size == 1 else 0
        if self.held.size > 1:
            self._idle_pages = sum(1 << page for page in range(page_count(head.size)) if self._lacks_of(page))
        return True

    def learn_page(self, page: int, data: bytes) -> None:
        """Take a page that was accepted: its missing chunks can be looked for or asked for now."""
        self.pages[page] = data
        self._idle_chunks |= self._lacks_of(page) & ~self._sought
        self._refresh(Piece(self.root, PieceKind.PAGE, page))

    def look_for(self, page: int) -> LookFor | None:
        """Return which chunks of a page are to be looked for; ``None`` if none are, or nothing tells them yet."""
        if not self._sought or self.held is None or (self.held.size > 1 and page not in self.pages):
            return None
        first = page * PAGE_CHUNKS
        chunks, indexes = (self._lacks_of(page) & self._sought) >> first, []
        while chunks:
            indexes.append(first + lowest(chunks))
            chunks &= chunks - 1
        return LookFor(self.root, tuple(indexes), self._judge_of(page)) if indexes else None

    def looked(self, chunk: int) -> None:
        """Note that a chunk was looked for: unless it is held, it can be asked for now."""
        self._sought &= ~(1 << chunk)
        self._refresh(Piece(self.root, PieceKind.CHUNK, chunk))

    def hold(self, chunk: int) -> None:
        """Take a chunk that was accepted and written."""
        assert self.held is not None, "chunks are asked for only when the size is known"
        self.held.set(chunk)
        self._needs_head = self._needs_head and not self.is_complete
        self._refresh(Piece(self.root, PieceKind.CHUNK, chunk))

    def lose(self, chunk: int) -> None:
        """Note that a chunk is held no longer, and may be asked for again."""
        assert self.held is not None, "only what was held is lost"
        self.held.clear(chunk)
        self._refresh(Piece(self.root, PieceKind.CHUNK, chunk))

    def _lacks_of(self, page: int) -> int:
        """Return the missing chunks of a page."""
        assert self.size is not None, "pages are asked for only when the size is known"
        first, count = page_span(self.size, page)
        return self._missing & ((1 << count) - 1) << first

    def _judge(self, piece: Piece) -> Callable[[memoryview], bool]:
        if piece.kind == PieceKind.HEAD:
            return partial(_is_head, self.root)
        if piece.kind == PieceKind.PAGE:
            assert self.head is not None, "pages are asked for only when the head is known"
            return partial(self.head.accepts_page, piece.index)
        return partial(self._judge_of(piece.index // PAGE_CHUNKS), piece.index)

    def _judge_of(self, page: int) -> Callable[[int, memoryview], bool]:
        """Return what judges the chunks of a page."""
        assert self.size is not None, "chunks can be told only when the size is known"
        if self.size <= CHUNK_BYTES:
            return partial(_is_only_chunk, self.root, self.size)
        return partial(_is_chunk, self.size, self.pages[page])


def _is_head(root: Root, data: memoryview) -> bool:
    try:
        parse_head(root, data)
    except IntegrityError:
        return False
    return True


def _is_only_chunk(root: Root, size: int, index: int, data: memoryview) -> bool:
    return index == 0 and len(data) == size and single_chunk_root(size, chunk_digest(data)) == root


def _is_chunk(size: int, page: bytes, index: int, data: memoryview) -> bool:
    start = index % PAGE_CHUNKS * HASH_BYTES
    return len(data) == chunk_span(size, index)[1] and chunk_digest(data) == page[start : start + HASH_BYTES]
