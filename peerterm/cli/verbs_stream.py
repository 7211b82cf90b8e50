"""Verbs about watching what is not here yet: stream, streams, keep, close."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, AnyPath, Common, absolute, each, report_all
from peerterm.cli.following import what_next
from peerterm.cli.table import Table
from peerterm.display import human_bytes, human_rate

if TYPE_CHECKING:
    from peerterm.api.views import StreamView
    from peerterm.errors import PeertermError
    from peerterm.player.finding import Choice

_Streams = Annotated[str, Parameter(required=True, help="Their ids, or the ids' first digits.")]


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        watch,
        name="stream",
        help_epilogue="Examples:\n  peerterm stream 3fa9c21b\n  peerterm stream anna/Music/album --player vlc\n"
        "  peerterm stream 3fa9c21b --player 'celluloid {url}'\n  peerterm stream 3fa9c21b --print-url --json\n"
        "  peerterm stream --via ssh://me@server 3fa9c21b",
    )
    app.command(streams, help_epilogue="Example:\n  peerterm streams --json")
    app.command(keep, help_epilogue="Examples:\n  peerterm keep 7f3a\n  peerterm keep 7f3a -o ~/Videos")
    app.command(close, help_epilogue="Example:\n  peerterm close 7f3a")


async def watch(
    ref: Annotated[str, Parameter(help="As for get; of a folder, all that plays is played in its order.")],
    /,
    *,
    player: Annotated[
        str | None, Parameter(help="auto, none, mpv, vlc, ffplay, or a command with {url} where the address goes.")
    ] = None,
    print_url: Annotated[bool, Parameter(help="Print the address, and leave it open.")] = False,
    via: Annotated[
        str | None, Parameter(help="ssh://USER@HOST of the machine whose peerterm is to stream; played here.")
    ] = None,
    common: Common = COMMON,
) -> int:
    """Watch or hear something now, while it comes in."""
    from peerterm.cli.watching import ended_by_signals, offer, watch_here, watch_there

    chosen = None if print_url else _choose(player, common)
    found, advice = (chosen.player, chosen.advice) if chosen else (None, "")
    with ended_by_signals():
        if via is not None:
            return await watch_there(via, ref, found, advice, common)
        async with common.engine() as engine:
            if found is not None:
                return await watch_here(engine, ref, found, common)
            view = await engine.stream(ref)
    offer(view, advice, f"to end it: peerterm close {view.stream_id}", common)
    return 0


def _choose(player: str | None, common: Common) -> Choice:
    """Return the player to use.

    Raises:
        UsageError: What is asked for is no player.
    """
    from peerterm.config import Settings
    from peerterm.player.finding import AUTO, choose

    settings = Settings.load(common.paths().config, env=os.environ, flags={"stream.player": player})
    wish = settings.stream.player
    return choose(wish, os.environ, is_demanded=player is not None and wish != AUTO)


async def streams(*, common: Common = COMMON) -> None:
    """List the open streams."""
    async with common.engine() as engine:
        found = await engine.streams()
    columns = ("id", "name~", "state", "item>", "ahead>", "rate>", "sources>")
    common.emit(
        found, Table(columns, [_row(view) for view in found], "no streams; watch something: peerterm stream REF")
    )


def _row(view: StreamView) -> tuple[object, ...]:
    moves = view.state == "streaming"
    return (
        view.stream_id,
        view.name,
        view.state,
        f"{view.item + 1}/{len(view.items)}",
        human_bytes(view.ahead) if moves else "",
        human_rate(view.rate) if moves else "",
        sum(source.state == "active" for source in view.sources) if moves else "",
    )


async def keep(
    stream: Annotated[str, Parameter(help="Its id, or the id's first digits.")],
    /,
    *,
    output: Annotated[AnyPath | None, Parameter(name=["--output", "-o"], help="Folder to put it in.")] = None,
    common: Common = COMMON,
) -> None:
    """Download what is played; what is here already is not fetched again."""
    directory = absolute(output) if output is not None else ""
    async with common.engine() as engine:
        view = await engine.keep(stream, directory)
    if view.state != "done":
        common.talk(f"{view.name}: the engine fetches it in the background ({what_next([view.transfer_id])})")
    common.emit(view, [view.path if view.state == "done" else view.transfer_id], exact=True)


async def close(*streams: _Streams, common: Common = COMMON) -> int:
    """End streams; players that read them stop."""
    closed: list[StreamView]
    refused: list[PeertermError]
    async with common.engine() as engine:
        closed, refused = await each(streams, engine.close_stream)
    if closed or not refused:
        common.emit(closed, [f"{view.name}: closed" for view in closed])
    return report_all(refused, as_json=common.json)
