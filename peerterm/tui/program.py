"""Starts the full-screen program in this terminal and brings the terminal back as it was."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.tui.preferences import read_preferences, terminal_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.paths import Paths


def run(paths: Paths, extra_args: Sequence[str] = (), *, may_start: bool = True, engine_stays: bool = True) -> int:
    """Run the program on a profile until the user leaves.

    Args:
        paths: The profile.
        extra_args: Arguments of an engine that is started.
        may_start: Whether one may be.
        engine_stays: Whether it goes on when the user leaves; if not, whoever called ends it.

    Returns:
        The exit code: 0 if the user left, 128 and its number after a signal, 1 after a bug.
    """
    settings, fault = read_preferences(paths.config, os.environ)
    wanted = settings.ui
    terminal = terminal_for(os.environ, wanted)
    terminal.prepare(os.environ)
    from peerterm.api.events import Notice  # noqa: PLC0415 - as the two that follow
    from peerterm.tui.app import PeertermApp  # noqa: PLC0415 - Textual reads the environment when it is imported
    from peerterm.tui.driver import TerminalDriver  # noqa: PLC0415 - it is Textual's, too
    from peerterm.tui.keys import clashes  # noqa: PLC0415
    from peerterm.tui.local_player import chooser  # noqa: PLC0415

    @asynccontextmanager
    async def connect(start: bool) -> AsyncIterator[EngineApi]:
        from peerterm.control.launch import attach  # noqa: PLC0415 - the first frame does not wait for it

        async with await attach(paths, start=start, extra_args=extra_args) as engine:
            yield engine

    keymap = dict(wanted.keymap)
    driver = replace(terminal, driver_class=TerminalDriver)
    config = None if extra_args else paths.config
    program = PeertermApp(connect, driver, keymap, config, engine_stays=engine_stays, may_start=may_start)
    program.rings = settings.chat.bell
    program.model.talk.shows_notices = settings.chat.notices
    program.watching.player.choose = chooser(paths.config)
    fault = fault.replace(str(paths.config), paths.config.name)  # all of it must fit a row
    for text in [fault] if fault else clashes(keymap):
        program.model.apply(Notice(level="warning", text=text))
    program.run(mouse=terminal.has_mouse)
    return program.return_code or 0
