"""Changes settings: in their file, in the engine that runs and in this program, as far as these follow at once."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from peerterm.config import reset_value, set_value
from peerterm.config_values import rate
from peerterm.errors import ControlError
from peerterm.tui.preferences import read_preferences, terminal_for

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.tui.app import PeertermApp
    from peerterm.tui.attachment import Attachment

MAY_NOT_START = "this program may not start an engine"

MAX_LOOKS = 150
LOOK_SECONDS = 0.1
"""How often, and after which time each, we look whether the engine has ended, or started."""


async def change_setting(program: PeertermApp, file: Path, name: str, text: str | None) -> None:
    """Set a setting, or take it back to its default.

    Args:
        program: Takes up what concerns it.
        file: ``config.toml``.
        name: Full name of the setting.
        text: What ``config.fault_of`` finds nothing wrong with; ``None`` is the default.

    Raises:
        ConfigError: The file cannot be read or written.
        ControlError: The engine that runs cannot be told.
    """
    if name.endswith("_limit") and program.attachment.is_attached:
        limit, engine = rate(text or "none"), program.attachment.engine
        await (engine.limit(down=limit) if name == "transfers.down_limit" else engine.limit(up=limit))
    if text is None:
        await asyncio.to_thread(reset_value, file, name)
    else:
        await asyncio.to_thread(set_value, file, name, text)
    _take_up(program, file, name)


def _take_up(program: PeertermApp, file: Path, name: str) -> None:
    wanted, _ = read_preferences(file, os.environ)
    if name == "chat.bell":
        program.rings = wanted.chat.bell
    elif name == "chat.notices":
        program.model.talk.shows_notices = wanted.chat.notices
    elif name == "ui.theme":
        program.theme = terminal_for(os.environ, wanted.ui).theme
    elif name == "ui.keymap":
        program.user_keymap = dict(wanted.ui.keymap)
        program.set_keymap(program.user_keymap)
        program.main.refresh_frame()


async def restart_engine(attachment: Attachment) -> None:
    """Let the engine end, and return when another has taken its place; transfers under way go on in that one.

    Without an engine one is started.

    Raises:
        ControlError: It does not end, or none starts; or none may be started, so that it was left alone.

    Cancel: The engine may end without another being started.
    """
    if not attachment.may_start:
        raise ControlError(MAY_NOT_START, "start it again where it was started")
    if attachment.is_attached:
        await attachment.engine.stop()
    await _until(attachment, is_attached=False)
    attachment.start_engine()
    await _until(attachment, is_attached=True)


async def _until(attachment: Attachment, *, is_attached: bool) -> None:
    for _ in range(MAX_LOOKS):
        if attachment.is_attached is is_attached:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise ControlError(f"the engine does not {'start' if is_attached else 'end'}", "see why: peerterm log")
