"""The settings: those of the engine and of this program, over the same file as ``peerterm config``.

A value is saved when its field is left, or by Enter; Esc takes back what was typed. The screen works without an
engine. What the engine reads only when it starts is marked, and the screen offers to restart it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Input

from peerterm.config import Settings
from peerterm.display import counted
from peerterm.errors import ConfigError, PeertermError
from peerterm.tui.changing import MAY_NOT_START, change_setting, restart_engine
from peerterm.tui.modals.dialogs import Confirm, Dialog
from peerterm.tui.modals.setting_field import Field, Sections, Words
from peerterm.tui.preferences import explained, waits_for_engine
from peerterm.tui.widgets.plain import Plain, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.binding import BindingType
    from textual.content import Content
    from textual.widget import Widget

    from peerterm.api.views import SettingView

SECTIONS = {
    "node": "Network",
    "files": "Files",
    "transfers": "Transfers",
    "stream": "Streams",
    "chat": "Chat",
    "events": "Events",
    "log": "Log",
    "ui": "Screen",
}


class SettingsScreen(Dialog[None]):
    """All settings, by section.

    Args:
        file: ``config.toml`` of the profile; without it, that of the engine's profile.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Previous", show=False),
        Binding("ctrl+r", "reset", "Default", show=False),
        Binding("f5", "restart", "Restart", show=False),
        Binding("q,comma,f2", "turn_away", "Close", show=False),
    ]
    KEYS = "Esc revert, close   Enter save   Ctrl+r default   F5 restart engine"
    DEFAULT_CSS = """
    SettingsScreen > Vertical { height: 20; }
    SettingsScreen #columns { height: 1fr; min-height: 2; layout: horizontal; }
    SettingsScreen #columns > VerticalScroll { width: 1fr; height: 1fr; max-height: 100%; }
    SettingsScreen #columns Vertical { height: auto; display: none; }
    SettingsScreen #columns Vertical.-present { display: block; }
    SettingsScreen.-narrow #columns { layout: vertical; }
    SettingsScreen.-narrow Sections { width: 100%; height: auto; min-height: 1; max-height: 2; }
    SettingsScreen #file { color: $text-muted; height: 1; }
    SettingsScreen #said { height: 5; }
    SettingsScreen #broken { height: 1fr; }
    SettingsScreen .keys { margin-top: 0; }
    SettingsScreen.-low #said { height: 2; }
    SettingsScreen.-low #file { display: none; }
    """

    def __init__(self, file: Path | None = None) -> None:
        super().__init__("Settings")
        self._given = file
        self._in_engine: dict[str, SettingView] = {}
        self._said = Plain(id="said")
        self._writing = asyncio.Lock()

    @property
    def _file(self) -> Path | None:
        """Where settings are kept; unknown only as long as no engine said its profile."""
        if self._given is None and (status := self.program.model.status):
            return Path(status.profile) / "config.toml"
        return self._given

    def body(self) -> Iterable[Widget]:
        """List the settings."""
        try:
            settings = self._read()
        except ConfigError as error:
            yield Plain(error.advice, id="broken", classes="fault")
            return
        yield Plain(str(self._file), id="file")
        forms = [
            Vertical(*(Field(each) for each in settings if each.name.startswith(f"{section}.")), id=section)
            for section in SECTIONS
        ]
        yield Container(Sections(tuple(SECTIONS.values())), VerticalScroll(*forms, can_focus=False), id="columns")
        yield self._said

    def _read(self) -> list[SettingView]:
        """Read the settings as an engine that starts now would have them.

        Raises:
            ConfigError: The file has a fault.
        """
        if (file := self._file) is None:
            raise ConfigError("it is not known yet where the settings are", "come back when an engine was reached")
        return Settings.load(file, env=os.environ).views()

    def on_mount(self) -> None:
        """Show the first section, and ask what the engine has."""
        if self.query(Sections):
            self._show_section(0)
            self.query_one(Sections).focus()
            self.call_after_refresh(self._ask_engine)  # the fields are made by then

    # What is shown

    def on_sections_chosen(self, event: Sections.Chosen) -> None:
        """Show another section."""
        self._show_section(event.index)

    def on_sections_entered(self) -> None:
        """Go to the first setting of the section."""
        self.query_one("Vertical.-present Field", Field).editor.focus()

    def _show_section(self, index: int) -> None:
        for at, section in enumerate(SECTIONS):
            self.query_one(f"#columns #{section}").set_class(at == index, "-present")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain what the keys reach now."""
        self._explain(_field_of(event.widget))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what is wrong with what is typed."""
        if field := _field_of(event.input):
            field.mark()
            self._explain(field)

    def _explain(self, field: Field | None) -> None:
        lines = (
            self._lines_of(field) if field else [safe("Up and down choose a section; Enter goes to its settings.")]
        )
        if waiting := sum(each.waits for each in self.query(Field)):
            text = f"* {counted(waiting, 'change')} not taken up by the engine yet; F5 restarts it"
            lines.append(safe((text, "$text-warning")))
        elif not self.program.attachment.is_attached:
            lines.append(safe(("No engine runs; it takes these settings when it starts.", "$text-warning")))
        self._said.say(*lines)

    def _lines_of(self, field: Field) -> list[Content]:
        setting = field.setting
        if fault := field.fault:
            return [
                safe((setting.help, "bold")),
                safe((f"{field.editor.value or 'nothing'}: {fault}", "$text-error")),
            ]
        origin, effect = explained(setting, self._in_engine.get(setting.name))
        return [safe((setting.help, "bold")), safe((f"{origin} {effect}", "$text-muted"))]

    @work(exclusive=True, group="settings")
    async def _ask_engine(self) -> None:
        """Learn what the engine that runs has; without one, nothing waits for it."""
        try:
            self._in_engine = {each.name: each for each in await self.program.attachment.engine.settings()}
        except PeertermError as error:
            self._in_engine = {}
            self.program.say(error.advice, "warning")
        self._compare()

    def _compare(self) -> None:
        for field in self.query(Field):
            field.waits = waits_for_engine(field.setting, self._in_engine.get(field.setting.name))
            field.mark()
        self._explain(_field_of(self.focused))

    # What is changed

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Save what was typed."""
        self._save(_field_of(event.input))

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Save what was typed."""
        self._save(_field_of(event.input))

    def on_words_changed(self, event: Words.Changed) -> None:
        """Save what was chosen."""
        self._save(_field_of(event.words))

    def _save(self, field: Field | None) -> None:
        if field and field.is_changed:
            field.mark()
            self._explain(_field_of(self.focused))
            if not field.fault:
                self.program.run_worker(self._write(field, field.editor.value), group="settings")

    def action_reset(self) -> None:
        """Take a setting back to its default."""
        if (field := _field_of(self.focused)) is None:
            return
        if field.setting.source == "file":
            self.program.run_worker(self._write(field, None), group="settings")
        else:
            field.revert()
            self._explain(field)

    async def _write(self, field: Field, text: str | None) -> None:
        """Save a value, or the default; belongs to the program, so that it ends though the screen is closed."""
        name, file = field.setting.name, self._file
        assert file is not None
        async with self._writing:
            try:
                await change_setting(self.program, file, name, text)
                found = next(each for each in self._read() if each.name == name)
            except PeertermError as error:
                self._refused(field, error.advice)
                return
        field.setting = found
        if self.is_attached:
            if text is None or field.editor.value == text:
                field.revert()
            self._compare()

    def _refused(self, field: Field, reason: str) -> None:
        self.program.say(reason, "error")
        if self.is_attached and field is _field_of(self.focused):
            self._said.say(safe((reason, "$text-error")))

    @work(exclusive=True, group="dialogs")
    async def action_restart(self) -> None:
        """Restart the engine, so that it reads its settings; not if none could start then."""
        try:
            self._read()
        except ConfigError as error:
            self.program.say(error.advice, "error")
            return
        if not self.program.attachment.may_start:
            self.program.say(f"{MAY_NOT_START}; start it again where it was started", "warning")
            return
        question = Confirm(
            "Restart the engine?",
            "Transfers under way stop for a moment, then go on by themselves.",
            "It comes back in the background, without flags it was started with by hand.",
        )
        if await self.app.push_screen_wait(question):
            self.program.run_worker(self._restart(), exclusive=True, group="restart")

    async def _restart(self) -> None:
        self.program.say("the engine restarts")
        try:
            await restart_engine(self.program.attachment)
        except PeertermError as error:
            self.program.say(error.advice, "error")
        if self.is_attached:
            self._ask_engine()

    def action_turn_away(self) -> None:
        """Take back what was typed; if nothing was, close."""
        field = _field_of(self.focused)
        if field and field.is_changed:
            field.revert()
            self._explain(field)
            return
        if faulty := [each.setting.name for each in self.query(Field) if each.fault]:
            self.program.say(f"{', '.join(faulty)} stayed as before", "warning")
        self.dismiss(None)


def _field_of(widget: Widget | None) -> Field | None:
    """Return the setting that a widget is part of."""
    return next((node for node in widget.ancestors_with_self if isinstance(node, Field)), None) if widget else None
