"""search, get."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import Snapshot, SourceDropped, TransferChanged
from peerterm.api.views import HolderView, SearchQuery, SourceView
from peerterm.cli import progress
from tests.fakes.fake_engine import FakeEngine, make_hit, make_transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.serving import ServedEngine

ANNA = SourceView(peer_id="b" * 64, name="anna\x1b[2J", bytes=1000, rate=5.0)


def finished(name: str, **fields: Any) -> list[Any]:
    """Return the states of a download that ends well, unless fields say otherwise."""
    first = make_transfer(name, state="connecting")
    half = replace(first, state="running", bytes=500, rate=100.0, eta=5.0, sources=[ANNA])
    done: dict[str, Any] = {"state": "done", "bytes": 1000, "seconds": 2.0, "path": f"/d/{name}"} | fields
    return [first, half, replace(half, **done)]


def test_search_lists_contents_with_their_holders(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """A further holder replaces the earlier line of the same content."""
    hit = make_hit("x.mkv", peers=[HolderView(peer_id="b" * 64, name="anna")])
    fake.hits = [hit, make_hit("y"), replace(hit, peers=[*hit.peers, HolderView(peer_id="c" * 64, name="bert")])]

    data, table = run("search", "big", "film", "--json"), run("search", "film")

    assert data.code == 0
    assert [found["name"] for found in data.json] == ["x.mkv", "y"]
    assert {"name", "path", "kind", "size", "root", "sha256", "peers"} <= set(data.json[0])
    assert [peer["name"] for peer in data.json[0]["peers"]] == ["anna", "bert"]
    assert f"{hit.root[:8]}  x.mkv  2.0 kB  anna, bert  Videos\n" in table.out


def test_search_passes_what_was_asked(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Sizes are read here, words are joined."""
    run("search", "a", "b", "--type", "video", "--min-size", "10M", "--max-size", "4GiB", "--timeout", "1.5")

    query = SearchQuery(text="a b", kind="video", min_size=10**7, max_size=2**32, timeout=1.5)
    assert fake.asked == [("search", query)]


def test_search_without_a_hit_ends_with_4(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A script still gets its list."""
    done = run("search", "x", "--json")

    assert (done.code, done.json) == (4, [])


@pytest.mark.parametrize("is_cut", [True, False])
def test_search_that_was_cut_says_so(
    is_cut: bool, fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """The last hit comes again and bears it; a script reads it there, a person on stderr."""
    hits = [make_hit(name) for name in "abc"]
    fake.hits = [*hits, replace(hits[-1], more=is_cut)]

    done = run("search", "x", "--json")

    assert [hit["more"] for hit in done.json] == [False, False, is_cut]
    assert ("only 3 are listed" in done.err) is is_cut


@pytest.mark.parametrize("arguments", [["x", "--type", "smell"], ["x", "--min-size", "big"], []])
def test_search_that_cannot_be_meant_ends_with_2(
    arguments: list[str], serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Nothing is asked of anybody."""
    assert run("search", *arguments).code == 2


def test_get_waits_and_prints_one_object(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One reference gives one object; the folder is the caller's."""
    monkeypatch.chdir(tmp_path)
    fake.progress["abc"] = finished("x")

    done = run("get", "abc", "-o", "sub", "--json")

    assert done.code == 0
    assert {"transfer_id", "state", "path", "bytes", "seconds", "root", "sources"} <= set(done.json)
    assert (done.json["state"], done.json["path"]) == ("done", "/d/x")
    assert {"peer_id", "name", "bytes"} <= set(done.json["sources"][0])
    assert fake.asked == [("get", "abc", str(tmp_path / "sub"), None)]


def test_get_shows_progress_and_a_summary(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rate, time left and sources while it runs; then from whom, and on stdout nothing but where it is."""
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    fake.progress["abc"] = finished("x")

    done = run("get", "abc")

    assert "x: 50% of 1.0 kB, 100 bytes/s, 5.0 s left, 1 source\n" in done.err
    assert "x: 1.0 kB in 2.0 s, 500 bytes/s, from anna[2J 1.0 kB\n" in done.err
    assert done.out == "/d/x\n"


def test_get_names_a_source_that_was_dropped(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose bytes were bad is news; what happens to other transfers is not."""
    view = finished("x")[-1]
    fake.progress["abc"] = finished("x")[:1]
    events = fake.events

    def dropped(transfer: str, name: str) -> SourceDropped:
        return SourceDropped(transfer_id=transfer, peer_id="e" * 64, name=name, reason="3 bad chunks", strikes=3)

    async def happening() -> Any:
        async for event in events():
            yield event
            yield dropped("other", "carl")
            yield dropped(view.transfer_id, "eve")
            yield TransferChanged(transfer=view)

    monkeypatch.setattr(fake, "events", happening)
    done = run("get", "abc")

    assert "x: eve is not used any more: 3 bad chunks\n" in done.err
    assert "carl" not in done.err


def test_get_of_several_prints_a_list(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """One that cannot be had does not keep the others."""
    fake.progress |= {"abc": finished("x"), "def": finished("y")}

    done = run("get", "abc", "nothing", "def", "--json")

    assert done.code == 4
    assert [view["path"] for view in done.json] == ["/d/x", "/d/y"]
    assert "nothing" in done.err


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"state": "failed", "error_code": "integrity", "error": "bytes differ"}, 5, "x: bytes differ"),
        ({"state": "failed", "error_code": "disk_full", "error": "no space"}, 6, "x: no space"),
        ({"state": "failed", "error_code": "?", "error": "odd"}, 1, "x: odd"),
        ({"state": "cancelled"}, 1, "was cancelled"),
    ],
)
def test_get_that_fails_says_why(
    fields: dict[str, str],
    code: int,
    told: str,
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
) -> None:
    """The exit code is that of the error; JSON has the transfer all the same."""
    fake.progress["abc"] = finished("x", **fields)

    done = run("get", "abc", "--json")

    assert done.code == code
    assert done.json["state"] == fields["state"]
    assert told in done.err


def test_get_can_be_detached(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The transfer is named, and goes on."""
    fake.progress["abc"] = [make_transfer("x", state="queued")]

    done = run("get", "abc", "--detach")

    assert (done.code, done.out) == (0, f"{make_transfer('x').transfer_id}\n")
    assert "peerterm cancel" in done.err


def test_get_chooses_files(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Patterns reach the engine as they are, which knows the folder."""
    fake.progress["abc"] = finished("x")

    done = run("get", "abc", "--only", "*.mkv", "--only", "/trailers/")

    assert done.code == 0
    assert fake.asked == [("get", "abc", "", ["*.mkv", "/trailers/"])]


def test_get_tells_what_was_refused_before_it_waits(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """A wrong reference is told at once; the first failure gives the exit code, and none is kept back."""
    fake.progress["abc"] = finished("x", state="failed", error_code="integrity", error="bytes differ")

    done = run("get", "nothing", "abc")

    assert done.code == 4
    assert done.err.index("nothing") < done.err.index("bytes differ")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"state": "paused", "error_code": "disk_full", "error": "no space on /d"}, 6),
        ({"state": "waiting", "error_code": "disk_full", "error": "no space on /d"}, 6),
        ({"state": "waiting", "error_code": "peer_unavailable", "error": "anna had it"}, 0),
    ],
)
def test_detached_get_tells_of_a_full_disk(
    fields: dict[str, str], code: int, fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Nobody watches it, and it needs somebody to make room; a peer comes back by itself."""
    fake.progress["abc"] = [make_transfer("x", **fields)]

    done = run("get", "abc", "--detach", "--json")

    assert (done.code, done.json["state"]) == (code, fields["state"])
    assert ("no space on /d" in done.err) == (code == 6)


def test_get_follows_a_new_snapshot(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that fell behind learns the end from the snapshot."""
    view = finished("x")[-1]
    fake.progress["abc"] = finished("x")[:1]
    events = fake.events

    async def behind() -> Any:
        async for event in events():
            assert isinstance(event, Snapshot)
            yield event
            yield replace(event, transfers=[view, make_transfer("other")])

    monkeypatch.setattr(fake, "events", behind)

    assert run("get", "abc", "--json").json["state"] == "done"


def test_get_ends_with_the_engine(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens next is told."""

    async def ended() -> Any:
        if False:
            yield

    monkeypatch.setattr(fake, "events", ended)
    fake.progress["abc"] = finished("x")[:1]
    done = run("get", "abc")

    assert done.code == 3
    assert "next start" in done.err
