"""A list of contents that peers offer: getting them, into the configured folder or another."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Generic

from textual import on, work

from peerterm.display import clean
from peerterm.errors import PeertermError
from peerterm.tui import format as f
from peerterm.tui.browsing import heading
from peerterm.tui.downloading import usual_folder
from peerterm.tui.modals.dialogs import Confirm, Prompt
from peerterm.tui.panes.table_pane import Row, TablePane
from peerterm.tui.paths import complete_path, expanded, fault_of_folder
from peerterm.tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BATCH = 100
"""Most rows that are listed at once; between two batches keys are heard."""

COUNT_SECONDS = 0.1
"""How often the title counts rows that come: a key waits for what is being painted."""

MANY_DOWNLOADS = 50
"""From so many downloads on the user is asked before they are queued."""

MAX_SUMMED = 5000
"""Most marked rows whose bytes are summed up while the user marks; for more it would be felt."""

_NAME_CELLS = 40


@dataclass(frozen=True, slots=True)
class Content:
    """A content to download; one without a root is not ready yet."""

    name: str
    size: int
    root: str
    is_folder: bool = False


class ContentsPane(TablePane[Row], Generic[Row]):
    """The part of a pane that both lists of contents share."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = ""
        self._counted_at = -inf

    # What a pane gives

    @abstractmethod
    def size_of(self, row: Row) -> int:
        """Return the bytes of a row."""

    @abstractmethod
    async def contents(self, rows: Sequence[Row]) -> Sequence[Content]:
        """Return what downloading these rows means; may ask the engine.

        Raises:
            PeertermError: It cannot be found out.
        """

    def question(self, rows: Sequence[Row], contents: Sequence[Content]) -> Confirm | None:
        """Return what is asked before rows are downloaded, which mean these contents; ``None`` asks nothing."""
        if len(contents) < MANY_DOWNLOADS:
            return None
        return Confirm(
            f"Download {_sum_of(contents)}?", "Each becomes a transfer of its own; a folder would be one."
        )

    @abstractmethod
    def show_title(self) -> None:
        """Say above the list what it is."""

    # Listing and getting

    async def list_more(self, rows: Sequence[Row]) -> None:
        """Put rows into the list, however many, without keeping the keyboard waiting.

        The first of them at once: the cursor begins on what is first in order, not on what came first.
        """
        if not self.table.total_count:
            self.table.replace_rows(rows)
            self._counted_at = -inf
            return
        for start in range(0, len(rows), MAX_BATCH):
            self.table.put_many(rows[start : start + MAX_BATCH])
            await asyncio.sleep(0)

    def count_on(self) -> None:
        """Say above the list how much there is by now, unless that was said of this list a moment ago."""
        if (now := monotonic()) - self._counted_at >= COUNT_SECONDS:
            self._counted_at = now
            self.show_title()

    @work(group="getting")  # apart from dialogs: another one does not stop it
    async def action_download(self) -> None:
        """Download what is marked, or the row of the cursor."""
        rows = self.table.chosen
        if contents := await self._wanted(rows):
            question = self.question(rows, contents)
            if question is None or await self.app.push_screen_wait(question):
                self._get(contents)

    @work(group="getting")
    async def action_download_to(self) -> None:
        """Download what is marked, or the row of the cursor, or a part of it, into a folder that the user types."""
        if not (contents := await self._wanted(self.table.chosen)):
            return
        prompt = Prompt(
            f"Download {_sum_of(contents)} into",
            await self._usual_folder(),
            check=fault_of_folder,
            complete=complete_path,
            note="A folder; Tab completes. One that does not exist is made.",
        )
        if folder := await self.app.push_screen_wait(prompt):
            self._folder = folder
            only = await self._only() if len(contents) == 1 and contents[0].is_folder else []
            if only is not None:
                self._get(contents, expanded(folder), only)

    async def _only(self) -> list[str] | None:
        """Ask which files of a folder are wanted, all without a pattern; ``None`` if the user turned away."""
        note = "Patterns such as *.flac or /live/, with a blank between two; nothing is all of them."
        if (typed := await self.app.push_screen_wait(Prompt("Only which files?", note=note))) is not None:
            return typed.split()
        return None

    async def _wanted(self, rows: Sequence[Row]) -> Sequence[Content]:
        if not rows:
            self.program.say("nothing is here yet")
            return ()
        try:
            contents = [content for content in await self.contents(rows) if content.root]
        except PeertermError as error:
            self.program.say(error.advice, "error")
            return ()
        if not contents:
            self.program.say("there is nothing to download yet", "warning")
        return contents

    def _get(self, contents: Sequence[Content], folder: str = "", only: Sequence[str] = ()) -> None:
        self.program.download([content.root for content in contents], folder, only)
        self.table.clear_marks()

    async def _usual_folder(self) -> str:
        return self._folder or await usual_folder(self.program)

    # Title

    def headline(self, where: str, *facts: str) -> None:
        """Say where the user is, and facts, what is marked first among them."""
        marked = []
        if count := self.table.marked_count:
            size = f", {f.size(sum(map(self.size_of, self.table.chosen)))}" if count <= MAX_SUMMED else ""
            marked = [f"{count:,} marked{size}"]
        width, is_ascii = self.size.width, self.program.terminal.is_ascii
        self.title(heading(where, [*marked, *facts], width or self.app.size.width, ascii_only=is_ascii))

    @on(VirtualTable.MarksChanged)
    def _marks_changed(self) -> None:
        self.show_title()

    def on_resize(self) -> None:
        """Write the title as long as there is room."""
        self.show_title()


def _sum_of(contents: Sequence[Content]) -> str:
    size = f.size(sum(content.size for content in contents))
    what = clean(contents[0].name, width=_NAME_CELLS) if len(contents) == 1 else f"{len(contents):,} entries"
    return f"{what} ({size})"
