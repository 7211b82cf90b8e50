"""transfers, pause, resume, retry, priority, limit, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.views import LimitsView, SourceView
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

    assert "no peer that has it is online; it resumes by itself (or: peerterm cancel" in shown
    assert "/s" not in shown


def test_transfers_say_why_and_how(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The engine's reason comes first; priority and limit are shown of what has not ended, where they differ."""
    fake.known_transfers = [
        make_transfer("a", state="paused", error="no space on /d; free some"),
        make_transfer("b", state="paused"),
        make_transfer("c", state="waiting", error="anna had it; it resumes when she is back"),
        make_transfer("d", state="queued", priority=-7, limit=5000),
    ]
    b = fake.known_transfers[1].transfer_id

    heading, *lines = run("transfers").out.splitlines()
    fake.known_transfers = [make_transfer("d", state="done", bytes=1000, priority=-7, limit=5000)]
    plain = run("transfers").out

    assert "prio  " in heading
    assert "limit  note" in heading
    assert lines[0].endswith("  no space on /d; free some")
    assert lines[1].endswith(f"  to go on: peerterm resume {b}")
    assert lines[2].endswith("  anna had it; it resumes when she is back")
    assert lines[3].endswith("  -7  5.0 kB/s")
    assert "prio" not in plain


def test_no_transfers_is_an_empty_list(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A script gets its list, a person what to do next."""
    data, table = run("transfers", "--json"), run("transfers")

    assert (data.json, data.err) == ([], "")
    assert (table.out, table.err) == ("", "no transfers; fetch something: peerterm get REF\n")


def test_transfers_that_ended_are_cleared(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """``--clear`` says how many were forgotten, and lists the rest."""
    fake.known_transfers = [
        make_transfer("x", state="done"),
        make_transfer("y"),
        make_transfer("z", state="failed"),
    ]

    cleared, again = run("transfers", "--clear", "--json"), run("transfers", "--clear")

    assert [view["name"] for view in cleared.json] == ["y"]
    assert cleared.err == "2 transfers cleared\n"
    assert again.err.startswith("0 transfers cleared")


def test_what_is_partly_on_disk_is_kept_and_said_so(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine forgets none of which something is on disk; of those with nothing there is nothing to say."""

    async def clear(transfer: str) -> int:
        del transfer
        return 0

    monkeypatch.setattr(fake, "clear", clear)
    fake.known_transfers = [
        make_transfer("x", state="failed", bytes=1),
        make_transfer("y", state="cancelled", bytes=0),
        make_transfer("z", bytes=1),
    ]

    done = run("transfers", "--clear")

    assert "1 transfer kept" in done.err
    assert "cancel ID --delete" in done.err


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


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("pause", "running", "paused"),
        ("resume", "paused", "queued"),
        ("retry", "failed", "queued"),
        ("retry", "cancelled", "queued"),
    ],
)
def test_state_is_changed(
    verb: str,
    before: str,
    after: str,
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
) -> None:
    """Several at once; a list is told, whatever their number; one that is refused does not keep the others."""
    fake.known_transfers = [
        make_transfer("x", state=before), make_transfer("y", state="done"), make_transfer("z", state=before),
    ]  # fmt: skip
    x, y, z = [view.transfer_id for view in fake.known_transfers]

    plain = run(verb, x)
    data = run(verb, y, z, "--json")

    assert (plain.code, plain.out) == (0, f"x: {after}\n")
    assert (data.code, [view["state"] for view in data.json]) == (2, [after])
    assert "done" in data.err


def test_all_can_be_paused_and_resumed(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """What has ended, what others fetch here and what is paused already is left alone."""
    states = ["queued", "connecting", "running", "waiting", "verifying", "done", "failed", "cancelled", "paused"]
    fake.known_transfers = [make_transfer(f"x{number}", state=state) for number, state in enumerate(states)]
    fake.known_transfers.append(make_transfer("up", direction="up", transfer_id="up-1"))

    paused = run("pause", "--all", "--json")
    again = run("pause", "--all", "--json")
    resumed = run("resume", "--all")
    none = run("resume", "--all")

    assert (paused.code, [view["name"] for view in paused.json]) == (0, ["x0", "x1", "x2", "x3", "x4"])
    assert (again.code, again.json, again.err) == (0, [], "there is none\n")
    assert resumed.out.splitlines() == [f"x{number}: queued" for number in (0, 1, 2, 3, 4, 8)]
    assert (none.code, none.out, none.err) == (0, "", "there is none\n")


@pytest.mark.parametrize(
    ("where", "told"), [("first", "to the front"), ("up", "up"), ("down", "down"), ("last", "to the end")]
)
def test_move_gives_another_place(
    where: str, told: str, fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """It tells what it did, and to which."""
    fake.known_transfers = [make_transfer("x")]
    (view,) = fake.known_transfers

    plain = run("move", view.transfer_id, where)

    assert (plain.code, plain.out) == (0, f"x: moved {told}\n")
    assert fake.asked == [("move", view.transfer_id, where)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause"],
        ["resume"],
        ["retry"],
        ["pause", "7f3a", "--all"],
        ["priority", "7f3a"],
        ["move", "7f3a"],
        ["move", "7f3a", "away"],
        ["priority", "7f3a", "101"],
        ["priority", "7f3a", "high"],
        ["limit", ""],
        ["limit", "--down", "fast"],
        ["limit", "--up", "-1"],
        ["limit", "--down", "2TiB"],
        ["limit", "7f3a", "--up", "1M"],
    ],
)
def test_what_cannot_be_meant_is_not_asked(
    arguments: list[str], fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """The engine hears nothing of it."""
    done = run(*arguments)

    assert (done.code, done.out, fake.asked) == (2, "", [])


@pytest.mark.parametrize("number", ["10", "-100"])
def test_priority_is_set(number: str, fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A number below zero is no option."""
    fake.known_transfers = [make_transfer("x")]
    ident = fake.known_transfers[0].transfer_id

    plain, data = run("priority", ident, number), run("priority", ident, "0", "--json")

    assert (plain.code, plain.out) == (0, f"x: priority {number}\n")
    assert [view["priority"] for view in data.json] == [0]
    assert run("priority", "ffff", number).code == 4


def test_limits_are_shown_set_and_lifted(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """What is not named stays as it is."""
    at_first = run("limit").out
    both = run("limit", "--down", "10MiB", "--up", "1.5M/s").out
    one = run("limit", "--up", "none", "--json").json
    lifted = run("limit", "--down", "0").out

    assert at_first == lifted == "down  none\nup    none\n"
    assert both == "down  10.5 MB/s\nup    1.5 MB/s\n"
    assert one == {"down": 10 * 2**20, "up": 0, "transfer_id": ""}
    assert fake.limits == LimitsView(down=0, up=0)


def test_one_transfer_can_be_limited(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The options may stand before or behind the id; only what it receives can be limited."""
    fake.known_transfers = [make_transfer("x")]
    ident = fake.known_transfers[0].transfer_id

    done = run("limit", "--down", "500k", ident[:7])
    shown = run("limit", ident, "--json").json

    assert (done.code, done.out) == (0, f"{ident} down  500.0 kB/s\n")
    assert shown == {"down": 500_000, "up": 0, "transfer_id": ident}
    assert fake.known_transfers[0].limit == 500_000
    assert run("limit", "ffff", "--down", "1M").code == 4
