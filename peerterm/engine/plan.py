"""What one transfer wants and where each part of it goes: a file, or a folder unfolded listing by listing.

Pure bookkeeping; the transfer that owns a plan does the asking and the writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peerterm.core.names import check_path
from peerterm.errors import ConfigError, IntegrityError, InvalidName, UsageError
from peerterm.store.ignore import compile_patterns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pathspec import GitIgnoreSpec

    from peerterm.core.ids import Root
    from peerterm.core.listing import ListingEntry

MAX_FILES = 200_000
MAX_FOLDERS = 200_000
"""Bounds of one transfer: identical sub-folders could otherwise unfold without end from a few bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one file of a transfer goes: ``path`` from the transfer's top, empty for a single file."""

    path: tuple[str, ...]
    executable: bool
    mtime_ns: int


@dataclass(slots=True)
class WantedFile:
    """One content and every place it goes to: it is fetched into the first and copied to the others."""

    root: Root
    size: int
    places: list[Place] = field(default_factory=list)


class Plan:
    """The folders and files of one transfer.

    Attributes:
        folders: Every folder to be made, parents first; the top is the empty path.
        files: Number of files known so far.
        total: Bytes of the files known so far.
        wanted: Contents by root, in the order of the listings.
    """

    def __init__(self, only: Sequence[str] = ()) -> None:
        """Plan for everything, or for what ``only`` chooses of a folder.

        Raises:
            UsageError: As ``chosen_by``.
        """
        self._only = chosen_by(only)
        self.folders: list[tuple[str, ...]] = []
        self.files = 0
        self.total = 0
        self.wanted: dict[Root, WantedFile] = {}
        self._listings: dict[Root, list[tuple[str, ...]]] = {}
        self._left_out = 0

    def add_file(self, root: Root, size: int, place: Place) -> WantedFile:
        """Want one file; the same content at several places is fetched once.

        Raises:
            IntegrityError: The transfer grows past its bounds, or contradicts itself.
        """
        self.files += 1
        self.total += size
        self._check_files()
        wanted = self.wanted.setdefault(root, WantedFile(root, size))
        if wanted.size != size:
            raise IntegrityError("a listing gives one content two sizes", "the folder is damaged at its owner")
        wanted.places.append(place)
        return wanted

    def add_folder(self, root: Root, path: tuple[str, ...] = ()) -> bool:
        """Want one folder; return whether its listing must be asked for (not when it already is).

        Raises:
            IntegrityError: The transfer grows past its bounds.
        """
        if len(self.folders) >= MAX_FOLDERS:
            raise IntegrityError(f"this folder holds more than {MAX_FOLDERS} folders", "get parts of it")
        self.folders.append(path)
        is_new = root not in self._listings
        self._listings.setdefault(root, []).append(path)
        return is_new

    def unfold(self, root: Root, entries: list[ListingEntry]) -> list[Root]:
        """Take the verified children of a folder; return the listings to ask for next.

        Raises:
            IntegrityError: The transfer grows past its bounds, or too deep.
        """
        asked: list[Root] = []
        for path in self._listings.pop(root):
            for entry in entries:
                place = (*path, entry.name)
                _check_depth(place)
                if entry.kind == "file":
                    if self._only is None or self._only.match_file("/".join(place)):
                        self.add_file(entry.root, entry.size, Place(place, entry.executable, entry.mtime_ns))
                    else:
                        self._left_out += 1
                        self._check_files()
                elif self.add_folder(entry.root, place):
                    asked.append(entry.root)
        return asked

    def _check_files(self) -> None:
        if self.files + self._left_out > MAX_FILES:  # to leave one out takes time too
            raise IntegrityError(f"this folder holds more than {MAX_FILES} files", "get parts of it")

    def folders_to_make(self) -> list[tuple[str, ...]]:
        """Return every folder, or those that hold chosen files; parents first. Only once all is unfolded."""
        if self._only is None:
            return self.folders
        places = (place.path for wanted in self.wanted.values() for place in wanted.places)
        return sorted({path[:depth] for path in places for depth in range(len(path))})

    def is_listing(self, root: Root) -> bool:
        """Whether this content is a listing that was asked for and has not come."""
        return root in self._listings

    @property
    def is_unfolded(self) -> bool:
        """Whether every listing has come, so that ``files`` and ``total`` are final."""
        return not self._listings


def chosen_by(only: Sequence[str]) -> GitIgnoreSpec | None:
    """Return what patterns, as in a ``.gitignore`` file, choose of a folder; ``None`` for everything.

    Raises:
        UsageError: One cannot be understood.
    """
    try:
        return compile_patterns(only) if only else None
    except ConfigError as error:
        raise UsageError(error.message, error.hint) from error


def _check_depth(path: tuple[str, ...]) -> None:
    try:
        check_path(path)
    except InvalidName as error:
        raise IntegrityError(f"this folder cannot be stored: {error.message}", error.hint) from error
