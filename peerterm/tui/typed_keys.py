"""Lets keys in one by one: what a key began is there before the next one comes.

Over a slow connection keys arrive together. Without this, of ``/delta`` the ``d`` would still meet the list, and
download. Called by ``app``; knows keys and the focus only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.events import Key, Paste

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.widget import Widget

SETTLING_ROUNDS = 40
"""Turns of the loop for one key: to go up through all widgets, and for a dialog or an input to take the focus."""

MAX_TYPED_KEYS = 4096
"""Most keys that wait; who types on top of that types into the void."""


class TypedKeys:
    """Keys that wait for their turn.

    Attributes:
        are_heard: Whether all keys that came have done what they do.

    Args:
        app: Whose focus and dialogs they change.
        handle: Does with them what Textual does.
    """

    def __init__(self, app: App[None], handle: Callable[[Key | Paste], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self.are_heard = True
        self._events: asyncio.Queue[Key | Paste] = asyncio.Queue(MAX_TYPED_KEYS)

    def put(self, event: Key | Paste) -> None:
        """Take a key, or what was pasted after one."""
        if not self._events.full():
            self.are_heard = False
            self._events.put_nowait(event)

    async def run(self) -> None:
        """Handle keys until the program ends; letters for an input wait for no letter, other keys for them."""
        is_settled = True
        while True:
            event = await self._events.get()
            is_text = isinstance(event, Paste) or event.is_printable
            if not is_text and not is_settled:
                await self._settle()
            if self._app.screen_stack:
                await self._handle(event)
            if not self._app.screen_stack:  # the program ends
                return
            is_settled = not (is_text and takes_letters(self._app.focused))
            if is_settled:
                await self._settle()
            self.are_heard = self._events.empty()

    async def _settle(self) -> None:
        for _ in range(SETTLING_ROUNDS):
            await asyncio.sleep(0)
        while (screens := self._app.screen_stack) and not screens[-1].is_mounted:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


def takes_letters(widget: Widget | None) -> bool:
    """Whether letters are text where the focus is."""
    return widget is not None and widget.check_consume_key("a", "a")
