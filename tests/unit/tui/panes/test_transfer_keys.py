"""What the keys of the pane of transfers do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from peerterm.api.events import TransferChanged
from tests.fakes.programs import text_of, until, until_shown
from tests.unit.tui.panes.transfer_screens import LARGE, asked, film, names, shown, source, wishes


async def test_p_pauses_and_lets_go_on() -> None:
    """What is paused already is left alone while something else is not."""
    async with shown(film("one"), film("two", state="paused")) as (pilot, _program, fake):
        await pilot.press("A", "p")
        await asked(pilot, fake, ("pause", "o" * 8))
        await until_shown(pilot, "one: paused")
        await until(pilot, lambda: all(view.state == "paused" for view in fake.known_transfers))
        await pilot.pause(0.3)
        await pilot.press("p")
        await asked(pilot, fake, ("pause", "o" * 8), ("resume", "o" * 8), ("resume", "t" * 8))


async def test_x_cancels_without_a_question_and_r_tries_again() -> None:
    """What has come stays."""
    async with shown(film()) as (pilot, _program, fake):
        await pilot.press("x")
        await until_shown(pilot, "cancelled")
        await pilot.pause(0.3)
        await pilot.press("r")
        await asked(pilot, fake, ("cancel", "f" * 8, False), ("retry", "f" * 8))


async def test_deleting_names_what_goes_and_needs_a_yes() -> None:
    """Neither the key itself nor Enter confirms it."""
    async with shown(film()) as (pilot, program, fake):
        await pilot.press("X")
        await until_shown(pilot, "Cancel and delete film.mkv?")
        question = text_of(program)
        await pilot.press("X", "enter")
        await pilot.press("n")
        await pilot.press("X")
        await until_shown(pilot, "Cancel and delete film.mkv?")
        await pilot.press("y")
        await asked(pilot, fake, ("cancel", "f" * 8, True))

        assert "4.2 MB of 6.0 MB have come and will be deleted." in question


async def test_several_are_named_by_their_number() -> None:
    """A question about marked ones says how many they are; one that is done is left out."""
    async with shown(film("one"), film("two"), film("done", state="done")) as (pilot, program, fake):
        await pilot.press("A", "X")
        await until_shown(pilot, "Cancel and delete 2 transfers?")
        await pilot.press("y")
        await asked(pilot, fake, ("cancel", "o" * 8, True), ("cancel", "t" * 8, True))

        assert program.screen is program.screen_stack[0]


@pytest.mark.parametrize(
    ("key", "fields", "said"),
    [
        ("p", {"state": "done"}, "it has ended"),
        ("x", {"state": "failed"}, "it has ended already"),
        ("X", {"state": "done"}, "it is complete"),
        ("r", {"state": "running"}, "it did not fail"),
        ("J", {"state": "done"}, "has no turn"),
        ("K", {"state": "done"}, "has no turn"),
        ("c", {"state": "running"}, "nothing of it has ended yet"),
        ("p", {"direction": "up", "transfer_id": "up-1"}, "its peer asks for it"),
    ],
)
async def test_verb_without_a_meaning_says_so(key: str, fields: dict[str, Any], said: str) -> None:
    """And asks nothing of the engine."""
    async with shown(film(**fields)) as (pilot, _program, fake):
        await pilot.press(key)
        await until_shown(pilot, said)

        assert wishes(fake) == []


async def test_order_is_changed_and_shown() -> None:
    """The list follows the engine; what is marked keeps its own order."""
    async with shown(film("one"), film("two"), film("tri", transfer_id="3" * 8)) as (pilot, program, fake):
        await pilot.press("space", "space")
        fake.known_transfers = [fake.known_transfers[2], *fake.known_transfers[:2]]  # as it will be
        await pilot.press("J")
        await asked(pilot, fake, ("move", "t" * 8, "down"), ("move", "o" * 8, "down"))
        await until(pilot, lambda: names(program, "one", "two", "tri")[:3] == ["tri", "one", "two"])
        await pilot.press("K")
        await asked(pilot, fake, *wishes(fake)[:2], ("move", "o" * 8, "up"), ("move", "t" * 8, "up"))


async def test_refusal_is_told_after_all_were_asked() -> None:
    """One that is gone does not keep the others."""
    async with shown(film("one"), film("two")) as (pilot, _program, fake):
        fake.known_transfers = fake.known_transfers[1:]
        await pilot.press("A", "x")
        await until_shown(pilot, "there is none")
        await asked(pilot, fake, ("cancel", "o" * 8, False), ("cancel", "t" * 8, False))


async def test_engine_that_is_gone_is_told() -> None:
    """No key crashes the program."""
    async with shown(film()) as (pilot, program, fake):
        await fake.stop()
        await until(pilot, lambda: not program.attachment.is_attached)
        for key in ("p", "x", "J", "v"):
            await pilot.press(key)
            await until_shown(pilot, "the engine is gone")


async def test_what_ended_is_cleared() -> None:
    """All of it, without a question if nothing is lost by that; uploads are only taken off the list."""
    upload = film("upload", direction="up", transfer_id="up-1", state="done")
    async with shown(film("one"), film("two", state="done"), upload) as (pilot, program, fake):
        await pilot.press("c")
        await asked(pilot, fake, ("clear", "t" * 8))
        await until_shown(pilot, "2 transfers: off the list")

        assert names(program, "one", "two", "upload") == ["one"]
        assert list(program.model.transfers) == ["o" * 8]


async def test_what_is_half_on_disk_is_not_cleared() -> None:
    """It is said what can be done with it; what is complete goes, only what is marked if there are marks."""
    one, two, six = film("one", state="failed"), film("two", state="done"), film("six", state="done")
    async with shown(one, two, six) as (pilot, _program, fake):
        await pilot.press("G", "space", "c")
        await until_shown(pilot, "one: stays; r goes on with what has come, X deletes it")
        assert wishes(fake) == []
        await pilot.press("escape", "c")
        await asked(pilot, fake, ("clear", "t" * 8), ("clear", "s" * 8))
        await until_shown(pilot, "1 transfer: 1 failed")


async def test_link_root_path_and_name_can_be_copied() -> None:
    """What is not known is not offered."""
    async with shown(film(path="/d/film.mkv", root="ab" * 32)) as (pilot, program, _fake):
        for key in "lrpn":
            await pilot.press("y")
            await until_shown(pilot, "Copy")
            await pilot.press(key)
            await pilot.pause()

        link = f"peerterm:{'ab' * 32}?name=film.mkv&size=6000000"
        assert program.copied == [link, "ab" * 32, "/d/film.mkv", "film.mkv"]


@pytest.mark.parametrize("key", ["i", "enter"])
async def test_info_says_all(key: str) -> None:
    """With every source."""
    view = film("album", kind="folder", files=9, done_files=3, error="trouble", local_bytes=7, limit=1000)
    view = replace(view, sources=[source("bob", strikes=2), source("\x1b[31mevil", state="gone", rate=0.0)])
    async with shown(view, size=LARGE) as (pilot, program, _fake):
        await pilot.press(key)
        await until_shown(pilot, "Esc close")
        screen = text_of(program)

        for said in (
            "4.2 MB of 6.0 MB (70%)",
            "3 of 9",
            "1.0 kB/s",
            "7 bytes copied",
            "2 strikes",
            "[31mevil: gone",
        ):
            assert said in screen
        assert "\x1b" not in screen


async def test_upload_has_its_own_facts() -> None:
    """What it sent, to whom; no limit can be set for it alone."""
    async with shown(film("up", direction="up", transfer_id="up-1"), size=LARGE) as (pilot, program, _fake):
        await until_shown(pilot, "to peer")
        at_cursor = program.pane.transfer_at_cursor()
        await pilot.press("i")
        await until_shown(pilot, "sent")

        assert at_cursor is None
        assert "priority" not in text_of(program)


async def test_limit_is_set_for_the_transfer_under_the_cursor() -> None:
    """The dialog is the program's; the pane says what it is about."""
    async with shown(film()) as (pilot, program, _fake):
        view = program.pane.transfer_at_cursor()
        await pilot.press("b")
        await until_shown(pilot, "only film.mkv")

        assert view == film()


async def test_filter_looks_at_names_peers_and_states() -> None:
    """Words in any order."""
    async with shown(film("one"), film("two", state="paused", sources=[source("carol")])) as (
        pilot,
        program,
        _fake,
    ):
        await pilot.press("slash", *"carol paus")
        await until(pilot, lambda: names(program, "one", "two")[:2] == ["two"])


async def test_order_is_kept_while_another_pane_is_shown() -> None:
    """What was moved stands where the engine has it, whenever the user comes back."""
    async with shown(film("one"), film("two")) as (pilot, program, fake):
        fake.known_transfers = fake.known_transfers[::-1]  # as it will be
        await pilot.press("J")
        await until(pilot, lambda: names(program, "one", "two")[:2] == ["two", "one"])
        await pilot.press("1", "4")
        await until_shown(pilot, "two")

        assert names(program, "one", "two")[:2] == ["two", "one"]


async def test_what_ended_stands_by_its_end_after_another_pane() -> None:
    """The latest first, whatever began first."""
    first, second = film("abc"), film("xyz")
    async with shown(first, second) as (pilot, program, fake):
        for view in (second, first):
            fake.announce(TransferChanged(transfer=replace(view, state="done")))
            await until_shown(pilot, f"{view.name} is here")
        await pilot.press("1", "4")
        await until_shown(pilot, "2 done")

        assert names(program, "abc", "xyz")[:2] == ["abc", "xyz"]


@pytest.mark.parametrize(("key", "where", "order"), [("<", "first", "to"), (">", "last", "ot")])
async def test_turn_comes_first_or_last(key: str, where: str, order: str) -> None:
    """What is marked keeps its own order."""
    async with shown(film("one"), film("two")) as (pilot, _program, fake):
        await pilot.press("A", key)
        await until_shown(pilot, f"2 transfers: its turn comes {where}")

        assert wishes(fake) == [("move", letter * 8, where) for letter in order]


async def test_priority_is_raised_and_lowered() -> None:
    """By one, from where each is; what the engine refuses is told."""
    async with shown(film("one", priority=2), film("two", priority=100)) as (pilot, _program, fake):
        await pilot.press("G", "+")
        await until_shown(pilot, "one: priority 3")
        await pilot.press("-", "-")
        await until_shown(pilot, "one: priority 1")
        await pilot.press("g", "+")
        await until_shown(pilot, "cannot have priority 101")

        assert wishes(fake)[0] == ("prioritise", "o" * 8, 3)
