"""The panes: one a digit, each shows one side of the engine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from peerterm.tui.keys import TITLES

if TYPE_CHECKING:
    from peerterm.tui.panes.base import Pane


def make_pane(scope: str) -> Pane:
    """Return a new pane; its module is imported now, so that the first screen comes fast."""
    module = import_module(f"peerterm.tui.panes.{scope}")
    pane: Pane = getattr(module, f"{TITLES[scope]}Pane")()
    return pane
