"""Every action of the program: its keys, its name, where it works. Bindings, hints, help, palette come from here.

Pure data. One letter means one verb in the whole program; a lower-case letter is safe, its upper-case one goes
further. Letters never fire while text is typed; Ctrl and function keys do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Scope = Literal[
    "anywhere", "global", "list", "peers", "files", "search", "transfers", "chat", "shares", "stream", "log"
]

PANES: tuple[Scope, ...] = ("peers", "files", "search", "transfers", "chat", "shares", "stream", "log")
"""The panes in the order of their digits."""

TITLES = {
    "peers": "Peers",
    "files": "Files",
    "search": "Search",
    "transfers": "Transfers",
    "chat": "Chat",
    "shares": "Shares",
    "stream": "Stream",
    "log": "Log",
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    Attributes:
        id: ``scope.verb``; what a user keymap names.
        keys: As Textual spells them; any of them fires it.
        method: Textual's action, without ``action_``, looked for from the focus upwards.
        label: One or two words, for the hints row.
        help: What it does, for help and palette: an imperative sentence without a full stop.
        hint: Its rank in the hints row, 1 first; 0 never stands there.
    """

    id: str
    keys: tuple[str, ...]
    method: str
    label: str
    help: str
    hint: int = 0

    @property
    def scope(self) -> str:
        """Where the keys work."""
        return self.id.partition(".")[0]

    def binding(self) -> Binding:
        """Return it as Textual takes it."""
        return Binding(
            ",".join(self.keys),
            self.method,
            self.help,
            show=False,
            priority=self.scope == "anywhere" and "ctrl+c" not in self.keys and "ctrl+z" not in self.keys,
            id=self.id,
        )


ACTIONS: tuple[Action, ...] = (
    Action("anywhere.help", ("f1",), "help", "help", "Show every key of this pane"),
    Action("anywhere.settings", ("f2",), "settings", "settings", "Change settings"),
    Action("anywhere.palette", ("ctrl+p",), "command_palette", "cmds", "Run any action by its name"),
    Action("anywhere.jump", ("ctrl+o",), "jump", "jump", "Choose a pane from a list"),
    Action("anywhere.attention", ("ctrl+g",), "attention", "attention", "Go to what needs attention next"),
    Action("anywhere.redraw", ("ctrl+l",), "redraw", "redraw", "Draw the screen anew"),
    Action("anywhere.quit", ("ctrl+q",), "leave", "quit", "Leave the program"),
    Action("anywhere.interrupt", ("ctrl+c",), "interrupt", "quit", "Copy the selection; twice, leave the program"),
    Action("anywhere.suspend", ("ctrl+z",), "suspend_process", "suspend", "Suspend to the shell"),
    *(
        Action(
            f"global.{pane}", (str(digit),), f"show_pane('{pane}')", TITLES[pane].lower(), f"Go to {TITLES[pane]}"
        )
        for digit, pane in enumerate(PANES, 1)
    ),
    Action("global.help", ("question_mark",), "help", "help", "Show every key of this pane"),
    Action("global.settings", ("comma",), "settings", "settings", "Change settings"),
    Action("global.palette", ("colon",), "command_palette", "cmds", "Run any action by its name", 8),
    Action("global.back", ("escape",), "leave_input", "back", "Cancel, clear the filter, or leave the input"),
    Action("global.quit", ("q",), "leave", "quit", "Leave the program", 9),
    Action("global.rescan", ("R",), "rescan", "rescan", "Look for changes in every share"),
    Action("global.zoom", ("z",), "zoom", "zoom", "Give this pane the whole screen, or give it back"),
    Action("global.pause_all", ("P",), "pause_all", "pause all", "Pause every transfer, or resume all of them"),
    Action("global.bandwidth", ("b",), "bandwidth", "limit", "Limit the rate of everything or of one transfer"),
    Action("global.inbox", ("I",), "inbox", "inbox", "Answer what peers offer you, and see what you offer"),
    Action("global.start", ("E",), "start_engine", "start", "Start the engine again after it was stopped"),
    Action("list.down", ("j", "down"), "down", "down", "Move down"),
    Action("list.up", ("k", "up"), "up", "up", "Move up"),
    Action("list.first", ("g", "home"), "first", "first", "Go to the first row"),
    Action("list.last", ("G", "end"), "last", "last", "Go to the last row"),
    Action("list.half_down", ("ctrl+d",), "half(1)", "half down", "Move half a page down"),
    Action("list.half_up", ("ctrl+u",), "half(-1)", "half up", "Move half a page up"),
    Action("list.page_down", ("pagedown",), "page(1)", "page down", "Move a page down"),
    Action("list.page_up", ("pageup",), "page(-1)", "page up", "Move a page up"),
    Action("list.mark", ("space",), "mark", "mark", "Mark the row, or take its mark away", 6),
    Action("list.mark_all", ("A",), "mark_all", "mark all", "Mark every row, or take all marks away"),
    Action("peers.browse", ("enter", "l", "right"), "browse", "browse", "Browse what the peer shares", 1),
    Action("peers.message", ("m",), "message", "write", "Write to the peer", 2),
    Action("peers.get_all", ("d",), "download", "get", "Download everything that the peer shares", 3),
    Action("peers.send", ("S",), "send", "send", "Send a file or folder to who is marked, or to this peer", 4),
    Action("peers.filter", ("slash",), "filter", "filter", "Show only peers whose name has these words"),
    Action("peers.sort", ("s",), "sort", "sort", "Choose the order of the peers"),
    Action("peers.copy", ("y",), "copy", "copy", "Copy the name, address or id"),
    Action("peers.info", ("i",), "info", "info", "Say all that is known of the peer"),
    Action("peers.own", ("L",), "own_link", "own link", "Show the link and QR code of this machine"),
    Action(
        "files.open",
        ("enter", "l", "right"),
        "open",
        "open",
        "Open the folder; of a file, say all that is known",
        3,
    ),
    Action("files.up", ("h", "left", "backspace"), "up", "up", "Go to the folder above", 4),
    Action("files.get", ("d",), "download", "get", "Download what is marked, or this", 1),
    Action("files.get_to", ("D",), "download_to", "get to", "Download into a folder of your choice"),
    Action("files.watch", ("w",), "watch", "watch", "Play the film, the song, or what is in the folder", 2),
    Action("files.send", ("S",), "send", "send", "Send what is marked, or this, of your own shares to peers"),
    Action("files.filter", ("slash",), "filter", "filter", "Show only entries whose name has these words", 5),
    Action("files.sort", ("s",), "sort", "sort", "Choose the order of the entries", 6),
    Action("files.copy", ("y",), "copy", "copy", "Copy the link, hash or path"),
    Action("files.info", ("i",), "info", "info", "Say all that is known of the entry"),
    Action("search.edit", ("slash",), "edit_query", "search", "Type what to search for", 1),
    Action("search.get", ("d",), "download", "get", "Download what is marked, or this", 2),
    Action("search.get_to", ("D",), "download_to", "get to", "Download into a folder of your choice"),
    Action("search.watch", ("w",), "watch", "watch", "Play the film, the song, or what is in the folder", 3),
    Action("search.limits", ("e",), "edit_limits", "type/size", "Search for one type or size only", 4),
    Action("search.open", ("l", "right"), "open", "folder", "Browse the folder it lies in", 5),
    Action("search.sort", ("s",), "sort", "sort", "Choose the order of the hits", 6),
    Action("search.copy", ("y",), "copy", "copy", "Copy the link, hash or path"),
    Action("search.info", ("i", "enter"), "info", "info", "Say all that is known of the hit, and who has it"),
    Action("transfers.pause", ("p",), "pause", "pause", "Pause, or let it go on", 1),
    Action("transfers.cancel", ("x",), "cancel", "cancel", "Cancel; what has come stays on disk", 2),
    Action("transfers.cancel_delete", ("X",), "cancel_delete", "delete", "Cancel and delete what has come"),
    Action("transfers.retry", ("r",), "retry", "retry", "Try again what failed or was cancelled", 3),
    Action("transfers.later", ("J",), "move_later", "order", "Move down in the queue", 4),
    Action("transfers.sooner", ("K",), "move_sooner", "sooner", "Move up in the queue"),
    Action("transfers.first", ("less_than_sign",), "move_first", "first", "Move to the front of the queue"),
    Action("transfers.last", ("greater_than_sign",), "move_last", "last", "Move to the end of the queue"),
    Action(
        "transfers.more", ("plus",), "prioritise(1)", "urgent", "Raise the priority, so that it runs before others"
    ),
    Action("transfers.less", ("minus",), "prioritise(-1)", "patient", "Lower the priority"),
    Action("transfers.clear", ("c",), "clear", "clear", "Take what has ended off the list", 5),
    Action("transfers.watch", ("w",), "watch", "watch", "Play it, as far as it has come", 9),
    Action("transfers.send", ("S",), "send", "send", "Send what is marked, or this, and is here to peers"),
    Action("transfers.details", ("v",), "details", "details", "Show or hide the details", 8),
    Action("transfers.filter", ("slash",), "filter", "filter", "Show only transfers whose name has these words", 6),
    Action("transfers.sort", ("s",), "sort", "sort", "Choose the order of the transfers", 7),
    Action("transfers.copy", ("y",), "copy", "copy", "Copy the link, hash or path"),
    Action("transfers.info", ("i", "enter"), "info", "info", "Say all that is known of the transfer"),
    Action(
        "chat.write",
        ("enter",),
        "write",
        "write",
        "Write; Enter sends, Ctrl+j begins a line, Esc leaves",
        1,
    ),
    Action("chat.next", ("tab", "right"), "next", "next", "Go to the next conversation", 2),
    Action("chat.previous", ("shift+tab", "left"), "previous", "previous", "Go to the conversation before"),
    Action("chat.get", ("d",), "download", "get", "Download what a link in the line stands for", 3),
    Action("chat.watch", ("w",), "watch", "watch", "Play what a link in the line stands for", 4),
    Action("chat.filter", ("slash",), "filter", "find", "Show only what has these words, of all that was said", 5),
    Action("chat.send", ("S", "a"), "send", "send", "Send a file or folder to whom you write", 7),
    Action("chat.join", ("o",), "open", "join", "Enter a room; where the line has an offer, open that", 6),
    Action("chat.leave", ("x",), "remove", "leave", "Leave the room; what was said stays"),
    Action("chat.mute", ("u",), "mute", "mute", "Hear nothing of this conversation, or hear of it again", 9),
    Action("chat.copy", ("y",), "copy", "copy", "Copy the line, a link in it, or all that is shown"),
    Action("chat.info", ("i",), "info", "info", "Say who is here, and all that is known of the line", 8),
    Action("shares.add", ("a",), "add", "add", "Share a file or folder", 1),
    Action("shares.remove", ("x",), "remove", "unshare", "Stop sharing; the files stay", 2),
    Action("shares.rescan", ("r",), "rescan_one", "rescan", "Look for changes in this share", 3),
    Action("shares.watch", ("w",), "watch", "watch", "Play the film, the song, or what is in the folder", 7),
    Action("shares.browse", ("enter", "l", "right"), "browse", "browse", "See it as peers do", 4),
    Action("shares.send", ("S",), "send", "send", "Send what is marked, or this, to peers"),
    Action("shares.filter", ("slash",), "filter", "filter", "Show only shares whose name has these words", 5),
    Action("shares.sort", ("s",), "sort", "sort", "Choose the order of the shares", 6),
    Action("shares.copy", ("y",), "copy", "copy", "Copy the link, hash or path"),
    Action("shares.info", ("i",), "info", "info", "Say all that is known of the share, and what was left out"),
    Action("stream.play", ("enter", "w"), "watch", "play", "Play it, or let it go on", 1),
    Action("stream.pause", ("p",), "pause", "pause", "Pause what plays, or let it go on", 2),
    Action("stream.back", ("left",), "seek(-10)", "back 10s", "Go ten seconds back in what plays", 3),
    Action("stream.on", ("right",), "seek(10)", "on 10s", "Go ten seconds on in what plays", 4),
    Action("stream.next", ("n",), "next", "next", "Play the next of the folder", 6),
    Action("stream.previous", ("N",), "previous", "previous", "Play the one before in the folder"),
    Action("stream.keep", ("d",), "download", "keep", "Keep what is marked, or this; fetches what is missing", 5),
    Action("stream.close", ("x",), "remove", "close", "Close the stream; what plays it ends", 7),
    Action("stream.details", ("v",), "details", "details", "Show or hide the details", 9),
    Action("stream.filter", ("slash",), "filter", "filter", "Show only rows whose name has these words"),
    Action("stream.copy", ("y",), "copy", "copy", "Copy the address, the ssh command for it, or the link", 8),
    Action("stream.info", ("i",), "info", "info", "Say all that is known of the stream"),
    Action("log.follow", ("f",), "follow", "follow", "Stay at the newest line, or stop to", 1),
    Action("log.level", ("e",), "level", "level", "Show only warnings and errors, or everything", 2),
    Action("log.filter", ("slash",), "filter", "filter", "Show only lines with these words", 3),
    Action("log.copy", ("y",), "copy", "copy", "Copy the log's path or the lines shown"),
)


def actions_of(*scopes: str) -> list[Action]:
    """Return the actions of some scopes, in their order."""
    return [action for scope in scopes for action in ACTIONS if action.scope == scope]


def bindings_of(*scopes: str) -> list[Binding]:
    """Return the bindings of some scopes."""
    return [action.binding() for action in actions_of(*scopes)]


_MARKS = {"list.mark", "list.mark_all"}
LACKING = {"chat": _MARKS, "log": _MARKS}
"""Actions that do not work in a pane, as its list has no marks."""


def actions_in(pane: str) -> list[Action]:
    """Return all that keys do in a pane: its own actions, those of its list, those of everywhere."""
    actions = actions_of(pane, "list", "global", "anywhere")
    return [action for action in actions if action.id not in LACKING.get(pane, set())]


def keys_of(action: Action, keymap: Mapping[str, str]) -> list[str]:
    """Return the keys of an action as the user wants them: by a comma-separated keymap, else as they are."""
    return _parts(keymap[action.id]) if action.id in keymap else list(action.keys)


def _parts(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _is_key(key: str) -> bool:
    """Whether a terminal can send a key of this name."""
    base = key.rpartition("+")[2] or key
    return base in _NAMED_KEYS or key_to_character(base) is not None


def hints_of(pane: str) -> list[Action]:
    """Return what the hints row of a pane may show, most wanted first, and the help at its end."""
    shown = [action for action in actions_in(pane) if action.hint]
    return [*sorted(shown, key=lambda action: (action.scope != pane, action.hint)), *_named("global.help")]


WRITING: tuple[Action, ...] = (
    Action("input.send", ("enter",), "send", "send", "Send what was typed"),
    Action("input.line", ("ctrl+j",), "new_line", "new line", "Begin a new line"),
    Action("input.complete", ("tab",), "complete", "complete", "Complete a name or a command"),
    Action("input.older", ("pageup",), "page(-1)", "back", "Read what was said before"),
    Action("input.newer", ("pagedown",), "page(1)", "on", "Read what was said after"),
)
"""What keys do in the field of a conversation; the first three may stand in the hints row."""


def typing_hints(*, is_writing: bool = False) -> list[Action]:
    """Return what the hints row may show while letters are text; the first ones are the input's own."""
    if is_writing:
        return [*WRITING[:3], *_named("global.back", "anywhere.settings", "anywhere.quit", "anywhere.help")]
    return [
        Action("input.accept", ("enter",), "submit", "accept", "Accept what was typed"),
        Action("input.next", ("tab",), "focus_next", "next", "Go to what is next on the screen"),
        *_named("global.back", "anywhere.settings", "anywhere.palette", "anywhere.quit", "anywhere.help"),
    ]


def _named(*ids: str) -> list[Action]:
    return [action for name in ids for action in ACTIONS if action.id == name]


_NAMED_KEYS = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())
_SYMBOLS = {
    "question_mark": "?", "comma": ",", "colon": ":", "slash": "/", "escape": "Esc", "enter": "Enter",
    "plus": "+", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">",
    "space": "Space", "tab": "Tab", "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp",
    "pagedown": "PgDn", "home": "Home", "end": "End", "backspace": "Bksp",
}  # fmt: skip
_ASCII_SYMBOLS = {"up": "Up", "down": "Down", "left": "Left", "right": "Right"}


def spelled(key: str, *, ascii_only: bool = False) -> str:
    """Return a key as a person reads it: ``ctrl+p`` is ``Ctrl+p``, ``question_mark`` is ``?``."""
    symbols = _SYMBOLS | _ASCII_SYMBOLS if ascii_only else _SYMBOLS
    parts = key.split("+")
    last = symbols.get(
        parts[-1], parts[-1].upper() if parts[-1][0] == "f" and parts[-1][1:].isdigit() else parts[-1]
    )
    return "+".join([part.capitalize() for part in parts[:-1]] + [last])


def clashes(keymap: Mapping[str, str], scopes: Iterable[str] = PANES) -> list[str]:
    """Return what is wrong with a user keymap: names of no action or key, and keys of two meanings in a pane.

    Args:
        keymap: Comma-separated keys by action id.
        scopes: Panes to look at.
    """
    known = {action.id for action in ACTIONS}
    faults = [f"there is no action {name}" for name in keymap if name not in known]
    faults += [
        f"{name}: there is no key {key}" for name in keymap for key in _parts(keymap[name]) if not _is_key(key)
    ]
    for pane in scopes:
        taken: dict[str, str] = {}
        for action in actions_in(pane):
            for key in keys_of(action, keymap):
                if (other := taken.setdefault(key, action.id)) != action.id:
                    faults.append(f"{key} means both {other} and {action.id}")
    return list(dict.fromkeys(faults))
