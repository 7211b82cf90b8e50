"""A terminal driven as a person drives one: what the screen names is pressed, and the screen is read.

A shell in ``tmux`` on a host of a LAN, where ``peerterm`` is the one under test.
"""

from __future__ import annotations

import re
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import peerterm
from tests.fakes.pty_screen import LOCALE

from .lan import run, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .lan import Host

SHELL = ("bash", "--norc", "--noprofile")
PROMPT = "$ "
SCREEN_SECONDS = 20.0
"""How long a text on the screen is waited for."""

_numbers = count()


def has_tmux() -> bool:
    """Whether this machine has ``tmux``."""
    return shutil.which("tmux") is not None


class Tmux:
    """A shell in a terminal of its own; it ends with the context.

    Args:
        host: Where it runs, with all the variables of its processes.
        columns: Cells of a row.
        rows: All of them are the shell's.
        home: The user's home folder.
    """

    def __init__(self, host: Host, columns: int, rows: int, home: Path) -> None:
        self._host = host
        self._server = f"{host.lan.namespace(host.number)}-{next(_numbers)}"
        self._columns, self._rows = columns, rows
        source = str(Path(peerterm.__file__).parents[1])
        self._environment = host.environment | LOCALE | {"PS1": PROMPT, "HOME": str(home), "PYTHONPATH": source}

    def __enter__(self) -> Tmux:
        variables = [f"{name}={value}" for name, value in self._environment.items() if value]
        options = ("status off", "set-clipboard on", "default-terminal tmux-256color", "escape-time 0")
        run(
            *(*self._host.inside(), "env", "-i", *variables, *self._tmux()),
            *(word for option in options for word in ("set", "-g", *option.split(), ";")),
            *("new-session", "-d", "-x", self._columns, "-y", self._rows, *SHELL),
        )
        self.type(f'peerterm() {{ {sys.executable} -m peerterm "$@"; }}; clear')
        self.press("Enter")
        self.prompts()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(*self._tmux(), "kill-server", check=False)

    def _tmux(self, *words: object) -> tuple[object, ...]:
        return ("tmux", "-L", self._server, "-f", "/dev/null", *words)

    # What a person does

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them."""
        run(*self._tmux("send-keys", *keys))

    def type(self, text: str) -> None:
        """Type a text."""
        run(*self._tmux("send-keys", "-l", "--", text))

    def command(self, line: str) -> None:
        """Have the shell run a line."""
        self.type(line)
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        run(*self._tmux("resize-window", "-x", columns, "-y", rows))

    def follow(self, hint: str) -> None:
        """Press the key that a hint on the screen names, such as ``d get``."""
        self.shows(hint)
        self.press(_as_tmux(hint.split(maxsplit=1)[0]))

    def look_up(self, what: str) -> None:
        """Press the key that the help names for something."""
        self.follow("? help")
        self.shows("Keys in")
        self.follow("/ find")
        self.type(what)
        line = re.compile(rf"│ +(\S+)(?: \S+)* {{2,}}[^│]*{re.escape(what)}")
        screen = self.wait_until(lambda screen: len(line.findall(screen)) == 1, f"one key for {what}")
        self.press("Escape")
        self.hides("Keys in")
        self.press(_as_tmux(line.findall(screen)[0]))

    # What a person sees

    @property
    def screen(self) -> str:
        """All rows."""
        return run(*self._tmux("capture-pane", "-p")).stdout

    @property
    def clipboard(self) -> str:
        """What was copied."""
        return run(*self._tmux("show-buffer")).stdout

    def wait_until(self, condition: Callable[[str], object], what: str, seconds: float = SCREEN_SECONDS) -> str:
        """Wait until something holds of the screen; return the screen.

        Raises:
            AssertionError: It did not hold in time.
        """
        seen: list[str] = [""]

        def holds() -> bool:
            seen[0] = self.screen
            return bool(condition(seen[0]))

        try:
            wait_until(holds, seconds)
        except AssertionError as error:
            raise AssertionError(f"not within {seconds} s: {what}\n{seen[0]}") from error
        return seen[0]

    def shows(self, *texts: str, seconds: float = SCREEN_SECONDS) -> str:
        """Wait until all these texts are on the screen; return the screen."""
        return self.wait_until(lambda screen: all(text in screen for text in texts), f"{texts}", seconds)

    def prompts(self) -> str:
        """Wait until the shell asks for a command; return the screen."""
        return self.wait_until(lambda screen: screen.rstrip().splitlines()[-1:] == [PROMPT.strip()], "a prompt")

    def hides(self, text: str) -> str:
        """Wait until a text is no longer on the screen; return the screen."""
        return self.wait_until(lambda screen: text not in screen, f"no {text!r}")

    def row(self, name: str, *texts: str, seconds: float = SCREEN_SECONDS) -> str:
        """Wait until a row that begins with a name has all these texts; return the row."""

        def found(screen: str) -> list[str]:
            rows = [line for line in screen.splitlines() if re.match(rf"\W*{re.escape(name)}(?!\w)", line)]
            return [line for line in rows if all(text in line for text in texts)]

        return found(self.wait_until(found, f"a row of {name} with {texts}", seconds))[0]


def _as_tmux(key: str) -> str:
    """Return tmux's name of a key that is spelled for people."""
    return key.replace("Ctrl+", "C-").replace("Esc", "Escape") if len(key) > 1 else key
