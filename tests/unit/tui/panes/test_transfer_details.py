"""What the panel below the list says of the transfer under the cursor."""

from __future__ import annotations

import pytest

from peerterm.api.events import TransferChanged
from peerterm.api.views import ChunkMapView
from peerterm.errors import NotFound
from peerterm.tui.panes import transfer_details
from peerterm.tui.panes import transfers as module
from peerterm.tui.panes.transfer_details import TransferDetails
from tests.fakes.fake_engine import make_transfer
from tests.fakes.programs import text_of, until, until_shown
from tests.unit.tui.panes.transfer_screens import LARGE, SMALL, film, line_of, shown, source


async def test_details_show_themselves_only_where_there_is_room() -> None:
    """A key opens and closes them at any size; crossing the size starts anew."""
    async with shown(film()) as (pilot, program, _fake):
        small = text_of(program)
        await pilot.press("v")
        await until_shown(pilot, "v hides")
        opened = text_of(program)
        await pilot.resize_terminal(*LARGE)
        await until_shown(pilot, "v hides")
        await pilot.press("v")
        await until(pilot, lambda: "v hides" not in text_of(program))
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()

        assert "v hides" not in small
        assert "root" in opened
        assert "v hides" not in text_of(program)


async def test_details_follow_the_cursor() -> None:
    """They are about its row, also when that row changes."""
    async with shown(film("one"), film("two", limit=5_000_000), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "─ one ──")
        await pilot.press("j")
        await until_shown(pilot, "─ two ──")
        limited = text_of(program)
        fake._put_transfer(film("two", error="disk is on fire", state="failed", wasted_bytes=9000, priority=7))
        await until_shown(pilot, "trouble disk is on fire")

        assert "limit 5.0M/s" in limited
        assert "9.0K wasted" in text_of(program)
        assert "priority 7" in text_of(program)


async def test_details_of_nothing_are_empty() -> None:
    """Until there is a transfer."""
    async with shown(size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "─ Details ──")
        fake.known_transfers.append(film())
        fake.announce(TransferChanged(transfer=film()))
        await until_shown(pilot, "─ film.mkv ──")
        program.model.forget_transfer("f" * 8)
        program.pane.show(program.model.take_changes())
        await until_shown(pilot, "─ Details ──")


async def test_sources_that_do_not_fit_are_named_or_counted() -> None:
    """Those that give most come first."""
    sources = [source(f"peer{number}", rate=float(number)) for number in range(1, 21)]
    async with shown(film(sources=sources), size=LARGE) as (pilot, program, _fake):
        await until_shown(pilot, "i lists all")

        assert "peer20" in line_of(program, " from  ")
        assert "and peer16, peer15, peer14 and 13 more; i lists all" in text_of(program)


async def test_chunk_map_is_looked_at_once_a_second_and_only_if_something_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often the transfer changes."""
    now = 1000.0
    monkeypatch.setattr(transfer_details, "monotonic", lambda: now)
    monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.5)
    async with shown(film(), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")
        for number in range(1, 9):
            fake._put_transfer(film(bytes=4_200_000 + number))
            await pilot.pause()
        in_between = [each for each in fake.asked if each[0] == "chunk_map"]
        now += 1.0
        await until(pilot, lambda: [each for each in fake.asked if each[0] == "chunk_map"] != in_between)
        fake._put_transfer(film(bytes=4_200_008, rate=1.0))
        now += 1.0
        await until_shown(pilot, "1B/s")
        at_last = [each for each in fake.asked if each[0] == "chunk_map"]

        assert len(in_between) == 1
        assert len(at_last) == 2
        assert "█" in line_of(program, "chunks")


async def test_known_chunk_map_stays_while_none_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause changes nothing about what is held; another transfer has none of its own then."""
    monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.0)
    async with shown(film("one"), film("two", state="queued"), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")

        async def unknown(transfer: str, cells: int) -> ChunkMapView:
            fake.asked.append(("unknown", transfer))
            return ChunkMapView(transfer_id=transfer, chunks=9, held=3, cells=[])

        fake.chunk_map = unknown  # type: ignore[method-assign]
        fake._put_transfer(film("one", state="paused", bytes=5_000_000))
        await until(pilot, lambda: ("unknown", "o" * 8) in fake.asked)
        paused = line_of(program, "chunks")
        await pilot.press("j")
        await until_shown(pilot, "known while it runs")

        assert "██" in paused


async def test_transfer_that_is_gone_has_no_chunk_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list will say so; the details wait for that."""
    async with shown(film("one"), film("two"), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")
        monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.0)

        async def gone(transfer: str, cells: int) -> ChunkMapView:
            fake.asked.append(("gone", transfer, cells))
            raise NotFound("no such transfer")

        fake.chunk_map = gone  # type: ignore[method-assign]
        await pilot.press("j")
        await until(pilot, lambda: any(each[0] == "gone" for each in fake.asked))
        await pilot.pause()

        assert "██" not in line_of(program, "chunks")


async def test_rate_of_the_last_minute_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its least, mean and greatest; it is forgotten when the transfer ends."""
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    async with shown(film(), size=LARGE) as (pilot, program, _fake):
        for rate in (10e6, 30e6, 20e6):
            program.model.apply(TransferChanged(transfer=film(rate=rate)))
            program.pane.show(program.model.take_changes())
            now += 1.0
        await until_shown(pilot, "min 10M  avg 20M  max 30M/s")
        drawn = line_of(program, "min 10M")
        program.model.apply(TransferChanged(transfer=film(state="done")))
        program.pane.show(program.model.take_changes())
        await until(pilot, lambda: "min 10M" not in text_of(program))

        assert "█" in drawn


def test_rates_of_transfers_that_are_gone_are_forgotten() -> None:
    """Also of those that went while the pane was hidden."""

    async def nothing(_transfer: str, _cells: int) -> ChunkMapView:
        raise NotFound("there is none")

    details = TransferDetails(nothing, ascii_only=False)
    for key in ("a", "b"):
        details.note(make_transfer(key, transfer_id=key), 1.0)
    details.keep({"a"})

    assert list(details._histories) == ["a"]
