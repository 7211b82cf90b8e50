"""What a reference means to a player: one file, or a folder's films and songs in order, and their subtitles.

Asks this machine first, then peers. Called by ``engine.streaming``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.ids import Root
from peerterm.core.playlist import playlist, subtitles_of
from peerterm.engine.references import HashReference, parse_reference
from peerterm.errors import NotFound, PeertermError, UsageError

if TYPE_CHECKING:
    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.listing import EntryKind
    from peerterm.engine.references import PathReference
    from peerterm.engine.reuse import Reuse
    from peerterm.engine.searching import Searching
    from peerterm.store.catalog import CatalogReader

log = logging.getLogger("peerterm.titles")

MAX_PLAYLIST_ITEMS = 500
"""Films and songs of one stream."""

MAX_LOOKED_AT = 5000
"""Files and folders that are looked at for a playlist, or for subtitles beside a film."""

MAX_DEPTH = 4
"""Folders below the one that is asked for."""


@dataclass(frozen=True, slots=True)
class TitleFile:
    """A file. ``size`` is what its holder claims; others are not to get it from us if it ``is_private``."""

    path: str
    root: Root
    size: int
    is_private: bool = False

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class TitleItem:
    """A film or song, and its subtitles with their languages."""

    file: TitleFile
    subtitles: tuple[tuple[TitleFile, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Title:
    """What is to be played."""

    name: str
    kind: EntryKind
    items: tuple[TitleItem, ...]


class Titles:
    """Looks titles up; holds nothing between questions."""

    def __init__(self, searching: Searching, catalog: CatalogReader, reuse: Reuse, own_id: str) -> None:
        self._searching = searching
        self._catalog = catalog
        self._reuse = reuse
        self._own_id = own_id

    async def find(self, reference: str) -> Title:
        """Return what a reference means.

        Raises:
            UsageError: It is no reference, means several contents, or nothing in it can be played.
            NotFound: Neither this machine nor a peer that is online has it.
            PeerError: The peer it names is not online or did not answer.
        """
        parsed = parse_reference(reference)
        entry, holder = await self._own(parsed), self._own_id
        if entry is None:
            try:
                found = await self._searching.find(reference)
            except NotFound:
                if isinstance(parsed, HashReference) and (title := await self._landed(parsed)):
                    return title
                raise
            entry, holder = found.entry, found.holders[0]
        title = await (self._folder if entry.kind == "folder" else self._single)(entry, holder)
        if not title.items:
            raise UsageError(f"{title.name}: nothing in it can be played", "get it: peerterm get")
        return title

    async def _own(self, parsed: HashReference | PathReference) -> CatalogEntry | None:
        if isinstance(parsed, HashReference):
            entries = await self._catalog.find(parsed.by, parsed.prefix, 1)
            return entries[0] if entries else None
        return await self._catalog.locate(parsed.path) if self._searching.is_own(parsed.peer) else None

    async def _landed(self, parsed: HashReference) -> Title | None:
        """Return what an earlier download left on this machine, if it is asked for by its whole root."""
        if parsed.by != "root" or len(parsed.prefix) != 64:
            return None
        root = Root(bytes.fromhex(parsed.prefix))
        for file in (await self._reuse.find([root])).get(root, ()):
            return Title(file.path.name, "file", (TitleItem(TitleFile(file.path.name, root, file.size)),))
        return None

    async def _single(self, entry: CatalogEntry, holder: str) -> Title:
        path = "/".join(entry.path)
        file = TitleFile(path, entry.root, entry.size, entry.is_private)
        beside: dict[str, TitleFile] = {}
        if len(entry.path) > 1:
            try:
                beside = await self._files(holder, "/".join(entry.path[:-1]), depth=0)
            except PeertermError as error:  # a film without its subtitles is better than none
                log.info("no subtitles looked for name=%r reason=%r", file.name, error.message)
        return Title(file.name, "file", (self._item(file, beside),) if entry.size else ())

    async def _folder(self, entry: CatalogEntry, holder: str) -> Title:
        files = await self._files(holder, "/".join(entry.path), depth=MAX_DEPTH)
        paths = [path for path in playlist(files) if files[path].size]
        return Title(
            entry.path[-1], "folder", tuple(self._item(files[path], files) for path in paths[:MAX_PLAYLIST_ITEMS])
        )

    def _item(self, file: TitleFile, files: dict[str, TitleFile]) -> TitleItem:
        found = subtitles_of(file.path, files)
        return TitleItem(file, tuple((files[each.name], each.language) for each in found if files[each.name].size))

    async def _files(self, holder: str, top: str, *, depth: int) -> dict[str, TitleFile]:
        """Return the files below a folder by path, ``MAX_LOOKED_AT`` entries at most.

        Raises:
            PeertermError: The holder does not answer.
        """
        files: dict[str, TitleFile] = {}
        folders, looked_at = [(top, depth)], 0
        while folders and looked_at < MAX_LOOKED_AT:
            path, left = folders.pop()
            after = ""
            while looked_at < MAX_LOOKED_AT:
                page = await self._searching.browse(holder, path, after, MAX_LOOKED_AT)
                looked_at += max(len(page.entries), 1)
                for entry in page.entries:
                    below = f"{path}/{entry.name}"
                    if entry.kind == "folder" and left:
                        folders.append((below, left - 1))
                    elif entry.kind == "file":
                        files[below] = TitleFile(below, Root(bytes.fromhex(entry.root)), entry.size)
                after = page.next
                if not after:
                    break
        return files
