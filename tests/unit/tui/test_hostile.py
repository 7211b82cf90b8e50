"""Text of peers changes only its own cells: screens with it are compared with those of harmless text as wide."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unicodedata import category
from urllib.parse import quote

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from peerterm.api.views import HolderView, LogLine, OfferItemView, SourceView
from peerterm.tui.local_player import Showing
from peerterm.tui.modals.bandwidth import Bandwidth
from peerterm.tui.modals.dialogs import Choice, Confirm, Facts, PlainText, Prompt
from peerterm.tui.model import Changes
from peerterm.tui.terminal import Terminal
from peerterm.tui.widgets.cells import steady
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.tab_bar import TabBar
from tests.fakes.browsable import file
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.fake_engine import FakeEngine, make_hit, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.programs import NOON, Program, make_share, populated, running, until
from tests.fakes.streamed import make_item, make_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot
    from textual.screen import Screen

    Put = Callable[[Program, Pilot[None], str], Awaitable[None]]

CORPUS = {
    "controls": "[bold red]a[/] [@click=app.leave]b[/] [$error]c [[d]] \\[e] "
    "a\x1b[666;666Hb\x1b]52;c;aGk=\x07c\x9b31md\x00e\x7ff\x0eg\x1bPh\x1b\\\udcff\ud800i",
    "layout": "a\u202eb\u2066c\u200fd\u2069e\u061c f\ng\r\nh\ti\u2028j\x0bk\x85l \u200b\u2060\u3164\U000e0041m",
    "marks": "a" + "\u0301" * 10_000 + "b",
    "marks alone": "\u0301\u20dd" * 5_000,
    "pictures": "\U0001f468\u200d\U0001f469 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e9\U0001f1ea"
    + "\u6f22\u5b57" * 9,
    "long": "long words " * 300,
}
OURS = re.compile(r"\n|\x1b\]22;[a-z]+\x07|\x1b\[\d*(?:;\d+)*[A-Za-z]|\x1b\[\?\d+[hl]|\x1b\[>?\d*u|\x1b\[\?\d+\$p")
"""The escape sequences that a screen is made of."""

LINE_ENDS = r"([\n\r\t\v\f\x85\u2028\u2029]+)"
NEVER_SENT = {"Cc", "Cf", "Cs", "Zl", "Zp"}
CLIPPED = "\u2026"


def harmless(text: str) -> str:
    """Return text as wide and with the same blanks and line ends, in a letter that nothing else has."""
    return "".join(part if part.isspace() else _covered(part) for part in re.split(LINE_ENDS, text))


def _covered(part: str) -> str:
    return "".join(" " if each == " " else "\u00a7" * cell_len(each) for each in steady(part))


def cells_of(program: Program) -> list[list[tuple[str, str]]]:
    """Return what is in every cell of the screen, with its marks, and its style."""
    rows: list[list[tuple[str, str]]] = []
    for strip in program.screen._compositor.render_strips():
        row: list[tuple[str, str]] = []
        for segment in strip:
            for character in segment.text:
                width = cell_len(character)
                if width == 0 and row:
                    row[-1] = row[-1][0] + character, row[-1][1]
                row += [(character, str(segment.style)), ("", str(segment.style))][:width]
        rows.append(row)
    return rows


def differing(hostile: list[list[tuple[str, str]]], calm: list[list[tuple[str, str]]]) -> list[object]:
    """Return the cells that are not the text's own and yet are others."""
    return [
        (y, x, got, wanted)
        for y, (got_row, row) in enumerate(zip(hostile, calm, strict=True))
        for x, (got, wanted) in enumerate(zip(got_row, row, strict=True))
        if wanted[0] not in {"\u00a7", CLIPPED} and got != wanted
    ]


async def put_in_model(program: Program, pane: str, **parts: dict[str, Any]) -> None:
    """Show a pane of a model with other parts."""
    for name, part in parts.items():
        setattr(program.model, name, part)
    await program.action_show_pane(pane)
    program.pane.show(Changes(everything=True))
    program.main.refresh_frame()


async def put_peer(program: Program, _: Pilot[None], text: str) -> None:
    """Call a peer and its address so."""
    await put_in_model(program, "peers", peers={"1": make_peer(text, peer_id="1", address=text)})


async def put_share(program: Program, _: Pilot[None], text: str) -> None:
    """Call a share and its path so."""
    await put_in_model(program, "shares", shares={"1": make_share(text, share_id="1", path=text, visibility=text)})


async def put_transfer(program: Program, _: Pilot[None], text: str) -> None:
    """Call transfers and whom they come from so, and let one fail for that reason."""
    source = SourceView(peer_id="1", name=text, bytes=1)
    views = [
        make_transfer(text, transfer_id="1", sources=[source], path=f"/home {text}", error=f"why: {text}"),
        make_transfer("film", transfer_id="2", state="failed", error=f"why: {text}", kind="folder"),
    ]
    await put_in_model(program, "transfers", transfers={view.transfer_id: view for view in views})
    program.pane.set_class(True, "-details")


async def put_stream(program: Program, _: Pilot[None], text: str) -> None:
    """Call a folder that is streamed so, what is in it, whom it comes from, and where it can be read."""
    source = SourceView(peer_id="1", name=text, bytes=1)
    items = [make_item(text, url=f"http://127.0.0.1:9/{text}") for _ in range(2)]
    view = make_stream(text, *items, stream_id="1", sources=[source])
    program.watching.player.advice = f"why: {text}"
    program.watching.player.showing = Showing("1", text, 1)
    await put_in_model(program, "stream", streams={"1": view, "2": replace(view, stream_id="2")})


async def put_entry(program: Program, pilot: Pilot[None], text: str) -> None:
    """Call an entry of a folder so, and the peer that has it, and the folder."""
    engine = program.attachment.engine
    engine.folders = {("1", "top"): [replace(file(""), name=text, root="1" * 64)]}  # type: ignore[attr-defined] # a fake
    program.model.peers = {"1": make_peer(text, peer_id="1")}
    program.browse("1", "elsewhere")
    await until(pilot, lambda: program.pane.is_mounted)
    program.browse("1", "top")
    await until(pilot, lambda: program.pane.table.total_count == 1)  # type: ignore[attr-defined] # it has one


async def put_hit(program: Program, pilot: Pilot[None], text: str) -> None:
    """Find something that is called so, at one who is called so."""
    engine: Any = program.attachment.engine
    holder = HolderView(peer_id="1", name=text)
    engine.hits = [make_hit(text, path=f"{text}/{text}", peers=[holder], root="1" * 64)]
    await program.action_show_pane("search")
    line: Any = program.pane.query_one("QueryInput")
    with program.prevent(Input.Changed):
        line.value = "live"
    await line.action_submit()
    await until(pilot, lambda: not program.pane._is_searching)  # type: ignore[attr-defined] # it has one
    line.value = "live"


async def put_conversation(program: Program, pilot: Pilot[None], text: str) -> None:
    """Call a room, a peer and a sender so, and let them say it, do it, and link to a content called so."""
    engine: Any = program.attachment.engine
    peer = make_peer(text, peer_id="1")
    said = [
        ("text", text),
        ("me", text),
        ("later", text),
        ("text", f"peerterm:{'ab' * 32}?name={quote(text, errors='replace')}"),
    ]
    said_elsewhere = FakeEngine()  # so that it is no news here
    for number, (kind, line) in enumerate(said):
        said_elsewhere._add("1", "1", text, line, state="received", kind=kind, sent_at=NOON, kept_at=NOON + number)
    engine.said = said_elsewhere.said
    program.model.peers = {"1": peer}
    members = [HolderView(peer_id="1", name=text)]
    program.model.talk.views = {
        "1": make_conversation("1", kind="direct", name=text),
        "3": make_conversation("3", kind="direct", name=text, unread=7),
        "#2": make_conversation("#2", name=text, members=members),
    }
    engine.talk = dict(program.model.talk.views)
    engine.known_peers = [peer]
    await program.action_show_pane("chat")
    pane: Any = program.pane
    pane.show(Changes(everything=True))
    pane._present = ""
    pane.open("1")
    await until(pilot, lambda: pane._history.is_loaded)
    await pilot.pause()
    pane.tell()
    program.main.refresh_frame()


async def put_members(program: Program, pilot: Pilot[None], text: str) -> None:
    """Tell who is in a room that is called so."""
    await put_conversation(program, pilot, text)
    pane: Any = program.pane
    pane.open("#2")
    await pilot.pause()
    pane._view.empty = ()
    program.main.status.show(program.model)


async def put_offers(program: Program, pilot: Pilot[None], text: str) -> None:
    """Let somebody who is called so offer what is called so."""
    error, items = f"why: {text}", [OfferItemView(name=text, kind="folder", root="1" * 64, size=1, files=1)]
    known: dict[str, Any] = {"peer_name": text, "items": items, "error": error, "directory": f"/home {text}"}
    while len(program.screen_stack) > 1:
        program.pop_screen()
    program.model.offers.reset(
        make_offer(text, offer_id=f"{number}", direction=way, state=state, **known)
        for number, (way, state) in enumerate([("in", "accepted"), ("out", "declined")])
    )
    program.main.refresh_frame()
    program.open_inbox()
    await pilot.pause()
    await pilot.pause(0.02)


async def put_items(program: Program, pilot: Pilot[None], text: str) -> None:
    """Show the items of it."""
    await put_offers(program, pilot, text)
    screen: Any = program.screen
    screen.action_open()
    await pilot.pause()
    await pilot.pause(0.02)


async def put_waiting(program: Program, _: Pilot[None], text: str) -> None:
    """Count, in the rows around a pane, what somebody who is called so offers."""
    program.model.offers.reset([make_offer(text, peer_name=text)])
    await put_in_model(program, "peers", peers={}, shares={}, transfers={})


async def put_log(program: Program, pilot: Pilot[None], text: str) -> None:
    """Log it."""
    await program.action_show_pane("log")
    await pilot.pause()
    log: Any = program.pane
    log.workers.cancel_all()
    log._kept.clear()
    log._add([LogLine(at=NOON, level="info", source="links", text=text)])
    log._show_anew()


async def put_status(program: Program, _: Pilot[None], text: str) -> None:
    """Be called so ourselves."""
    assert program.model.status
    program.model.status = replace(program.model.status, name=text)
    await put_in_model(program, "peers", peers={}, shares={}, transfers={})


async def put_news(program: Program, _: Pilot[None], text: str) -> None:
    """Tell it."""
    program.say(text, "warning")


async def put_banner(program: Program, _: Pilot[None], text: str) -> None:
    """Lose the engine for that reason."""
    program.attachment.lost = f"it says {text}"
    program._attached()


async def put_tabs(program: Program, _: Pilot[None], text: str) -> None:
    """Nothing of a peer is in the row of tabs: only how many there are."""
    program.query_one(TabBar).show("peers", program.model)
    await put_peer(program, _, text)


def dialog(make: Callable[[str], Screen[Any]], *, says: bool = False) -> Put:
    """Return what shows a dialog with the text, if it ``says`` something only later then with that."""

    async def put(program: Program, pilot: Pilot[None], text: str) -> None:
        while len(program.screen_stack) > 1:
            program.pop_screen()
        program.push_screen(make(text))
        await pilot.pause()
        await pilot.pause(0.02)
        await until(pilot, lambda: not says or program.screen.query_one("#said", Plain).content)
        await pilot.pause()

    return put


def completing(text: str) -> Screen[Any]:
    """Return a prompt that shows what it is completed with."""
    ways = [f"a/- {text.replace('/', '|')}", "a/b"]
    shown = Prompt("Where?", "a", complete=lambda _: ways, note="Tab completes.")
    shown.call_after_refresh(shown.action_complete)
    return shown


def faulty(text: str) -> Screen[Any]:
    """Return a prompt with a title and a fault."""
    shown = Prompt(text, "a", note=f"Note: {text}")
    shown.call_after_refresh(shown._tell, f"It cannot be: {text}")
    return shown


PLACES: dict[str, Put] = {
    "peers": put_peer,
    "shares": put_share,
    "transfers": put_transfer,
    "stream": put_stream,
    "files": put_entry,
    "search": put_hit,
    "chat": put_conversation,
    "room": put_members,
    "inbox": put_offers,
    "offer": put_items,
    "waiting": put_waiting,
    "log": put_log,
    "status": put_status,
    "news": put_news,
    "banner": put_banner,
    "tabs": put_tabs,
    "confirm title": dialog(lambda text: Confirm(text, "It is gone then.")),
    "confirm": dialog(lambda text: Confirm("Delete it?", text, "It is gone then.")),
    "choice": dialog(lambda text: Choice(text, [("n", f"name  {text}", "1"), ("t", "as text", "2")], "1")),
    "facts": dialog(lambda text: Facts(text, [("name", text), ("state", "online")])),
    "text": dialog(lambda text: PlainText("Select", text)),
    "prompt": dialog(faulty, says=True),
    "completion": dialog(completing, says=True),
    "bandwidth": dialog(lambda text: Bandwidth(make_transfer(text))),
}


@pytest.mark.parametrize("place", PLACES)
async def test_text_of_peers_stays_in_its_cells(place: str) -> None:
    """Escapes, bidi, markup, marks and pictures change no other cell, and nothing but our own is sent."""
    program = Program(populated(), terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        await PLACES[place](program, pilot, "first")
        await pilot.pause(0.1)
        await until(pilot, lambda: not program._is_dirty)  # what "first" changed elsewhere is drawn by a timer
        for name, text in CORPUS.items():
            screens = []
            for shown in (text, harmless(text)):
                await PLACES[place](program, pilot, shown)
                await pilot.pause()
                screens.append(cells_of(program))

            assert differing(*screens) == [], name
            if place != "tabs" and harmless(text).strip():
                assert any(each == "\u00a7" for row in screens[1] for each, _ in row), name
        sent = "".join(terminal_of(program).sent)
        rest = OURS.sub("", sent)

        assert "\x1b[666" not in sent
        assert [rest[at - 9 : at + 9] for at, each in enumerate(rest) if category(each) in NEVER_SENT] == []
