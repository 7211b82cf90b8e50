"""send, inbox, accept, decline, withdraw."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import Notice
from peerterm.api.views import OfferView
from tests.fakes.engines import PATIENCE
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from peerterm.api.events import Event
    from tests.fakes.serving import ServedEngine

FIELDS = {"offer_id", "peer", "name", "files", "bytes", "state"}


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "note.txt"
    path.write_text("hello")
    return path


# send


def test_send_offers_to_each_peer(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], note: Path
) -> None:
    """Paths are the caller's; commas stand between the peers."""
    fake.known_peers = [make_peer("anna"), make_peer("ben", state="offline")]

    done = run("send", "anna, ben", "note.txt", ".", "--json")

    assert done.code == 0
    assert fake.asked == [("send", ["anna", "ben"], [str(note), str(note.parent)])]
    assert [(x["peer_name"], x["direction"], x["state"]) for x in done.json] == [
        ("anna", "out", "offered"),
        ("ben", "out", "queued"),
    ]
    assert set(done.json[0]) >= FIELDS
    assert done.json[0]["peer"] == fake.known_peers[0].peer_id
    assert "ben is not here; it hears of this as soon as it is (to take it back: peerterm withdraw" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nobody", "note.txt"), 4, "nobody"),
        (("anna", "missing"), 2, "check the spelling"),
        (("anna", ""), 2, "an empty path"),
    ],
)
def test_send_says_what_cannot_be(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    note: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    """With the exit code of what is wrong."""
    fake.known_peers = [make_peer("anna")]

    done = run("send", *arguments)

    assert done.code == code
    assert message in done.err


def test_send_waits_for_the_answer(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], note: Path
) -> None:
    """Until it has landed."""
    fake.known_peers = [make_peer("anna")]
    fake.answers = [{"state": "accepted"}, {"state": "landed"}]

    done = run("send", "anna", "note.txt", "--wait")

    assert done.code == 0
    assert "landed" in done.out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"state": "declined"}, "anna declined it"),
        ({"state": "withdrawn"}, "it was withdrawn"),
    ],
)
def test_send_fails_if_nobody_wants_it(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    note: Path,
    answer: dict[str, str],
    message: str,
) -> None:
    """And says who."""
    fake.known_peers = [make_peer("anna")]
    fake.answers = [answer]

    done = run("send", "anna", "note.txt", "--wait")

    assert done.code == 4
    assert message in done.err


@pytest.mark.usefixtures("interrupt_at_progress")
def test_interrupted_send_ends(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    note: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While files are read: the engine gives up, too."""
    fake.known_peers = [make_peer("anna")]
    given_up = threading.Event()
    at_once = FakeEngine.send

    async def slowly(engine: FakeEngine, peers: list[str], paths: list[str]) -> list[OfferView]:
        try:
            while True:
                await at_once(engine, [], paths)
                await asyncio.sleep(0.01)
        finally:
            given_up.set()

    monkeypatch.setattr(FakeEngine, "send", slowly)

    done = run("send", "anna", "note.txt")

    assert done.code == 130
    assert given_up.wait(PATIENCE)


def test_interrupted_wait_leaves_the_offer(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    note: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And says where to look."""
    import peerterm.cli.verbs_offers as module

    fake.known_peers = [make_peer("anna")]
    unchanged = module._wait_for

    async def interrupted(*arguments: Any) -> list[OfferView]:
        task = asyncio.create_task(unchanged(*arguments))
        await asyncio.sleep(0.05)
        task.cancel()
        return await task

    monkeypatch.setattr(module, "_wait_for", interrupted)
    with pytest.raises(asyncio.CancelledError):
        run("send", "anna", "note.txt", "--wait")

    assert [view.state for view in fake.known_offers] == ["offered"]


# inbox


def test_inbox_lists_what_is_open(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Of others; with --all everything, and which way it goes."""
    fake.known_offers = [
        make_offer("old.txt", state="landed"),
        make_offer("film.mkv", "note.txt"),
        make_offer("coming", state="accepted"),
        make_offer("mine", direction="out"),
        make_offer("broken", state="failed", error="disk full (to try again: peerterm retry 1)"),
    ]

    some, every, table, words = (
        run("inbox", "--json"),
        run("inbox", "--all", "--json"),
        run("inbox"),
        run("inbox", "--all"),
    )

    assert [x["name"] for x in some.json] == ["film.mkv and 1 more", "coming", "broken"]
    assert len(every.json) == 5
    assert set(some.json[0]) >= FIELDS
    assert "film.mkv and 1 more" in table.out
    assert "peerterm retry 1" in table.out
    assert "old.txt" not in table.out
    assert " out " in words.out


def test_empty_inbox_says_so(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """And what to do."""
    assert "peerterm inbox --all" in run("inbox").err + run("inbox").out


def test_inbox_shows_the_items_of_an_offer(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """By their numbers, and why it failed."""
    view = make_offer("a.txt", "b", offer_id="ab" * 8, state="withdrawn", error="ben withdrew it")
    fake.known_offers = [replace(view, items=[view.items[0], replace(view.items[1], kind="folder", files=7)])]

    table, plain = run("inbox", "AB"), run("inbox", "abab", "--json")

    assert [line.split()[:3] for line in table.out.splitlines()[1:]] == [["1", "a.txt", "1"], ["2", "b/", "7"]]
    assert "ben withdrew it" in table.err
    assert plain.json["offer_id"] == "ab" * 8


def test_inbox_needs_one_offer(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Not none, not several."""
    fake.known_offers = [make_offer("a", offer_id="ab" * 8), make_offer("b", offer_id="ac" * 8)]

    assert run("inbox", "f").code == 4
    assert run("inbox", "a").code == 2


# accept


def test_accept_takes_all_or_some(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Into a folder of the caller, or the configured one."""
    monkeypatch.chdir(tmp_path)
    fake.known_offers = [make_offer("a", "b", "c", offer_id="ab" * 8), make_offer("d", offer_id="cd" * 8)]

    some, every = run("accept", "ab", "--items", "1, 3", "-o", "out", "--json"), run("accept", "cd")

    assert (some.code, every.code) == (0, 0)
    assert fake.asked == [("accept", "ab", str(tmp_path / "out"), [1, 3]), ("accept", "cd", "", None)]
    assert (some.json["state"], some.json["transfer_ids"]) == ("accepted", ["00000001", "00000003"])
    assert "peerterm transfers" in every.err


@pytest.mark.parametrize("items", ["x", "1,,2", "-1", "1.5", ",", "1234"])
def test_accept_refuses_what_is_no_number(serving: ServedEngine, run: Callable[..., Any], items: str) -> None:
    """Before the engine is asked."""
    done = run("accept", "ab", f"--items={items}")

    assert done.code == 2
    assert "--items 1,3" in done.err


def test_accept_waits_until_it_is_here(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """As ``get`` does."""
    fake.known_offers = [make_offer("a", offer_id="ab" * 8)]
    fake.known_transfers = [make_transfer("a", transfer_id="00000001", state="done")]
    fake.answers = [{"state": "landed"}]

    done = run("accept", "ab", "--wait", "--json")

    assert done.code == 0
    assert done.json["state"] == "landed"


def test_accept_ends_with_the_error_of_its_download(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """What failed gives the exit code."""
    fake.known_offers = [make_offer("a", offer_id="ab" * 8)]
    fake.known_transfers = [
        make_transfer("a", transfer_id="00000001", state="failed", error="disk full", error_code="disk_full")
    ]
    fake.answers = [{"state": "failed", "error": "a: disk full"}]

    done = run("accept", "ab", "--wait")

    assert done.code == 6
    assert "disk full" in done.err


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ({"state": "withdrawn", "error": "ben withdrew it"}, 4, "ben withdrew it"),
        ({"state": "declined"}, 1, "given up here"),
        ({"state": "failed", "error": "it cannot be"}, 1, "it cannot be"),
    ],
)
def test_accept_says_how_it_ended(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    answer: dict[str, str],
    code: int,
    message: str,
) -> None:
    """Whoever ended it."""
    fake.known_offers = [make_offer("a", offer_id="ab" * 8)]
    fake.answers = [answer]

    done = run("accept", "ab", "--wait")

    assert done.code == code
    assert message in done.err


# decline, withdraw


def test_offers_are_declined_and_withdrawn(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Several at once; what cannot be is said for each."""
    fake.known_offers = [
        make_offer("a", offer_id="aa" * 8),
        make_offer("b", offer_id="bb" * 8),
        make_offer("mine", offer_id="cc" * 8, direction="out"),
    ]

    declined, withdrawn, again = (
        run("decline", "aa", "bb", "--json"),
        run("withdraw", "cc"),
        run("decline", "aa", "f"),
    )

    assert [x["state"] for x in declined.json] == ["declined", "declined"]
    assert withdrawn.out == "mine: withdrawn\n"
    assert again.code == 2
    assert "declined already" in again.err
    assert "there is none" in again.err


def test_wait_ends_with_the_engine(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    note: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The offer stands, and that is said."""
    fake.known_peers = [make_peer("anna")]

    async def events(engine: FakeEngine) -> AsyncIterator[Event]:
        yield Notice(level="info", text="nothing of interest")

    monkeypatch.setattr(FakeEngine, "events", events)

    done = run("send", "anna", "note.txt", "--wait")

    assert done.code == 3
    assert "the offer stands" in done.err
