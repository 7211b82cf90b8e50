"""Lives never leave their table; the queue never admits too many and forgets nobody."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from peerterm.core.ids import TransferId
from peerterm.core.life import TABLE, Event, Life, PauseReason, State
from peerterm.core.queue import MAX_PRIORITY, MIN_PRIORITY, Move, Queue
from peerterm.errors import UsageError

WISHES = {Event.PAUSED, Event.RESUMED, Event.CANCELLED, Event.RETRIED}


@given(st.sampled_from(State), st.lists(st.sampled_from(Event), max_size=50))
def test_life_never_leaves_its_table(start: State, events: list[Event]) -> None:
    """Each event leads where the table says or nowhere; only wishes are refused; a pause has a reason."""
    life = Life(start)
    for event in events:
        before, reason = life.state, life.pause_reason
        row = TABLE[before]
        if event in WISHES and event not in row:
            with pytest.raises(UsageError):
                life.take(event)
        else:
            assert life.take(event) == life.state
        after = life.state

        assert after == row.get(event, before) or (event == Event.DISK_FREE and reason == PauseReason.USER)
        assert (life.pause_reason is not None) == (after == State.PAUSED)


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_every_life_can_still_end_well(events: list[Event]) -> None:
    """Whatever happened, a user who wishes it and an engine that works bring every transfer to its end."""
    life = Life()
    for event in events:
        with suppress(UsageError):
            life.take(event)
    for event in (Event.RETRIED, Event.RESUMED):
        with suppress(UsageError):
            life.take(event)
    for event in (Event.SOURCE_FOUND, Event.ADMITTED, Event.SOURCE_FOUND, Event.FETCHED, Event.LANDED):
        life.take(event)

    assert life.state == State.DONE


class QueueMachine(RuleBasedStateMachine):
    """A queue under any order of wishes, with an engine that starts what it admits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(2)
        self.running: set[TransferId] = set()
        self.resting: set[TransferId] = set()
        self.added = 0

    @property
    def ids(self) -> list[TransferId]:
        return [entry.transfer_id for entry in self.queue.entries]

    @rule(priority=st.integers(-2, 2))
    def add(self, priority: int) -> None:
        self.added += 1
        self.queue.add(TransferId(f"{self.added:08x}"), priority)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), priority=st.integers(MIN_PRIORITY, MAX_PRIORITY))
    def prioritise(self, data: st.DataObject, priority: int) -> None:
        self.queue.prioritise(data.draw(st.sampled_from(self.ids)), priority)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), where=st.sampled_from(get_args(Move)))
    def move(self, data: st.DataObject, where: Move) -> None:
        transfer_id = data.draw(st.sampled_from(self.ids))
        before = {entry.transfer_id: entry.position for entry in self.queue.entries}
        moved = self.queue.move(transfer_id, where)
        after = {entry.transfer_id: entry.position for entry in self.queue.entries}

        assert sorted(before.values()) == list(after.values())
        assert set(moved) == {each for each in before if before[each] != after[each]}
        equals = self.equals_of(transfer_id)
        assert where != "first" or equals[0] == transfer_id
        assert where != "last" or equals[-1] == transfer_id

    def equals_of(self, transfer_id: TransferId) -> list[TransferId]:
        priority = {entry.transfer_id: entry.priority for entry in self.queue.entries}
        return [each for each in self.ids if priority[each] == priority[transfer_id]]

    @precondition(lambda self: self.running)
    @rule()
    def overtake(self) -> None:
        """Stop whom more urgent ones overtake; they are admitted then, and overtake nobody else."""
        priority = {entry.transfer_id: entry.priority for entry in self.queue.entries}
        overtaken = self.queue.overtaken(self.running, self.running)
        self.running -= set(overtaken)
        admitted = self.queue.admit(self.running)

        assert not set(overtaken) & set(admitted)
        assert not overtaken or max(priority[each] for each in overtaken) < max(priority[each] for each in admitted)

        self.running.update(admitted)

        assert self.queue.overtaken(self.running, self.running) == []

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def lose_sources(self, data: st.DataObject) -> None:
        transfer_id = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(transfer_id)
        self.resting.add(transfer_id)
        self.queue.rest(transfer_id)

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def find_source(self, data: st.DataObject) -> None:
        transfer_id = data.draw(st.sampled_from(sorted(self.resting)))
        self.resting.discard(transfer_id)
        self.queue.wake(transfer_id)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        transfer_id = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(transfer_id)
        self.queue.remove(transfer_id)

    @rule(limit=st.integers(1, 4))
    def change_limit(self, limit: int) -> None:
        self.queue.limit = limit

    @rule()
    def admit(self) -> None:
        admitted = self.queue.admit(self.running)

        assert not set(admitted) & (self.running | self.resting)
        assert len(admitted) <= max(self.queue.limit - len(self.running), 0)

        passed = [entry for entry in self.queue.entries if entry.transfer_id not in admitted]
        ready = [entry for entry in passed if entry.transfer_id not in self.running | self.resting]
        started = [entry for entry in self.queue.entries if entry.transfer_id in admitted]

        assert not ready or len(self.running) + len(admitted) >= self.queue.limit
        for entry in ready:
            for other in started:
                assert other.priority >= entry.priority
                if other.priority == entry.priority:
                    assert self.ids.index(other.transfer_id) < self.ids.index(entry.transfer_id)

        self.running.update(admitted)

    @invariant()
    def nobody_is_lost(self) -> None:
        assert self.running | self.resting <= set(self.ids)

    def teardown(self) -> None:
        """When transfers end one by one, each that does not rest has its turn, equals in order of position."""
        waiting = [entry for entry in self.queue.entries if entry.transfer_id not in self.running | self.resting]
        started: list[TransferId] = []
        for _ in range(2 * self.added + 1):
            admitted = self.queue.admit(self.running)
            started += admitted
            self.running.update(admitted)
            if self.running:
                self.queue.remove(self.running.pop())
        expected = sorted(waiting, key=lambda entry: -entry.priority)

        assert started == [entry.transfer_id for entry in expected]


TestQueue = QueueMachine.TestCase
