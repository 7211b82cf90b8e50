"""transfers, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peerterm.api.views import SourceView
from tests.fakes.fake_engine import FakeEngine, make_transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine

ANNA = SourceView(peer_id="b" * 64, name="anna", bytes=1000, rate=5.0)


def test_transfers_are_listed(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Downloads and uploads are in one list."""
    down = make_transfer("x", bytes=500, rate=100.0, eta=5.0, sources=[ANNA])
    fake.known_transfers = [down, make_transfer("to bert", direction="up", bytes=9, total=9, rate=1.0)]

    data, table = run("transfers", "--json"), run("transfers")

    wanted = {"transfer_id", "direction", "name", "state", "bytes", "total", "rate", "eta", "sources", "error"}
    assert wanted <= set(data.json[0])
    assert "50%" in table.out
    assert "100%" not in table.out
    assert [line.split()[1] for line in table.out.splitlines()[1:]] == ["down", "up"]


def test_transfer_that_waits_shows_no_stale_rate(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """It says what it waits for instead."""
    fake.known_transfers = [make_transfer("x", state="waiting", rate=100.0, eta=5.0, sources=[ANNA])]

    shown = run("transfers").out

    assert "resumes when a peer that has it is online" in shown
    assert "/s" not in shown


def test_no_transfers_is_an_empty_list(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A script gets its list, a person what to do next."""
    data, table = run("transfers", "--json"), run("transfers")

    assert (data.json, data.err) == ([], "")
    assert (table.out, table.err) == ("", "no transfers; fetch something: peerterm get REF\n")


def test_cancel_ends_transfers(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A prefix is enough; what was fetched goes only when asked; a wrong id does not keep the others."""
    fake.known_transfers = [make_transfer("x"), make_transfer("y")]
    ids = [view.transfer_id for view in fake.known_transfers]

    plain = run("cancel", ids[0])
    data = run("cancel", "ffff", *ids, "--delete", "--json")

    assert plain.out == "x: cancelled\n"
    assert [view["state"] for view in data.json] == ["cancelled", "cancelled"]
    assert (data.code, "ffff" in data.err) == (4, True)
    assert [asked[2] for asked in fake.asked][:2] == [False, True]
    assert run("cancel", "ffff").code == 4
