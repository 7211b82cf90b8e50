"""The row above the hints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from peerterm.api.events import ShareChanged, Snapshot, TransferChanged
from peerterm.tui.model import Model
from peerterm.tui.widgets.plain import safe
from peerterm.tui.widgets.status_bar import alarms_of, offers_of, parts_of, status_row, unread_of
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.programs import make_share

ALARM = "!3 failed "
WIDTHS = st.integers(40, 200)


@given(st.lists(st.text(max_size=60).map(lambda text: safe(text).plain), min_size=1, max_size=6), WIDTHS)
def test_failures_are_never_dropped(parts: list[str], width: int) -> None:
    """Whatever else there is to say, they stand whole at the end of the row, which is just as wide."""
    row = status_row(parts, ALARM, None, width)

    assert row.plain.endswith(f" {ALARM}")
    assert row.cell_length == width


@given(st.text(max_size=300), WIDTHS)
def test_news_are_cut_before_failures(text: str, width: int) -> None:
    """However long they are."""
    row = status_row(["alice  3 peers"], ALARM, safe(" ", (text, "$warning")), width)

    assert row.plain.endswith(f" {ALARM}")
    assert row.cell_length == width
    assert "alice" not in row.plain or "alice" in text


def test_parts_go_from_the_right() -> None:
    """Who we are stays longest, and is cut only where it is too long by itself."""
    parts = ["alice  3 peers", "dn 1 41M/s  up 0 -", "ETA 42s", "index 62%"]

    for width, shown in ((60, 4), (50, 3), (40, 2), (30, 1)):
        assert status_row(parts, "", None, width).plain.rstrip() == " " + " | ".join(parts[:shown])
    assert status_row(parts, ALARM, None, 20).plain == " alice  … !3 failed "


async def model_of(**parts: object) -> Model:
    """Return a model after a snapshot."""
    known: dict[str, Any] = {"peers": [], "shares": [], "transfers": []}
    model = Model()
    model.apply(Snapshot(status=await FakeEngine().status(), **known | parts))
    return model


async def test_idle_engine_says_who_we_are() -> None:
    """And nothing that is zero."""
    assert parts_of(await model_of()) == ["fake  0 peers"]
    assert parts_of(await model_of(peers=[make_peer("bob"), make_peer("eve", state="offline")])) == ["fake  1 peer"]
    assert alarms_of(await model_of()) == ""


def test_before_the_engine_is_there_it_is_looked_for() -> None:
    """The first thing on the screen."""
    assert parts_of(Model()) == ["looking for the engine"]


async def test_what_moves_is_summed_up() -> None:
    """Rates both ways, what waits, when all is here, how far indexing is."""
    model = await model_of()
    for view in (
        make_transfer("a", rate=41e6, bytes=0, total=410_000_000),
        make_transfer("b", direction="up", rate=2e6),
        make_transfer("c", state="queued"),
        make_transfer("d", state="failed"),
    ):
        model.apply(TransferChanged(transfer=view))
    model.apply(ShareChanged(share=make_share("e", state="indexing", bytes=1000, done_bytes=620)))

    assert parts_of(model) == ["fake  0 peers", "dn 1 41M/s  up 1 2.0M/s  q 1", "ETA 10s", "index 62%"]
    assert alarms_of(model) == "!1 failed "


async def test_share_without_bytes_is_at_its_start() -> None:
    """It is still being counted."""
    model = await model_of(shares=[make_share("e", state="indexing", bytes=0)])

    assert parts_of(model)[1:] == ["index 0%"]


@pytest.mark.parametrize("name", ["n" * 500, "名" * 300, "e\u0301" * 300])
async def test_long_name_leaves_room_for_the_rest(name: str) -> None:
    """Ours, too, may be anything."""
    model = await model_of()
    assert model.status is not None
    object.__setattr__(model.status, "name", name)

    assert cell_len(parts_of(model)[0]) <= 24 + len("  0 peers")


async def test_unread_lines_are_counted_and_who_waits_is_named() -> None:
    """Of several only how many; ``@`` counts those that name us. Like failures it is never dropped."""
    bob = make_conversation("b0", kind="direct", name="bob" * 9, unread=2)
    one = await model_of(conversations=[bob, make_conversation("#lan")])
    two = await model_of(conversations=[bob, make_conversation("#lan", unread=3)])
    two.talk.mentions["#lan"] = 1

    assert unread_of(await model_of()) == ""
    assert unread_of(one) == "msg 2 (bobbobbobbo…) "
    assert unread_of(two) == "msg 5 @1 "
    row = status_row(["alice  3 peers"], ALARM, safe("x" * 200), 60, unread_of(two))
    assert row.plain.endswith(f"{ALARM}msg 5 @1 ")
    assert row.cell_length == 60


async def test_offers_that_wait_are_counted_and_who_offers_is_named() -> None:
    """Of several only how many; nothing in a name steers the terminal."""
    one = await model_of(offers=[make_offer("a.mkv", peer_name="bob\x1b" * 5)])
    two = await model_of(offers=[make_offer("a.mkv"), make_offer("b.mkv")])

    assert offers_of(await model_of()) == ""
    assert offers_of(one) == "1 offer (bobbobbobbo…) "
    assert offers_of(two) == "2 offers "
