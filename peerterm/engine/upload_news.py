"""Tells clients what goes out: once a second while something does, and when it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import TransferChanged, TransferRemoved

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.api.views import TransferView
    from peerterm.engine.bus import Bus

NEWS_SECONDS = 1.0
"""Time between two looks at what goes out."""


class UploadNews:
    """Compares what goes out with what clients were told of it."""

    def __init__(self, bus: Bus, views: Callable[[], list[TransferView]]) -> None:
        self._bus = bus
        self._views = views
        self._told: dict[str, TransferView] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(NEWS_SECONDS)
            self.tell()

    def tell(self) -> None:
        """Tell what is different now; time that only passes is no difference."""
        now = {view.transfer_id: view for view in self._views()}
        for key, view in now.items():
            if key not in self._told or _looks(view) != _looks(self._told[key]):
                self._bus.publish(TransferChanged(transfer=view))
        for key in self._told.keys() - now.keys():
            self._bus.publish(TransferRemoved(transfer_id=key))
        self._told = now


def _looks(view: TransferView) -> TransferView:
    return replace(view, seconds=0, rate=0, sources=[])
