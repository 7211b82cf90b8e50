"""The life of a transfer, wish by wish and event by event."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from peerterm.api.views import TransferState
from peerterm.core.life import TABLE, Event, Life, PauseReason, State, state_diagram
from peerterm.errors import UsageError

OVER = {State.DONE, State.FAILED, State.CANCELLED}


def lived(*events: Event) -> Life:
    life = Life()
    for event in events:
        life.take(event)
    return life


def test_states_are_those_that_clients_know() -> None:
    """The contract with clients and the machine name the same states."""
    assert tuple(State) == get_args(TransferState)
    assert set(TABLE) == set(State)


def test_life_without_trouble_ends_done() -> None:
    """Queued, connecting, running, verifying, done."""
    life = Life()
    events = [Event.ADMITTED, Event.SOURCE_FOUND, Event.FETCHED, Event.LANDED]

    assert [life.take(event) for event in events] == ["connecting", "running", "verifying", "done"]
    assert life.is_over


def test_transfer_without_sources_gives_its_place_back() -> None:
    """It waits without a slot, and queues again once a source is back."""
    life = lived(Event.ADMITTED, Event.SOURCE_FOUND, Event.SOURCES_GONE)

    assert (life.state, life.holds_slot) == (State.WAITING, False)
    assert life.take(Event.SOURCE_FOUND) == State.QUEUED
    assert life.take(Event.ADMITTED) == State.CONNECTING
    assert life.holds_slot


def test_only_work_holds_a_slot() -> None:
    """Connecting, running and verifying count against the limit."""
    assert {state for state in State if Life(state).holds_slot} == {"connecting", "running", "verifying"}
    assert {state for state in State if Life(state).is_over} == OVER


def test_room_on_the_disk_resumes_what_the_disk_paused() -> None:
    """A full disk pauses by itself and goes on by itself."""
    life = lived(Event.ADMITTED, Event.SOURCE_FOUND, Event.DISK_FULL)

    assert (life.state, life.pause_reason) == (State.PAUSED, PauseReason.DISK)
    assert life.take(Event.DISK_FREE) == State.QUEUED
    assert life.pause_reason is None


@pytest.mark.parametrize("before", [(), (Event.DISK_FULL,)])
def test_room_on_the_disk_does_not_resume_what_the_user_paused(before: tuple[Event, ...]) -> None:
    """The user's pause stays, even if the disk had paused it first."""
    life = lived(Event.ADMITTED, *before, Event.PAUSED)

    assert life.pause_reason == PauseReason.USER
    assert life.take(Event.DISK_FULL) == State.PAUSED
    assert life.take(Event.DISK_FREE) == State.PAUSED
    assert life.take(Event.RESUMED) == State.QUEUED


def test_user_may_resume_what_the_disk_paused() -> None:
    """The user overrides the disk."""
    assert lived(Event.DISK_FULL, Event.RESUMED).state == State.QUEUED


@pytest.mark.parametrize(
    ("state", "event", "message", "hint"),
    [
        (State.DONE, Event.PAUSED, "a transfer that is done cannot be paused", "peerterm get"),
        (State.DONE, Event.CANCELLED, "a transfer that is done cannot be cancelled", "peerterm get"),
        (State.FAILED, Event.RESUMED, "a transfer that is failed cannot be resumed", "peerterm retry"),
        (State.CANCELLED, Event.PAUSED, "a transfer that is cancelled cannot be paused", "peerterm retry"),
        (State.PAUSED, Event.RETRIED, "a transfer that is paused cannot be retried", "peerterm resume"),
        (State.RUNNING, Event.RETRIED, "a transfer that is running cannot be retried", "by itself"),
    ],
)
def test_impossible_wishes_are_told_the_state_and_the_remedy(
    state: State, event: Event, message: str, hint: str
) -> None:
    """A wish that cannot be granted says why not and what to do, and changes nothing."""
    life = Life(state)
    with pytest.raises(UsageError) as caught:
        life.take(event)

    assert caught.value.message == message
    assert hint in caught.value.hint
    assert life.state == state


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.PAUSED, Event.PAUSED),
        (State.CANCELLED, Event.CANCELLED),
        *((state, Event.RESUMED) for state in State if state not in OVER | {State.PAUSED}),
    ],
)
def test_wishes_that_hold_already_are_granted(state: State, event: Event) -> None:
    """Asking twice is no error."""
    assert Life(state).take(event) == state


def test_late_reports_change_nothing() -> None:
    """Parts of the engine race: what a part reports of a state that is over is ignored."""
    life = Life(State.DONE)
    for event in (Event.SOURCE_FOUND, Event.SOURCES_GONE, Event.DISK_FULL, Event.FETCHED, Event.FAILED):
        assert life.take(event) == State.DONE


def test_landing_wins_over_a_pause() -> None:
    """A pause that comes too late does not undo what is in its place."""
    life = lived(Event.ADMITTED, Event.SOURCE_FOUND, Event.FETCHED, Event.PAUSED)

    assert life.take(Event.LANDED) == State.DONE
    assert life.pause_reason is None


@pytest.mark.parametrize("state", State)
def test_next_engine_takes_up_what_was_under_way(state: State) -> None:
    """After a stop everything unfinished queues again, except what was paused."""
    stays = OVER | {State.PAUSED}

    assert Life(state).take(Event.ENGINE_STOPPED) == (state if state in stays else State.QUEUED)


def test_reason_of_a_pause_survives_the_engine() -> None:
    """A restored pause keeps its reason; without one it is the user's."""
    assert Life(State.PAUSED).pause_reason == PauseReason.USER
    assert Life(State.PAUSED, PauseReason.DISK).take(Event.DISK_FREE) == State.QUEUED
    assert Life(State.QUEUED, PauseReason.DISK).pause_reason is None


def test_document_shows_the_table() -> None:
    """The diagram in ``architecture.md`` is the one drawn from the table."""
    text = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()

    assert f"```mermaid\n{state_diagram()}```\n" in text
