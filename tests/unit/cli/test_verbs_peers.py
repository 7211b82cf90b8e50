"""peers, browse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.views import EntryView
from peerterm.cli import verbs_peers
from tests.fakes.fake_engine import FakeEngine, make_peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine


def test_peers_have_the_fields_of_the_contract(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """JSON carries names raw but ASCII-escaped; people see them clean."""
    fake.known_peers.append(make_peer("anna\x1b[2J\u202e"))

    data, table = run("peers", "--json"), run("peers")

    assert {"peer_id", "name", "address", "state", "trust", "shares", "bytes"} <= set(data.json[0])
    assert data.json[0]["name"] == "anna\x1b[2J\u202e"
    assert data.out.isascii()
    assert "anna[2J" in table.out
    assert "\x1b" not in table.out


def test_nobody_is_told_on_stderr(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """An empty list is data, the advice is talk."""
    done = run("peers")

    assert (done.code, done.out) == (0, "")
    assert "nobody else" in done.err


def test_wait_returns_once_enough_are_online(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who leave meanwhile do not count."""
    anna = make_peer("anna")
    fake.known_peers = [anna, make_peer("old", state="offline")]
    events = fake.events

    async def busy() -> Any:
        async for event in events():
            yield event
            if event.event == "snapshot":
                fake.peer_left(anna)
                fake.peer_joined(make_peer("bert"))
                fake.peer_joined(make_peer("carl"))

    monkeypatch.setattr(fake, "events", busy)
    done = run("peers", "--wait", "2", "--timeout", "10", "--json")

    assert done.code == 0
    assert [peer["name"] for peer in done.json if peer["state"] == "online"] == ["bert", "carl"]


def test_wait_that_is_in_vain_ends_with_4(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The message says how many came."""
    fake.known_peers.append(make_peer("anna"))

    done = run("peers", "--wait", "2", "--timeout", "0.05")

    assert (done.code, done.out) == (4, "")
    assert "1 of 2 peers" in done.err


def test_wait_ends_with_the_engine(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait for peers of an engine that ended is over."""

    async def ended() -> Any:
        if False:
            yield

    monkeypatch.setattr(fake, "events", ended)

    assert run("peers", "--wait", "1").code == 3


def entries(count: int) -> list[EntryView]:
    """Return files of a folder."""
    return [EntryView(name=f"{n}", kind="file", size=n, root="ab" * 32, mtime=1.0) for n in range(count)]


def test_browse_reads_all_pages(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A folder is one list, however it travelled."""
    fake.entries = entries(5)
    fake.known_peers.append(make_peer("anna"))

    done = run("browse", "anna", "Videos", "--json")

    assert [entry["name"] for entry in done.json] == ["0", "1", "2", "3", "4"]
    assert {"name", "kind", "size", "root", "mtime"} <= set(done.json[0])


@pytest.mark.parametrize("words", [["anna", "Videos/2024"], ["anna/Videos/2024/"], ["anna/Videos", "2024"]])
def test_place_may_follow_the_peer(
    words: list[str], fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """A place is written as ``get`` takes it, or as two words."""
    fake.known_peers.append(make_peer("anna"))

    done = run("browse", *words)

    assert (done.code, done.out, done.err) == (0, "", "anna/Videos/2024 is empty\n")


def test_browse_marks_folders(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """As ``ls -p`` does."""
    fake.entries = [EntryView(name="[b]sub\n", kind="folder", size=3, root="", mtime=1.0)]

    assert "[b]sub /" in run("browse", "fake").out


def test_endless_listing_is_cut(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer cannot fill this machine's memory with names."""
    monkeypatch.setattr(verbs_peers, "MAX_BROWSE_ENTRIES", 4)
    fake.entries = entries(9)

    done = run("browse", "fake", "--json")

    assert len(done.json) == 4
    assert "only the first 4" in done.err


def test_browse_of_nobody_ends_with_4(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Nothing is printed."""
    done = run("browse", "nobody")

    assert (done.code, done.out) == (4, "")
