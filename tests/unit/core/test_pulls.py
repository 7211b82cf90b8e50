"""Who is asked for what is missing, in which order, and how soon again."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core import pulls as module
from peerterm.core.conversation import Conversation
from peerterm.core.members import LATE_LINES, Members
from peerterm.core.pulls import (
    FIRST_REST_SECONDS,
    MAX_REST_SECONDS,
    NEVER,
    PACE_SECONDS,
    PULL_SECONDS,
    PULLED_BURST,
    TRUSTED_FAILURES,
    Pulls,
)
from peerterm.core.talk_messages import MAX_PULLED_LINES, MAX_WANTS, Ask, Head, Pull, Want
from tests.fakes.logs import log_id, made_log
from tests.fakes.talking import LAN, fake_id

ANN, BOB, CAT = fake_id(1), fake_id(2), fake_id(3)


class Room:
    """A room with three lines of peer 5, and members that say what they hold."""

    def __init__(self, **claims: tuple[int, int]) -> None:
        self.conversation = Conversation(LAN, fake_id(0), set())
        for line in made_log(3, 5):
            self.conversation.load(line.log_id, line.seq, line.hash, line.kind)
        self.members = Members(self.conversation)
        self.pulls = Pulls(self.conversation, self.members, Random(1))
        for name, (first, seq) in claims.items():
            peer = {"ann": ANN, "bob": BOB, "cat": CAT}[name]
            self.members.add(peer)
            self.members.claimed(peer, [Head(log_id(5), first, seq)])

    def hold(self, seq: int) -> None:
        """Hold peer 5's lines up to one."""
        for line in made_log(seq, 5)[self.conversation.seq(log_id(5)) :]:
            self.conversation.load(line.log_id, line.seq, line.hash, line.kind)


def pull(start: int) -> Pull:
    return Pull(LAN, (Want(log_id(5), start),))


def test_missing_lines_are_asked_of_one_who_holds_them() -> None:
    """Once; and when nothing is missing any more, nothing is asked."""
    room = Room(ann=(1, 5), bob=(1, 3))

    assert room.pulls.plan(0) == [Ask(ANN, pull(4))]
    assert room.pulls.plan(0) == []

    room.hold(5)
    room.pulls.settle(ANN, {log_id(5)}, 0, more=False)

    assert room.pulls.plan(0) == []
    assert list(room.members.behind) == []
    assert room.pulls.deadline() == NEVER


def test_cut_answer_is_followed_by_the_next_pull() -> None:
    """From where it ended, of whoever holds that."""
    room = Room(ann=(1, 9))
    room.pulls.plan(0)
    room.hold(6)
    room.pulls.settle(ANN, {log_id(5)}, 0, more=True)

    assert room.pulls.plan(0) == [Ask(ANN, pull(7))]


def test_unknown_log_is_asked_for_from_its_newest_200_lines() -> None:
    """Or from where the one who is asked begins."""
    room = Room(ann=(1, 3))
    room.members.claimed(ANN, [Head(log_id(6), 1, 1000), Head(log_id(7), 950, 1000), Head(log_id(8), 1, 7)])

    assert room.pulls.plan(0) == [
        Ask(ANN, Pull(LAN, (Want(log_id(6), 1001 - LATE_LINES), Want(log_id(7), 950), Want(log_id(8), 1))))
    ]


def test_answer_without_what_was_claimed_disproves_the_claim() -> None:
    """The next one who holds it is asked."""
    room = Room(ann=(1, 5), bob=(1, 5))
    [ask] = room.pulls.plan(0)
    room.pulls.settle(ask.peer, set(), 0, more=False)
    [other] = room.pulls.plan(0)

    assert {ask.peer, other.peer} == {ANN, BOB}
    assert room.members.claim(ask.peer, log_id(5)) is None


def test_answer_that_served_nothing_is_not_excused_by_being_cut() -> None:
    """It is to bring something."""
    room = Room(ann=(1, 5))
    room.pulls.plan(0)
    room.pulls.settle(ANN, set(), 0, more=True)

    assert room.members.claim(ANN, log_id(5)) is None


def test_missing_log_of_a_whole_answer_is_disproved_alone() -> None:
    """What came of others still counts."""
    room = Room(ann=(1, 5))
    room.members.claimed(ANN, [Head(log_id(6), 1, 2)])
    room.pulls.plan(0)
    room.hold(5)
    room.pulls.settle(ANN, {log_id(5)}, 0, more=False)

    assert room.members.claim(ANN, log_id(5)) == Head(log_id(5), 1, 5)
    assert room.members.claim(ANN, log_id(6)) is None


def test_gap_is_left_only_if_nobody_can_fill_it() -> None:
    """As long as someone holds the next line, that one is asked; then the one that begins soonest after it."""
    room = Room(ann=(10, 20), bob=(1, 20), cat=(8, 20))
    [ask] = room.pulls.plan(0)

    assert ask == Ask(BOB, pull(4))
    assert room.pulls.plan(0) == []

    room.pulls.settle(BOB, set(), 0, more=False)

    assert room.pulls.plan(0) == [Ask(CAT, pull(8))]


def test_gap_is_not_left_open_for_who_fails_again_and_again() -> None:
    """Who claims to hold the next line and never gives it is waited for a few times only."""
    room = Room(ann=(10, 20), bob=(1, 20))
    now = 0.0
    for _ in range(TRUSTED_FAILURES):
        [ask] = room.pulls.plan(now)

        assert ask.peer == BOB

        room.pulls.failed(BOB, ask.pull, now)
        now += MAX_REST_SECONDS

    assert room.pulls.plan(now) == [Ask(ANN, pull(10))]

    room.pulls.failed(ANN, pull(10), now)
    for _ in range(TRUSTED_FAILURES - 1):
        now += MAX_REST_SECONDS
        room.pulls.plan(now)
        room.pulls.failed(ANN, pull(10), now)
    now += MAX_REST_SECONDS

    assert room.pulls.plan(now) == [Ask(BOB, pull(4))]  # none is better than the other


def test_who_does_not_answer_rests_longer_each_time() -> None:
    """Up to a bound; an answer that brings something ends it."""
    room = Room(ann=(1, 5))
    now, rests = 0.0, []
    for _ in range(9):
        assert room.pulls.tick(now) == [Ask(ANN, pull(4))]

        now += PULL_SECONDS

        assert room.pulls.deadline() == now
        assert room.pulls.tick(now) == []

        rests.append(room.pulls.deadline() - now)
        now = room.pulls.deadline()

    assert rests[:3] == [FIRST_REST_SECONDS, FIRST_REST_SECONDS * 2, FIRST_REST_SECONDS * 4]
    assert rests[-1] == MAX_REST_SECONDS

    room.pulls.tick(now)
    room.hold(4)
    room.pulls.settle(ANN, {log_id(5)}, now, more=True)

    assert room.pulls.tick(now) == [Ask(ANN, pull(5))]


def test_late_answer_is_not_waited_for() -> None:
    """Only the pull that is under way is."""
    room = Room(ann=(1, 5))
    [ask] = room.pulls.plan(0)

    assert room.pulls.awaits(ANN, ask.pull)
    assert not room.pulls.awaits(ANN, pull(1))
    assert not room.pulls.awaits(BOB, ask.pull)

    room.pulls.failed(ANN, pull(1), 0)

    assert room.pulls.awaits(ANN, ask.pull)


def test_what_one_was_asked_is_asked_of_another_when_it_left() -> None:
    """And the one that left need not rest when it comes back."""
    room = Room(ann=(1, 5))
    [ask] = room.pulls.plan(0)
    room.pulls.remove(ANN)
    room.members.remove(ANN)

    assert room.pulls.plan(0) == []

    room.members.add(BOB)
    room.members.claimed(BOB, [Head(log_id(5), 1, 5)])

    assert room.pulls.plan(0) == [Ask(BOB, ask.pull)]


def test_one_member_is_asked_one_thing_at_a_time() -> None:
    """What else it holds waits, or is asked of others."""
    room = Room(ann=(1, 5))
    room.pulls.plan(0)
    room.members.claimed(ANN, [Head(log_id(6), 1, 2)])

    assert room.pulls.plan(0) == []

    room.members.add(BOB)
    room.members.claimed(BOB, [Head(log_id(6), 1, 2)])

    assert room.pulls.plan(0) == [Ask(BOB, Pull(LAN, (Want(log_id(6), 1),)))]


def test_logs_asked_for_at_once_are_bounded() -> None:
    """The others come with the next pull."""
    room = Room(ann=(1, 3))
    room.members.claimed(ANN, [Head(log_id(10 + number), 1, 1) for number in range(MAX_WANTS + 1)])
    [ask] = room.pulls.plan(0)

    assert len(ask.pull.wants) == MAX_WANTS


def test_lines_are_asked_for_at_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a burst a pull waits until its lines are within bounds."""
    monkeypatch.setattr(module, "PULLED_PER_SECOND", 64.0)
    room = Room(ann=(1, 10_000))
    seq = 3
    for _ in range(PULLED_BURST // MAX_PULLED_LINES):
        assert room.pulls.plan(0) == [Ask(ANN, pull(seq + 1))]

        seq += 1
        room.hold(seq)
        room.pulls.settle(ANN, {log_id(5)}, 0, more=True)

    assert room.pulls.plan(0) == []
    assert room.pulls.deadline() == PACE_SECONDS
    assert room.pulls.tick(PACE_SECONDS) == []
    assert room.pulls.tick(1.0) == [Ask(ANN, pull(seq + 1))]


def test_nothing_is_asked_of_authors_that_are_not_taken() -> None:
    """A forked log, for one."""
    room = Room(ann=(1, 5))
    room.conversation.forked(log_id(5))

    assert room.pulls.plan(0) == []
    assert list(room.members.behind) == []


def test_who_was_asked_for_goes_to_the_end_of_the_line() -> None:
    """A log that never ends leaves every second turn to another, though one member answers for both."""
    room = Room(ann=(1, 10_000))
    room.members.claimed(ANN, [Head(log_id(6), 1, 200)])
    firsts = []
    for seq in range(4, 8):
        [ask] = room.pulls.plan(0)
        want = ask.pull.wants[0]
        firsts.append(want.log_id)
        if want.log_id == log_id(5):
            room.hold(seq)
        room.pulls.settle(ANN, {want.log_id}, 0, more=True)

    assert firsts == [log_id(5), log_id(6)] * 2


def test_what_waits_for_its_pace_is_not_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little that is asked for again and again leaves room for much that waits."""
    monkeypatch.setattr(module, "PULLED_BURST", MAX_PULLED_LINES)
    monkeypatch.setattr(module, "PULLED_PER_SECOND", 64.0)
    room = Room(ann=(1, 4))
    room.members.add(BOB)
    room.members.claimed(BOB, [Head(log_id(6), 1, 200)])
    now, seq, asked = 0.0, 3, []
    while BOB not in asked and now < 3:
        seq += 1
        room.members.claimed(ANN, [Head(log_id(5), 1, seq)])
        for ask in room.pulls.plan(now):
            asked.append(ask.peer)
            if ask.peer == ANN:
                room.hold(seq)
                room.pulls.settle(ANN, {log_id(5)}, now, more=False)
        now += 0.01

    assert asked == [ANN, BOB]
    assert now < 1.1


def test_who_was_asked_in_vain_does_not_go_first_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose turn did not come yet do."""
    monkeypatch.setattr(module, "PULLED_BURST", MAX_PULLED_LINES)
    monkeypatch.setattr(module, "PULLED_PER_SECOND", 64.0)
    room = Room(ann=(1, 10_000))
    room.members.add(BOB)
    room.members.claimed(BOB, [Head(log_id(6), 1, 200)])

    assert room.pulls.plan(0) == [Ask(ANN, pull(4))]

    room.pulls.failed(ANN, pull(4), 0)

    assert [ask.peer for ask in room.pulls.plan(1.0)] == [BOB]


def test_more_to_ask_for_is_noted_until_it_is_asked_for() -> None:
    """At once, and once."""
    room = Room(ann=(1, 5))
    for now in (7, 6, 8):
        room.pulls.look(now)

    assert room.pulls.deadline() == 6
    assert room.pulls.tick(6) == [Ask(ANN, pull(4))]
    assert room.pulls.deadline() == 6 + PULL_SECONDS
