"""The pane of our shares, on the screen of a program that runs on an engine in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from peerterm.api.events import ShareChanged
from tests.fakes.browsable import BrowsableEngine
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, make_share, populated, running, text_of, until, until_shown

if TYPE_CHECKING:
    from pathlib import Path


def rows(program: Program) -> list[str]:
    """Return the lines of the table."""
    return [line for line in text_of(program).split("\n")[3:-2] if line.strip()]


async def test_shares_say_how_far_they_are_indexed() -> None:
    """With sizes, and the heading sums up."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("6")
        await until_shown(pilot, "3 shares, 95,226 files, 572G")

        assert rows(program)[0].endswith("~ indexing 62% 1:15")
        assert rows(program)[1].endswith("! missing")
        assert rows(program)[2].endswith("81,204   412G + ready")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": "indexing", "bytes": 0}, "~ indexing counting"),
        ({"state": "indexing", "bytes": 100, "done_bytes": 99}, "~ indexing 99%"),
        ({"skipped": ["a: unreadable"]}, "+ ready, 1 file left …"),
        ({"state": "failed", "error": "broken"}, "! failed"),
    ],
)
async def test_every_state_has_its_words(fields: dict[str, object], text: str) -> None:
    """A sign and a word."""
    engine = FakeEngine()
    engine.known_shares = [make_share("Music", **fields)]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6")

        await until(pilot, lambda: rows(program) and rows(program)[0].endswith(text))


async def test_path_is_typed_completed_and_shared(tmp_path: Path) -> None:
    """The cursor goes to the new share, whose index can be watched."""
    (tmp_path / "Music").mkdir()
    engine = populated()
    engine.indexing = []
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "a")
        await until_shown(pilot, "Share a file or folder with everyone")
        program.screen.query_one(Input).value = f"{tmp_path}/Mu"
        await pilot.press("tab")
        await until(pilot, lambda: program.screen.query_one(Input).value == f"{tmp_path}/Music/")
        await pilot.press("enter")
        await until_shown(pilot, "Music is shared; it is being indexed")

        assert engine.asked == [("share", f"{tmp_path}/Music", "", "everyone")]
        assert [line for line in rows(program) if line.startswith("> Music")]
        engine.announce(ShareChanged(share=engine.known_shares[-1]))
        await until_shown(pilot, "4 shares")


async def test_path_that_is_wrong_is_refused_before_it_is_asked_for() -> None:
    """And the dialog stays."""
    engine = FakeEngine()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "a", *"gone", "enter")
        await until_shown(pilot, "gone does not exist")

        assert not engine.asked


async def test_unsharing_asks_first() -> None:
    """It names what and how much; the files stay."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "x")
        await until_shown(pilot, "Stop sharing Music?")
        assert "160G are offered no longer." in text_of(program)
        await pilot.press("x", "enter", "n")
        await pilot.pause()
        assert len(engine.known_shares) == 3
        await pilot.press("x", "y")
        await until_shown(pilot, "Music is not shared any more")
        await until_shown(pilot, "2 shares")

        assert "Music" not in "\n".join(rows(program))


async def test_several_are_unshared_together() -> None:
    """Those that are marked; the marks are gone then."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "space", "space", "x")
        await until_shown(pilot, "Stop sharing 2 shares?")
        await pilot.press("y")
        await until_shown(pilot, "2 shares are not shared any more")

        await until(pilot, lambda: len(rows(program)) == 1)


async def test_rescan_is_for_what_is_chosen() -> None:
    """One, or those that are marked."""
    engine = populated()
    engine.indexing = [{"done_bytes": 0}]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "G", "r")

        await until_shown(pilot, "looking for changes")
        assert "Pictures" in rows(program)[2]


async def test_share_is_seen_as_peers_see_it() -> None:
    """Enter browses our own machine."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("6", "G", "enter")

        await until_shown(pilot, "cat.png")


async def test_trouble_and_what_was_left_out_can_be_read() -> None:
    """Reason by reason."""
    engine = BrowsableEngine()
    engine.known_shares = [make_share("Old", state="missing", error="it is not there", skipped=["a: no", "b: no"])]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "i")
        await until_shown(pilot, "trouble     it is not there")

        assert "left out    a: no" in text_of(program)
        assert "left out    b: no" in text_of(program)


async def test_copy_offers_only_what_there_is() -> None:
    """A folder has no flat sum."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("6", "y")
        await until_shown(pilot, "path  /home/alice/Music")
        assert "sha256" not in text_of(program)
        await pilot.press("p")

        await until(pilot, lambda: program.copied == ["/home/alice/Music"])


@pytest.mark.parametrize("key", ["x", "r", "enter", "y", "i"])
async def test_without_a_share_keys_say_so(key: str) -> None:
    """And the pane says which key helps."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await pilot.press("6")
        await until_shown(pilot, "You share nothing; others cannot see any file.")
        assert "a adds a folder or a file." in text_of(program)
        await pilot.press(key)
        await pilot.pause()

        assert text_of(program).split("\n")[-2].strip().startswith("nothing ")
