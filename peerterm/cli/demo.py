"""The verb ``demo``: a living network on this machine alone, to look around in."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, Common
from peerterm.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from peerterm.cli.demo_network import Machine


def register(app: App) -> None:
    """Add the verb."""
    app.command(demo, help_epilogue="Examples:\n  peerterm demo\n  peerterm demo --no-ui --json")


def demo(
    *,
    no_ui: Annotated[bool, Parameter(help="Print where the engines are, and run until interrupted.")] = False,
    common: Common = COMMON,
) -> int:
    """Show a network of four engines on this machine, with generated files; nothing is left of it."""
    from peerterm.cli.demo_network import OWN, network
    from peerterm.tui.terminal import has_screen

    if not no_ui and not has_screen():
        raise UsageError("the demo needs a terminal", "without one: peerterm demo --no-ui")
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave)
    common.talk("starting four engines on this machine; nobody else can see them")
    with network() as machines:
        if no_ui:
            _wait(common, machines)
            return 0
        own = next(machine for machine in machines if machine.name == OWN)
        asyncio.run(own.until_ready())
        from peerterm.tui import program

        return program.run(own.paths, may_start=False, engine_stays=False)


def _wait(common: Common, machines: list[Machine]) -> None:
    """Say where the engines are as soon as they can be met, then wait for the signal that ends the demo."""
    for machine in machines:
        if not machine.joins_later:
            asyncio.run(machine.until_ready())
    found = [{"name": each.name, "address": each.address, "profile": str(each.home)} for each in machines]
    common.emit(found, (f"{each['name']:6} {each['address']:16} --profile {each['profile']}" for each in found))
    sys.stdout.flush()
    signal.pause()


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
