"""The download machine: everything one transfer decides, for all its contents and sources.

Owns who is asked for what, how much at once, whom to blame and what to ask again. Does no I/O and reads no clock:
``engine.downloading`` feeds it what links and lanes report, hands the fetches of ``pump`` to the lanes, and calls
``tick`` and ``pump`` when ``deadline`` is reached.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from peerterm.core.budget import Budgets
from peerterm.core.content import (
    ChunkHeld,
    Content,
    ContentDone,
    ContentImpossible,
    HeadKnown,
    LookFor,
    Request,
)
from peerterm.core.endgame import late_pieces, piece_for
from peerterm.core.ids import PeerId, Root
from peerterm.core.manifest import EMPTY_ROOT
from peerterm.core.pacing import awaited, left_to_others
from peerterm.core.pieces import Fetch, Piece, PieceKind, Refusal
from peerterm.core.source import Source, SourceDropped, SourceEmptied, SourceStats, SourceStruck

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from random import Random

    from peerterm.core.bitfield import Bitfield
    from peerterm.core.budget import Budget

__all__ = ["ChunkHeld", "ContentDone", "ContentImpossible", "Download", "Event", "HeadKnown", "LookFor"]
__all__ += ["SourceDropped", "SourceEmptied", "SourceStats", "SourceStruck"]

ENDGAME_SECONDS = 0.1
"""How often sources look for pieces that are late elsewhere."""

MAX_GONE = 256
"""Sources that left and are remembered; with more, the one that gave least is forgotten, its strikes too."""

Event: TypeAlias = (
    HeadKnown | LookFor | ChunkHeld | ContentDone | ContentImpossible | SourceStruck | SourceDropped | SourceEmptied
)


class Download:
    """The machine of one transfer: a set of contents, fetched in the order of adding.

    Every ``Fetch`` that ``pump`` returns is to come back once, through ``arrived``, ``rejected``, ``refused`` or
    ``returned``; the very same object. What comes back late, after its source left or its content was removed, is
    welcome and changes nothing but counts. Announcements of unknown sources or contents are ignored: links and
    transfers end independently.

    Args:
        rng: Breaks ties.
        budgets: Limits that all bound what is asked for; their owners may change them at any time.

    Invariant: only accepted pieces count; a source is asked only for what it announced and never beyond its window;
    at most ``content.MAX_ASKED`` requests for one piece are in flight, but for those that take too long.
    """

    def __init__(self, rng: Random, budgets: tuple[Budget, ...] = ()) -> None:
        self._rng = rng
        self._budgets = Budgets(budgets)
        self._is_short = False  # something would be asked for if the budgets allowed it
        self._contents: dict[Root, Content] = {}
        self._sources: dict[PeerId, Source] = {}
        self._added = 0
        self._endgame_at: float | None = None
        self._awaited: list[Content] = []  # as of the last pump
        self._late_at: float | None = None  # when something with a deadline may be late
        self.wasted_bytes = 0
        """Bytes that came and were of no use: rejected, or had come from elsewhere before."""

    # Contents

    def add_content(
        self,
        root: Root,
        size: int | None = None,
        held: Bitfield | None = None,
        *,
        is_recalled: bool = False,
        is_sought: bool = False,
    ) -> list[Event]:
        """Start to fetch a content that is not being fetched.

        Args:
            root: What to fetch.
            size: Its bytes as claimed by whoever named the root; ``None`` if unknown.
            held: Chunks on disk from an earlier run; only with a size.
            is_recalled: The size is only noted. Unless everything is held, nothing counts as held before the head
                came; ``HeadKnown`` with another size means that ``held`` was dropped.
            is_sought: Its chunks may be on this machine: none is asked for before it was ``looked`` for, which
                ``LookFor`` calls for as soon as its bytes can be told.
        """
        assert root not in self._contents, "already being fetched"
        self._added += 1
        if root == EMPTY_ROOT and not size:
            return [ContentDone(root)]
        if root == EMPTY_ROOT or size == 0:
            return [ContentImpossible(root, f"its root and a size of {size} bytes contradict")]
        content = Content(root, self._added, size, held, is_recalled=is_recalled, is_sought=is_sought)
        self._contents[root] = content
        return [ContentDone(root)] if content.is_complete else _look_for(content)

    def remove_content(self, root: Root) -> None:
        """Forget a content, done or not; what is in flight for it will count as wasted."""
        self._contents.pop(root, None)
        for source in self._sources.values():
            source.roots.discard(root)

    def looked(self, root: Root, chunks: Iterable[int], found: Collection[int], now: float) -> list[Event]:
        """Take what became of a look for chunks on this machine; those not found can be asked for now.

        Args:
            root: Their content; one that was removed meanwhile is welcome.
            chunks: Those that were looked for, of one ``LookFor`` or a part of it.
            found: Those of them that were accepted and are written.
            now: The time.
        """
        content, events = self._contents.get(root), list[Event]()
        if content is None:
            return []
        for chunk in chunks:
            piece = Piece(root, PieceKind.CHUNK, chunk)
            if chunk in found and content.needs(piece):
                content.hold(chunk)
                events.append(ChunkHeld(root, chunk, None, content.length_of(piece)))
            content.looked(chunk)
        self._wake(content)
        return events + self._completed(content, now) if events else []

    def lost(self, root: Root, chunk: int) -> None:
        """A chunk is held no longer, and asked for again if the window has it. ``pump`` is to follow."""
        if content := self._contents.get(root):
            content.lose(chunk)
            self._wake(content)

    def content(self, root: Root) -> Content | None:
        """Return what is being fetched, for reading only; the empty content is done before it gets here."""
        return self._contents.get(root)

    def held(self, root: Root) -> Bitfield | None:
        """Return a content's live have-bitfield; ``None`` while its size is unknown or if it is not fetched."""
        content = self._contents.get(root)
        return content.held if content else None

    def set_deadlines(self, root: Root, deadlines: dict[int, float]) -> None:
        """Replace the times at which a player needs chunks of a content; these chunks come first, soonest first.

        While there are any, little is in flight at each source, so that what a player wants next comes soon, and
        a chunk that its source would bring too late is asked of another too. ``pump`` is to follow.
        """
        if content := self._contents.get(root):
            content.set_deadlines(deadlines)
            self._wake(content)

    def set_window(self, root: Root, wanted: Iterable[int] | None) -> None:
        """Ask only for these chunks of a content, and the pages that prove them; ``None``: for all, as at first.

        What is in flight for other chunks is welcome. The content is done when every chunk is held, whatever the
        window. ``pump`` is to follow.
        """
        if content := self._contents.get(root):
            content.set_window(wanted)
            self._wake(content)

    # Sources

    def source_joined(self, peer: PeerId, now: float) -> None:
        """A peer may be asked from now on; it has announced nothing yet."""
        source = self._sources.setdefault(peer, Source(peer))
        source.is_present = not source.is_banned
        source.patience.heard(now)

    def heard(self, peer: PeerId, at: float) -> None:
        """Note when the lanes to a peer last brought bytes, of unfinished pieces too."""
        source = self._sources.get(peer)
        if source and source.is_present and at > source.patience.heard_at:
            source.patience.heard(at)
            if source.patience.is_stalled:
                self._stall(source, is_stalled=False)

    def source_left(self, peer: PeerId, now: float) -> None:
        """A peer is gone: what it was asked for is asked elsewhere."""
        if peer in self._sources:
            self._leave(self._sources[peer], now)

    def has(self, peer: PeerId, root: Root, *, complete: bool = False, first: int = 0, bits: bytes = b"") -> None:
        """Take a ``Have`` of a peer; further slices add to the first.

        Raises:
            ProtocolViolation: It cannot be true of any content.
        """
        if content := self._announced(peer, root):
            content.has(peer, complete=complete, first=first, bits=bits)
            self._offer(peer, content)

    def has_more(self, peer: PeerId, root: Root, chunks: Iterable[int] = (), *, complete: bool = False) -> None:
        """Take a ``HaveUpdate`` of a peer.

        Raises:
            ProtocolViolation: It cannot be true of any content.
        """
        if content := self._announced(peer, root):
            content.has_more(peer, chunks, complete=complete)
            self._offer(peer, content)

    def has_nothing(self, peer: PeerId, root: Root) -> None:
        """A peer does not offer a content, or no longer."""
        if content := self._announced(peer, root):
            content.has_nothing(peer)
            self._sources[peer].roots.discard(root)

    def _announced(self, peer: PeerId, root: Root) -> Content | None:
        source = self._sources.get(peer)
        return self._contents.get(root) if source and source.is_present else None

    def _offer(self, peer: PeerId, content: Content) -> None:
        if peer in content.holdings:
            self._sources[peer].roots.add(content.root)
            self._sources[peer].push(content)

    def _wake(self, content: Content) -> None:
        """Let every source look again for something to fetch of a content."""
        for peer in content.holdings:
            self._sources[peer].push(content)

    def _leave(self, source: Source, now: float) -> None:
        for request in list(source.requests.values()):
            self._end(source, request, now)
        for root in source.roots:
            self._contents[root].has_nothing(source.peer)
        source.reset()
        source.is_present = False
        gone = [each for each in self._sources.values() if not each.is_present]
        if len(gone) > MAX_GONE:
            del self._sources[min(gone, key=lambda each: (each.verified_bytes, each.strikes)).peer]

    # Outcomes

    def arrived(self, fetch: Fetch, data: bytes | None, now: float) -> list[Event]:
        """Take an accepted piece: the bytes of a head or page, or ``None`` for a chunk that is written."""
        length = fetch.max_bytes if data is None else len(data)
        self._budgets.give_back(fetch.max_bytes - length, now)
        events = self._take(fetch, data, length, now)
        if source := self._answered(fetch, now):
            source.patience.delivered()
            source.window.received(length, now)
        return events

    def _take(self, fetch: Fetch, data: bytes | None, length: int, now: float) -> list[Event]:
        content, piece = self._contents.get(fetch.piece.root), fetch.piece
        if content is None or not content.needs(piece):
            self.wasted_bytes += length
            return []
        if piece.kind == PieceKind.CHUNK:
            return self._take_chunk(content, fetch, now)
        assert data is not None, "a head or page comes with its bytes"
        if piece.kind == PieceKind.HEAD:
            return self._take_head(content, data, now)
        content.learn_page(piece.index, data)
        self._wake(content)
        return _look_for(content, piece.index)

    def _take_chunk(self, content: Content, fetch: Fetch, now: float) -> list[Event]:
        content.hold(fetch.piece.index)
        if source := self._sources.get(fetch.peer):
            source.verified_bytes += fetch.max_bytes
        held = ChunkHeld(content.root, fetch.piece.index, fetch.peer, fetch.max_bytes)
        return [held, *self._completed(content, now)]

    def _completed(self, content: Content, now: float) -> list[Event]:
        return [*self._blame_suspects(content, now), ContentDone(content.root)] if content.is_complete else []

    def _take_head(self, content: Content, data: bytes, now: float) -> list[Event]:
        if not content.learn_head(data):
            self.remove_content(content.root)
            return [ContentImpossible(content.root, f"it is not {content.size} bytes long")]
        assert content.size is not None, "a head tells the size"
        self._wake(content)
        return [HeadKnown(content.root, content.size), *_look_for(content), *self._blame_suspects(content, now)]

    def _blame_suspects(self, content: Content, now: float) -> list[Event]:
        """Strike whose bytes did not fit the size that was claimed and is now proven."""
        suspects, content.suspects = content.suspects, []
        return [event for peer in suspects for event in self._strike(peer, now)]

    def rejected(self, fetch: Fetch, now: float) -> list[Event]:
        """Take note of bytes that failed ``fetch.accepts``: blame the source, ask again."""
        self.wasted_bytes += fetch.max_bytes
        self._answered(fetch, now)
        content = self._contents.get(fetch.piece.root)
        if content is None:  # it may have been an impossible one
            return []
        if fetch.piece.kind != PieceKind.CHUNK or content.is_proven:
            return self._strike(fetch.peer, now)
        # The claimed size may be the lie: blame waits for the head.
        content.suspects.append(fetch.peer)
        content.doubt_size()
        self._wake(content)
        return []

    def refused(self, fetch: Fetch, refusal: Refusal, now: float) -> list[Event]:
        """Take a source's no, or the loss of its lane: ask elsewhere, or later."""
        is_lost = refusal == Refusal.LOST
        self._budgets.give_back(0 if is_lost else fetch.max_bytes, now)
        source = self._answered(fetch, now, is_heard=not is_lost)
        if source is None:
            return []
        content, piece = self._contents.get(fetch.piece.root), fetch.piece
        if refusal in {Refusal.NOT_FOUND, Refusal.CHANGED}:
            self.has_nothing(fetch.peer, piece.root)
        elif refusal == Refusal.NOT_HELD:
            if content:
                content.lacks(fetch.peer, piece)
        else:
            source.patience.back_off(now)
        if is_lost and content and piece.kind == PieceKind.CHUNK and not content.is_proven:
            content.doubt_size()  # an honest answer of another length than claimed breaks the lane
            self._wake(content)
        was_wrong = refusal in {Refusal.NOT_FOUND, Refusal.CHANGED} and content is not None
        return [SourceEmptied(source.peer)] if was_wrong and not source.roots else []

    def returned(self, fetch: Fetch, now: float) -> None:
        """Take back a fetch that failed for a reason of our own, such as a full disk. Nobody is blamed."""
        self._answered(fetch, now)

    def _answered(self, fetch: Fetch, now: float, *, is_heard: bool = True) -> Source | None:
        """End the fetch's request; return its source, or ``None`` if the request had been given up."""
        source = self._sources.get(fetch.peer)
        request = source.requests.get(fetch.piece) if source else None
        if source is None or request is None or request.fetch is not fetch:
            return None
        self._end(source, request, now)
        if is_heard:
            self.heard(source.peer, now)
        else:
            source.lane_lost()
        return source

    def _end(self, source: Source, request: Request, now: float) -> None:
        """Remove a request from all books. Its piece is idle again unless it is asked elsewhere too."""
        piece = request.fetch.piece
        del source.requests[piece]
        source.window.close(request.fetch.max_bytes, now)
        if content := self._content_of(request):
            content.end(request)
            if content.needs(piece):
                self._wake(content)

    def _content_of(self, request: Request) -> Content | None:
        content = self._contents.get(request.fetch.piece.root)
        return content if content and content.has_asked(request) else None

    def _strike(self, peer: PeerId, now: float) -> list[Event]:
        source = self._sources.get(peer)
        if source is None or source.is_banned:
            return []
        source.strikes += 1
        events: list[Event] = [SourceStruck(peer, source.strikes)]
        if source.is_banned:
            self._leave(source, now)
            events.append(SourceDropped(peer, source.strikes, "bad data"))
        return events

    # What to do now

    def pump(self, now: float) -> list[Fetch]:
        """Return every fetch that may be started now; the source that would deliver soonest chooses first."""
        fetches: list[Fetch] = []
        self._is_short, self._late_at = False, None
        self._awaited = awaited(self._contents)
        for content in self._awaited:
            content.note_late(now)
        line = [source.turn(now, self._rng) for source in self._sources.values() if source.is_usable(now)]
        heapify(line)
        while line:
            source = self._sources[heappop(line)[2]]
            if piece := self._piece_for(source, now):
                self._is_short = self._budgets.delay(now) > 0
                if self._is_short:
                    self._endgame_at = None
                    return fetches
                fetches.append(self._ask(source, piece, now))
                heappush(line, source.turn(now, self._rng))
        fetches += self._endgame(now)
        if self._awaited and not self.is_idle:
            self._late_at = now + ENDGAME_SECONDS
        return fetches

    def _piece_for(self, source: Source, now: float) -> Piece | None:
        """Return what to ask of a source now, if it has room for that."""
        if not source.window.has_room(self._budgets.rate):
            return None
        piece = self._next_piece(source, now)
        if piece is None or not self._awaited:
            return piece
        is_urgent = self._contents[piece.root].deadline_of(piece) <= now
        return piece if source.window.has_lead(is_urgent=is_urgent) else None

    def _next_piece(self, source: Source, now: float) -> Piece | None:
        """Return the next idle piece for a source: what a player waits for, then by the order of contents."""
        for content in self._awaited:
            left = left_to_others(source, content, self._sources.values(), now)
            if piece := content.next_piece(source.peer, self._rng, left):
                return piece
        return source.next_piece(self._contents, self._rng)

    def _ask(self, source: Source, piece: Piece, now: float) -> Fetch:
        content = self._contents[piece.root]
        size = content.length_of(piece)
        request = content.ask(source.peer, piece, source.window.due(size, now))
        self._budgets.spend(size, now)
        if not source.requests and not source.patience.is_owing:
            source.patience.heard_at = now
        request.asked_at = now
        source.requests[piece] = request
        source.window.open(size, now)
        return request.fetch

    def _endgame(self, now: float) -> list[Fetch]:
        """Ask sources that have nothing to do for pieces that are late elsewhere."""
        if self._endgame_at is not None and now < self._endgame_at:
            return []
        self._endgame_at = None
        usable = [source for source in self._sources.values() if source.is_usable(now)]
        idle = [source for source in usable if not source.requests and source.roots]
        if not idle or any(self._next_piece(source, now) for source in usable):
            return []
        late = late_pieces(self._sources.values(), self._contents, now)
        if late:
            self._endgame_at = now + ENDGAME_SECONDS
        fetches = []
        for source in idle:
            if not self._budgets.delay(now) and (piece := piece_for(source, self._contents, late, now)):
                fetches.append(self._ask(source, piece, now))
        return fetches

    # Time

    def tick(self, now: float) -> list[Event]:
        """Notice sources that have gone silent or take too long, and those that may be asked again."""
        events: list[Event] = []
        for source in list(self._sources.values()):
            source.note_overdue(now)
            source.patience.resume(now)
            if not (source.requests or source.patience.is_owing):
                continue
            if source.patience.is_silent(now):
                self._leave(source, now)
                events.append(SourceDropped(source.peer, source.strikes, "silent"))
            elif source.requests and source.patience.has_stalled(now):
                self._stall(source, is_stalled=True)
        return events

    def _stall(self, source: Source, *, is_stalled: bool) -> None:
        source.patience.is_stalled = is_stalled
        for request in source.requests.values():
            if content := self._content_of(request):
                content.stall(request, is_stalled=is_stalled)
                self._wake(content)

    def deadline(self) -> float | None:
        """Return when ``tick``, then ``pump``, are due if nothing happens before; ``None``: never."""
        times = [time for source in self._sources.values() for time in source.deadlines()]
        times += [time for time in (self._endgame_at, self._late_at) if time is not None]
        if self._is_short:
            times.append(self._budgets.ready_at)
        return min(times, default=None)

    # What is seen from outside

    @property
    def sources(self) -> dict[PeerId, SourceStats]:
        """Every source of this transfer, and up to ``MAX_GONE`` that are gone."""
        return {peer: source.stats() for peer, source in self._sources.items()}

    @property
    def has_source(self) -> bool:
        """Whether some source may be asked, now or soon."""
        return any(source.is_present for source in self._sources.values())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return not any(source.requests for source in self._sources.values())


def _look_for(content: Content, page: int = 0) -> list[Event]:
    call = content.look_for(page)
    return [call] if call else []
