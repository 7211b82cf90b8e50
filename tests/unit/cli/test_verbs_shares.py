"""share, shares, unshare, rescan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.serving import ServedEngine

FIELDS = {"share_id", "name", "path", "root", "files", "bytes", "visibility", "state", "sha256"}


def test_share_waits_for_the_index(
    serving: ServedEngine, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has each share as it ended; relative paths are the caller's."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("")
    monkeypatch.chdir(tmp_path)

    done = run("share", "a", "./b", "--json")

    assert done.code == 0
    assert [(share["path"], share["state"]) for share in done.json] == [
        (str(tmp_path / "a"), "ready"),
        (str(tmp_path / "b"), "ready"),
    ]
    assert set(done.json[0]) >= FIELDS


def test_share_tells_people_who_may_have_it(serving: ServedEngine, run: Callable[..., Any], tmp_path: Path) -> None:
    """The default is said aloud, on stderr."""
    done = run("share", str(tmp_path), "--name", "stuff")

    assert "stuff" in done.out
    assert "everyone on this network" in done.err


def test_share_reports_what_went_wrong(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """What was left out is told, what failed gives the exit code."""
    fake.indexing = [{"state": "failed", "error": "disk gone", "skipped": ["a: is a link"]}]

    done = run("share", str(tmp_path), "--quiet"), run("share", str(tmp_path))

    assert [x.code for x in done] == [6, 6]
    assert "disk gone" in done[0].err
    assert "left out: a: is a link" not in done[0].err
    assert "left out: a: is a link" in done[1].err


def test_share_says_how_much_was_left_out(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """A few are named, the others counted, those that the engine did not name included."""
    lines = [f"{n}: is a link" for n in range(8)]
    fake.indexing = [{"state": "ready", "skipped": lines}]
    few = run("share", str(tmp_path))
    fake.indexing = [{"state": "ready", "skipped": [*lines, "and 40 more"]}]
    many = run("rescan")

    assert (few.code, many.code) == (0, 0)
    assert "left out: 4: is a link\n" in few.err
    assert "left out: 3 more (to see why: peerterm shares --json)" in few.err
    assert "left out: 43 more (to see why: peerterm shares --json)" in many.err


def test_one_path_that_cannot_be_shared_does_not_keep_the_others(
    serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """What is offered from now on is listed and said aloud; the exit code is that of the refusal."""
    done = run("share", str(tmp_path), "/absent", "--json")

    assert (done.code, [view["path"] for view in done.json]) == (2, [str(tmp_path)])
    assert "everyone on this network" in done.err
    assert "/absent" in done.err


def test_share_that_ends_meanwhile_is_told(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Somebody else may unshare it, or stop the engine."""
    fake.indexing = []

    async def gone(view: Any) -> None:
        await fake.unshare(view.share_id)

    index = fake._index
    fake._index = lambda view: (fake.start(gone(view)), index(view))[1]  # type: ignore[method-assign, func-returns-value]
    removed = run("share", str(tmp_path))

    async def stop() -> None:
        await fake.stop()

    fake._index = lambda view: (fake.start(stop()), index(view))[1]  # type: ignore[method-assign, func-returns-value]
    ended = run("share", str(tmp_path))

    assert (removed.code, ended.code) == (4, 3)


def test_interrupt_leaves_the_indexing_running(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], tmp_path: Path, interrupt_at_progress: None
) -> None:
    """Ctrl+C ends the wait and says what goes on."""
    fake.indexing = [{"done_bytes": 1}]

    done = run("share", str(tmp_path))

    assert done.code == 130
    assert "indexing goes on" in done.err
    assert fake.known_shares[0].state == "indexing"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["share", "/absent"], 2),
        (["share", "", "--json"], 2),
        (["share", "/", "--to", "known"], 2),
        (["share", "/a", "/b", "--name", "x"], 2),
        (["unshare", "nothing"], 4),
        (["rescan", "./nothing"], 4),
    ],
)
def test_what_cannot_be_shared_is_an_error(
    arguments: list[str], code: int, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Each has its exit code."""
    assert run(*arguments).code == code


def test_shares_can_be_listed_rescanned_and_ended(
    serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """All print the same list; a share is named by path, name or id."""
    (tmp_path / "a").mkdir()
    run("share", str(tmp_path / "a"))

    listed, table = run("shares", "--json"), run("shares")
    again = run("rescan", "--json"), run("rescan", "a")
    gone = run("unshare", str(tmp_path / "a" / ".." / "a"), "--json")
    none = run("shares")

    assert [set(x.json[0]) >= FIELDS for x in (listed, again[0], gone)] == [True] * 3
    assert "ready" in table.out
    assert again[1].code == 0
    assert (none.out, none.err) == ("", "nothing is shared; offer a folder: peerterm share PATH\n")


def test_unshare_says_what_it_did(serving: ServedEngine, run: Callable[..., Any], tmp_path: Path) -> None:
    """The name is shown clean."""
    run("share", str(tmp_path), "--name", "evil\x1b[2J")

    assert run("unshare", "00000001").out == "evil[2J is offered no longer\n"
