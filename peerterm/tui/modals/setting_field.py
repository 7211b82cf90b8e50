"""The parts of the settings screen: the list of sections, and one row a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from peerterm.config import fault_of, variable_name, words_of
from peerterm.config_values import keymap
from peerterm.tui.keys import clashes
from peerterm.tui.widgets.plain import Plain, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from peerterm.api.views import SettingView


class Sections(Static, can_focus=True):
    """The sections, one of which is shown: below each other, or in a row where there is no room for that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next section", show=False),
        Binding("k,up", "move(-1)", "Previous section", show=False),
        Binding("l,right,enter", "enter", "Its settings", show=False),
    ]
    DEFAULT_CSS = "Sections { width: 14; height: 1fr; }"

    class Chosen(Message):
        """Another section is wanted."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class Entered(Message):
        """The settings of the section are wanted."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(markup=False)
        self._titles = titles
        self._at = 0

    def on_resize(self) -> None:
        """Fit the room there is."""
        self._draw()

    def on_focus(self) -> None:
        """Show that the keys come here."""
        self._draw()

    def on_blur(self) -> None:
        """Show that they go elsewhere."""
        self._draw()

    def action_move(self, step: int) -> None:
        """Go to the next section."""
        self._at = (self._at + step) % len(self._titles)
        self._draw()
        self.post_message(self.Chosen(self._at))

    def action_enter(self) -> None:
        """Go to its settings."""
        self.post_message(self.Entered())

    def _draw(self) -> None:
        is_row = self.size.height < len(self._titles)
        pad = " " if sum(len(title) + 2 for title in self._titles) <= self.size.width else ""
        present = "reverse" if self.has_focus else "bold $primary"
        parts = [
            Content.styled(f"{pad}{title}{pad}" if is_row else f" {title:<11} ", present if at == self._at else "")
            for at, title in enumerate(self._titles)
        ]
        self.update(Content("\n" if not is_row else "" if pad else " ").join(parts), layout=False)


class Words(Static, can_focus=True):
    """A value that is one of a few words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,l,enter", "turn(1)", "Next", show=False),
        Binding("left,h", "turn(-1)", "Previous", show=False),
    ]

    class Changed(Message):
        """The user chose another word."""

        def __init__(self, words: Words) -> None:
            super().__init__()
            self.words = words

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(markup=False)
        self._words = words
        self._value = ""

    @property
    def value(self) -> str:
        """The word."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        self._value = value
        self._draw()

    def on_focus(self) -> None:
        """Show that the keys come here."""
        self._draw()

    def on_blur(self) -> None:
        """Show that they go elsewhere."""
        self._draw()

    def action_turn(self, step: int) -> None:
        """Choose the next word."""
        place = self._words.index(self._value) if self._value in self._words else -step
        self.value = self._words[(place + step) % len(self._words)]
        self.post_message(self.Changed(self))

    def _draw(self) -> None:
        self.update(safe((f"< {self._value} >", "reverse" if self.has_focus else "")), layout=False)


class Field(Horizontal):
    """One setting: its name and its value, which is saved by the screen.

    Attributes:
        setting: As it was read last.
        waits: Whether the engine that runs has another value yet.
    """

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > .name { width: 18; }
    Field > Input, Field > Words { width: 1fr; height: 1; }
    Field.-bad > .name { color: $text-error; text-style: bold; }
    """

    def __init__(self, setting: SettingView) -> None:
        super().__init__(id=setting.name.replace(".", "-"))
        self.setting = setting
        self.waits = False
        self._label = Plain(classes="name")
        words = words_of(setting.name)
        self.editor: Input | Words = Words(words) if words else Input(compact=True, select_on_focus=False)

    def compose(self) -> ComposeResult:
        """Lay out the row."""
        yield self._label
        yield self.editor

    def on_mount(self) -> None:
        """Show the setting."""
        self.revert()

    def revert(self) -> None:
        """Take back what was typed."""
        with self.prevent(Input.Changed):
            self.editor.value = self.setting.value
        self.mark()

    @property
    def is_changed(self) -> bool:
        """Whether what stands there is not saved."""
        return self.editor.value != self.setting.value

    @property
    def fault(self) -> str:
        """Why what stands there cannot be saved; nothing if it can."""
        if not self.is_changed:
            return ""
        if self.setting.source == "environment":
            return f"is given by {variable_name(self.setting.name)}; unset that first"
        return fault_of(self.setting.name, self.editor.value) or self._clash()

    def _clash(self) -> str:
        faults = clashes(keymap(self.editor.value)) if self.setting.name == "ui.keymap" else []
        return faults[0] if faults else ""

    def mark(self) -> None:
        """Mark a fault, or a change that waits for the engine."""
        is_bad = bool(self.fault)
        self.set_class(is_bad, "-bad")
        sign = "!" if is_bad else "*" if self.waits else " "
        self._label.say(f"{sign} {self.setting.name.partition('.')[2]}")
