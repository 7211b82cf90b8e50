"""Drives the terminal: what Textual's own driver does, and never waits for a terminal that does not read.

Owns the terminal's modes, the signals about it, and what is sent to it. While the terminal takes nothing, nothing
is painted; keys work on, and the newest state is painted as soon as it reads again.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
from codecs import getincrementaldecoder
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from peerterm.tui.output import CANCEL, STALL_SECONDS, Output
from peerterm.tui.signals import Ending

if TYPE_CHECKING:
    from peerterm.tui.app import PeertermApp

CLOSE_SECONDS = 0.5
"""How long the terminal may take to read the last bytes."""

INPUT_SECONDS = 0.1
"""Time between two looks at whether input is still wanted, and whether an Escape is a key of its own."""

MAX_INPUT_BYTES = 4096
"""Most read from the terminal at once."""

RESTORE = "".join(f"\x1b[?{mode}l" for mode in (2026, 2004, 2048, 1000, 1003, 1015, 1006, 1004)) + (
    "\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
)
"""Ends each mode that may be on: updates, paste, sizes, mouse, focus, no wrap, keys, second screen, no cursor."""


class TerminalDriver(LinuxDriver):
    """The terminal of a ``PeertermApp`` that runs in the main thread of its process."""

    def __init__(
        self, app: PeertermApp, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._terminal = app.terminal
        assert sys.__stdout__ is not None
        self._screen_fileno = sys.__stdout__.fileno()  # standard error may be a file
        self._first_modes = termios.tcgetattr(self.fileno)
        self._held = ExitStack()
        self._is_held = self._is_cut = self._is_up = False
        self._held_size = app.size
        self._ending = Ending(self._leave, self._abandon)
        self._ending.watch()

    # What is sent

    @property
    def is_stalled(self) -> bool:
        """Whether the terminal has not taken what it was sent a while ago."""
        return self._is_up and self._output.is_stalled

    def write(self, data: str) -> None:
        """Send something; what the terminal has no room for is left out, and all is painted anew later."""
        if self._output.is_stalled and not self._is_held:
            self._is_held, self._held_size = True, self._app.size
            self._held.enter_context(self._app.batch_update())  # paints nothing, forgets nothing
        self._is_cut |= not self._output.write(data)

    def _drained(self) -> None:
        self._app.call_later(self._release)

    def _release(self) -> None:
        if not self._is_held and not self._is_cut:
            return
        self._held.close()
        if self._is_cut or self._held_size != self._app.size:
            self._app.refresh(layout=True)
        else:
            self._app.screen.check_idle()
        self._is_held = self._is_cut = False

    # Its modes

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._output = Output(
            self._screen_fileno, self._terminal.encoding, self._drained, is_plain=self._terminal.is_ascii
        )
        # The system may give a signal to a thread that is not the loop's: from now on every signal wakes the loop.
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, self._sigcont_application)
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual left it out
        self._is_up = self._key_thread is not None and self._key_thread.is_alive()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was; what it has not taken until now it shall never see."""
        if not self._is_up:
            return
        if not self._output.drain(STALL_SECONDS):
            self._output.discard()
        super().stop_application_mode()
        self._is_up = False

    def disable_input(self) -> None:
        """Hear no more."""
        if self._is_up:
            super().disable_input()

    def close(self) -> None:
        """End the threads."""
        super().close()
        self._output.close(CLOSE_SECONDS)

    def _request_terminal_sync_mode_support(self) -> None:
        if not self._terminal.is_console:
            super()._request_terminal_sync_mode_support()

    def _query_in_band_window_resize(self) -> None:
        if not self._terminal.is_console:
            super()._query_in_band_window_resize()

    # Signals about it

    def _sigcont_application(self, *_: object) -> None:
        if self._ending.is_begun or not self._auto_restart:
            return
        if self._is_up:  # stopped without our doing: the shell has had the terminal since
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.call_later(partial(self._app.refresh, layout=True))

    def _leave(self, code: int) -> None:
        self._app.call_later(partial(self._app.exit, return_code=code))

    def _abandon(self) -> None:
        if self._is_up:
            with suppress(OSError, termios.error):  # such as a terminal that has hung up
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._first_modes)
                termios.tcflush(self._screen_fileno, termios.TCOFLUSH)
                os.write(self._screen_fileno, (CANCEL + RESTORE).encode())

    # What it says

    def run_input_thread(self) -> None:
        """Hear keys, pastes and the mouse until nobody wants to; an end of input is a hang-up."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], INPUT_SECONDS)[0]:
                data = self._read()
                if not data:
                    os.kill(os.getpid(), signal.SIGHUP)  # whether or not the system sent one: nohup hides it
                    return
                for message in parser.feed(decode(data)):
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, MAX_INPUT_BYTES)
        except OSError:  # the terminal is gone
            return b""
