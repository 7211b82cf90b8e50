"""What a search means: folding text, reading a query, matching, ranking, and merging the hits of several peers.

Pure decisions over plain values. ``store.catalog`` finds candidates with them; the engine converts between
``CatalogEntry`` and wire messages and feeds the hits of all peers to one ``Merger``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.ids import HASH_BYTES
from peerterm.errors import UsageError

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId, Root
    from peerterm.core.listing import EntryKind

MAX_QUERY_BYTES = 256
MAX_TERMS = 8
MAX_MERGED_HITS = 2000
"""Most contents one search shows; further ones are dropped, further holders of the kept ones are not."""
MAX_SIZE = 2**63 - 1

_EXTENSIONS = {
    "video": "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg ogv rm ts vob webm wmv",
    "audio": "aac aif aiff alac ape flac m4a m4b mid midi mka mp3 oga ogg opus wav wma wv",
    "image": "avif bmp cr2 dng gif heic heif ico jpeg jpg jxl nef png psd raw svg tif tiff webp xcf",
    "document": "azw3 cbr cbz csv djvu doc docx epub key md mobi numbers odp ods odt pages pdf ppt pptx ps rtf tex "
    "txt xls xlsx",
    "archive": "7z apk bz2 cab deb dmg gz img iso jar lz lz4 lzma rar rpm tar tbz2 tgz txz xz zip zst",
    "code": "asm bash bat c cc cfg clj cmake cpp cs css cxx dart diff ex exs fish go h hpp hs htm html ini java jl "
    "js json jsx kt less lisp lock lua m mjs ml nim patch php pl ps1 py r rb rs sass scala scss sh sql swift toml "
    "tsx vim vue xml yaml yml zig",
}
_TYPES = {extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()}

QUERY_KINDS = ("any", "file", "folder", *_EXTENSIONS)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A file or folder of some peer's catalog.

    Attributes:
        path: Components, the share's name first.
        size: Bytes; of a folder, all below it.
        files: Files below a folder; 1 for a file.
        sha256: Flat SHA-256 of a file; ``None`` for a folder.
        executable: Whether the owner may execute it.
        mtime_ns: Last change, Unix time in nanoseconds; 0 for a folder.
        seq: The owner's sequence number when this entry last changed.
        is_private: Whether it is offered to single peers, who do not serve it on.
    """

    path: tuple[str, ...]
    kind: EntryKind
    size: int
    files: int
    root: Root
    sha256: bytes | None = None
    executable: bool = False
    mtime_ns: int = 0
    seq: int = 0
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for, checked; made by ``parse_query``.

    Attributes:
        text: As the user wrote it.
        kind: One of ``QUERY_KINDS``.
        min_size: Least bytes.
        max_size: Most bytes; ``None`` is no bound.
        terms: Folded words, all of which must occur in the folded path; empty for a hash query.
        digest: The root or flat SHA-256 a hash query asks for.
    """

    text: str
    kind: str = "any"
    min_size: int = 0
    max_size: int | None = None
    terms: tuple[str, ...] = ()
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class MergedHit:
    """One content and everyone who has it, in the order they answered; ``entry`` is what the first one said."""

    entry: CatalogEntry
    holders: tuple[PeerId, ...]


def fold(text: str) -> str:
    """Return the form in which texts are compared: no case, no accents, no compatibility variants.

    ``Straße``, ``STRASSE`` and ``strasse`` fold to the same. Folding twice changes nothing more.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in folded if not unicodedata.combining(character))


def type_of(name: str) -> str:
    """Return the type of file that a name's extension tells, ``file`` where it tells none."""
    _, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), "file") if dot else "file"


def parse_query(text: str, kind: str = "any", min_size: int = 0, max_size: int | None = None) -> Query:
    """Check and read a search.

    64 hex digits, or ``sha256:`` and 64 hex digits, ask for a content by its root or flat SHA-256.

    Raises:
        UsageError: Nothing to look for, too long, too many words, an unknown kind, or impossible sizes.
    """
    _check_filters(kind, min_size, max_size)
    text = text.strip()
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise UsageError("the search is not valid text") from error
    if length > MAX_QUERY_BYTES:
        raise UsageError(f"the search has {length} bytes of text; at most {MAX_QUERY_BYTES} are allowed")
    if "\0" in text:
        raise UsageError("the search contains a NUL character")
    digest = _read_digest(text)
    terms = () if digest else tuple(dict.fromkeys(fold(text).split()))
    if not terms and not digest:
        raise UsageError("the search is empty", "give at least one word that occurs in the name or path")
    if len(terms) > MAX_TERMS:
        raise UsageError(f"the search has {len(terms)} words; at most {MAX_TERMS} are allowed")
    return Query(text, kind, min_size, max_size, terms, digest)


def _check_filters(kind: str, min_size: int, max_size: int | None) -> None:
    if kind not in QUERY_KINDS:
        raise UsageError(f"unknown type {kind!r}", f"use one of: {', '.join(QUERY_KINDS)}")
    if not 0 <= min_size <= (MAX_SIZE if max_size is None else max_size) <= MAX_SIZE:
        raise UsageError("no size lies between the bounds given", "sizes count bytes, the least one first")


def _read_digest(text: str) -> bytes | None:
    """Return the hash that a text is, ``None`` if it is words."""
    marked = text.lower().startswith("sha256:")
    digits = text[len("sha256:") :] if marked else text
    if len(digits) == 2 * HASH_BYTES and digits.isascii() and digits.isalnum():
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass  # 64 letters that are no hash are a word like any other
    if marked:
        raise UsageError(f"{text}: not a SHA-256", f"sha256: is followed by {2 * HASH_BYTES} hex digits")
    return None


def matches(query: Query, folded_path: str, kind: EntryKind, name: str, size: int) -> bool:
    """Say whether an entry has every word of a query and passes its filters.

    The hash of a hash query is not looked at: whoever holds the entry compares ``query.digest`` itself.
    """
    if size < query.min_size or (query.max_size is not None and size > query.max_size):
        return False
    if query.kind in ("file", "folder"):
        if kind != query.kind:
            return False
    elif query.kind != "any" and (kind != "file" or type_of(name) != query.kind):
        return False
    return all(term in folded_path for term in query.terms)


def rank(query: Query, folded_path: str) -> tuple[int, int, int, int]:
    """Return a sort key, best first: words in the name, then how they stand there, then short names and paths."""
    name = folded_path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    outside = sum(term not in name for term in query.terms)
    distance = sum(_distance(term, name, stem) for term in query.terms)
    return outside, distance, len(name), len(folded_path)


def _distance(term: str, name: str, stem: str) -> int:
    """Return 0 for the whole name (with or without extension), 1 for its start, 2 for anywhere else."""
    if term in (name, stem):
        return 0
    return 1 if name.startswith(term) else 2


class Merger:
    """Joins the hits of several peers: one hit for each content, with all its holders.

    Invariant: at most ``MAX_MERGED_HITS`` contents; a content keeps the name and path it was first seen with.
    """

    def __init__(self) -> None:
        self._hits: dict[tuple[EntryKind, Root], MergedHit] = {}

    def add(self, peer: PeerId, entry: CatalogEntry) -> MergedHit | None:
        """Take one peer's hit; return the content's hit if it is new or has a new holder."""
        key = entry.kind, entry.root
        known = self._hits.get(key)
        if known is None:
            if len(self._hits) >= MAX_MERGED_HITS:
                return None
            hit = MergedHit(entry, (peer,))
        elif peer in known.holders:
            return None
        else:
            hit = MergedHit(known.entry, (*known.holders, peer))
        self._hits[key] = hit
        return hit
