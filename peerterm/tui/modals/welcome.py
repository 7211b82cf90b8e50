"""The first start of a profile: what others see, where downloads go, and a folder to share if the user wants that.

Shown once: its end leaves a ``config.toml``. Whoever set, shared or fetched anything before is not asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.suggester import Suggester
from textual.widgets import Input

from peerterm.config import Settings, begin_file, fault_of, set_value, to_text
from peerterm.errors import ConfigError, PeertermError
from peerterm.tui.changing import restart_engine
from peerterm.tui.modals.dialogs import Dialog
from peerterm.tui.paths import complete_path, expanded, fault_of_folder, fault_of_share
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from textual.binding import BindingType
    from textual.widget import Widget

    from peerterm.tui.app import PeertermApp
    from peerterm.tui.model import Model


def is_first_start(file: Path, environment: Mapping[str, str], model: Model) -> bool:
    """Return whether nobody has said anything to this profile yet: no setting, no share, no transfer.

    Args:
        file: ``config.toml``.
        environment: One ``PEERTERM_*`` setting in it is an answer, too.
        model: With its first snapshot.
    """
    if file.exists() or model.status is None or model.shares or model.transfers:
        return False
    try:
        return not Settings.load(file, env=environment).sources
    except ConfigError:
        return False


class Welcome(Dialog[None]):
    """Asks three things, each of which has an answer already. Esc takes those answers, and shares nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Previous", show=False),
    ]
    KEYS = "Enter accept   Tab next   Right completes a path   Esc leave it at that"
    DEFAULT_CSS = "Welcome Input { margin-bottom: 1; } Welcome.-low Input { margin-bottom: 0; }"

    def __init__(self, file: Path) -> None:
        """Take the ``config.toml`` that is to be made.

        Raises:
            ConfigError: A ``PEERTERM_*`` variable has a fault.
        """
        super().__init__("Welcome to peerterm")
        self._file = file
        present = Settings.load(file)
        self._defaults = {
            "node.name": present.node.name,
            "files.download_dir": to_text(present.files.download_dir),
        }

    def body(self) -> Iterable[Widget]:
        """Offer a line for each answer."""
        downloads = self._defaults["files.download_dir"]
        yield VerticalScroll(
            Plain("Your name, as others on this network see it"),
            Input(self._defaults["node.name"], id="name", compact=True, select_on_focus=False),
            Plain("Folder for downloads"),
            Input(downloads, id="downloads", compact=True, select_on_focus=False, suggester=PathSuggester()),
            Plain("Folder to share; leave it empty to share nothing now"),
            Input(id="share", compact=True, select_on_focus=False, suggester=PathSuggester()),
            can_focus=False,
        )
        yield Plain(id="fault", classes="fault")

    def on_mount(self) -> None:
        """Let the user type at once: there is nothing else to do yet."""
        self.query_one("#name", Input).focus()

    def on_input_changed(self) -> None:
        """Take back what was wrong."""
        self._tell("")

    @work(exclusive=True, group="answers")
    async def on_input_submitted(self) -> None:
        """Accept the answers, or say what is wrong with one."""
        name, downloads, share = (self._text(field) for field in ("name", "downloads", "share"))
        faults = {
            "name": fault_of("node.name", name),
            "downloads": fault_of("files.download_dir", downloads)
            or await asyncio.to_thread(fault_of_folder, downloads),
            "share": await asyncio.to_thread(fault_of_share, share) if share else "",
        }
        for field, fault in faults.items():
            if fault:
                self._tell(f"{self._text(field) or 'nothing'}: {fault}")
                self.query_one(f"#{field}", Input).focus()
                return
        given = {"node.name": name, "files.download_dir": downloads}
        self._end({key: text for key, text in given.items() if text != self._defaults[key]}, share)

    def action_turn_away(self) -> None:
        """Leave everything at its default."""
        self._end({}, "")

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    def _tell(self, fault: str) -> None:
        self.query_one("#fault", Plain).say(*([fault] if fault else []), layout=True)

    def _end(self, settings: dict[str, str], share: str) -> None:
        self.program.run_worker(_begin(self.program, self._file, settings, share), group="settings")
        self.dismiss(None)


class PathSuggester(Suggester):
    """Shows how a path may go on."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first path that begins like that."""
        return next(iter(await asyncio.to_thread(complete_path, value)), None) if value else None


async def _begin(program: PeertermApp, file: Path, settings: dict[str, str], share: str) -> None:
    """Do as the user answered; the engine, which runs with defaults, starts again if an answer is another."""
    try:
        for name, text in settings.items():
            await asyncio.to_thread(set_value, file, name, text)
        await asyncio.to_thread(begin_file, file)
        if share:
            await program.attachment.engine.share(expanded(share))
        if settings:
            await restart_engine(program.attachment)
    except PeertermError as error:
        program.say(error.advice, "error")
