"""Lines of others: what is taken, what is asked for later, what is reported."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from peerterm.core.circle import Circle
from peerterm.core.ids import PeerId
from peerterm.core.intake import PUSH_BURST, Intake, Judged
from peerterm.core.line_log import LineLog
from peerterm.core.lines import direct
from peerterm.core.talk_messages import Fork, Head, Refused
from tests.fakes.logs import log_id, made_line, made_log
from tests.fakes.talking import LAN, fake_id, fake_verify

OWN, ANN, BOB, CAT = map(fake_id, range(4))


def room(*, blocked: frozenset[PeerId] = frozenset()) -> tuple[Circle, Intake]:
    circle = Circle(LAN, OWN, blocked, Random(1), is_open=True)
    circle.add(BOB)
    return circle, Intake(fake_verify, blocked)


def outcome(judged: Judged) -> tuple[LineLog | None, list[Fork | Refused]]:
    return judged.log, judged.reports


def keep(circle: Circle, count: int, number: int = 1) -> None:
    for line in made_log(count, number):
        circle.conversation.load(line.log_id, line.seq, line.hash, line.kind)


def test_next_line_is_taken() -> None:
    """Once."""
    circle, intake = room()
    line = made_line()
    log, reports = outcome(intake.pushed(circle, line, BOB, 0))

    assert log is not None
    assert reports == []

    circle.conversation.append(line, log)
    circle.add(CAT)

    assert outcome(intake.pushed(circle, line, CAT, 0)) == (None, [])


def test_line_that_a_peer_pushed_before_is_a_replay() -> None:
    """Also one before it; none that others pushed or that we asked for. Reported once."""
    circle, intake = room()
    first, second = made_log(2)
    for line in (first, second):
        log = intake.pushed(circle, line, BOB, 0).log
        assert log is not None
        circle.conversation.append(line, log)
    circle.add(CAT)

    assert outcome(intake.pushed(circle, second, CAT, 0)) == (None, [])
    assert outcome(intake.pulled(circle, first, BOB, begins=False)) == (None, [])
    assert outcome(intake.pushed(circle, first, BOB, 0)) == (None, [Refused(BOB, LAN, ANN, "replayed")])
    assert outcome(intake.pushed(circle, second, BOB, 0)) == (None, [])
    assert outcome(intake.pushed(circle, first, CAT, 0)) == (None, [Refused(CAT, LAN, ANN, "replayed")])


def test_later_line_is_asked_for() -> None:
    """Who has it has what is before it."""
    circle, intake = room()
    keep(circle, 1)

    assert outcome(intake.pushed(circle, made_log(5)[4], BOB, 0)) == (None, [])
    assert circle.members.claim(BOB, log_id(1)) == Head(log_id(1), 1, 5)
    assert outcome(intake.pulled(circle, made_log(5)[4], BOB, begins=False)) == (None, [])


@pytest.mark.parametrize("relays", [1, PUSH_BURST * 2])
def test_flood_is_asked_for_at_our_pace(relays: int) -> None:
    """Of one author, over one link or many: what is too much is not even verified, but not lost."""
    circle, intake = room()
    for number in range(10, 10 + relays):
        circle.add(fake_id(number))
    taken = 0
    for number, line in enumerate(made_log(PUSH_BURST * 2)):
        log = intake.pushed(circle, line, fake_id(10 + number % relays), 0).log
        if log is not None:
            circle.conversation.append(line, log)
            taken += 1

    assert taken == PUSH_BURST
    assert list(circle.members.behind) == [log_id(1)]
    assert not intake.may_push(ANN, 0)
    assert intake.may_push(ANN, 1)


def test_link_that_carries_many_authors_has_bounds_too() -> None:
    """However many it invents."""
    circle, intake = room()
    taken = [intake.pushed(circle, made_line(number), BOB, 0).log for number in range(10, 100)]

    assert sum(log is not None for log in taken) == PUSH_BURST


def test_forged_line_is_refused_and_its_bearer_named() -> None:
    """Once."""
    circle, intake = room()
    forged = replace(made_line(), text="I never said that")

    assert outcome(intake.pushed(circle, forged, BOB, 0)) == (None, [Refused(BOB, LAN, ANN, "forged")])
    assert outcome(intake.pushed(circle, forged, BOB, 0)) == (None, [])
    assert circle.conversation.logs == {}


def test_first_line_that_follows_something_is_refused() -> None:
    """It is nobody's fork: there is nothing it could differ from."""
    circle, intake = room()

    assert outcome(intake.pushed(circle, made_line(1, 1, b"\1" * 32), BOB, 0)) == (
        None,
        [Refused(BOB, LAN, ANN, "forged")],
    )


def test_fork_is_reported_once() -> None:
    """Only if both lines are genuine; what follows the first one is still taken."""
    circle, intake = room()
    keep(circle, 3)
    other = made_line(1, 2, made_line().hash, text="other")

    assert outcome(intake.pushed(circle, replace(other, text="forged"), BOB, 0)) == (
        None,
        [Refused(BOB, LAN, ANN, "forged")],
    )
    circle.add(CAT)

    assert outcome(intake.pushed(circle, other, BOB, 0)) == (None, [Fork(LAN, log_id(1), 2, BOB)])
    assert outcome(intake.pushed(circle, other, CAT, 0)) == (None, [])
    assert intake.pushed(circle, made_log(4)[3], BOB, 0).log is circle.conversation.logs[log_id(1)]


def test_blocked_author_is_passed_over() -> None:
    """Without a report: nobody does wrong by passing it on."""
    circle, intake = room(blocked=frozenset({ANN}))

    assert outcome(intake.pushed(circle, made_line(), BOB, 0)) == (None, [])


def test_foreign_line_is_refused() -> None:
    """A third peer's line has no place between two."""
    conversation = direct(OWN, BOB)
    circle = Circle(conversation, OWN, set(), Random(1), is_open=True)
    circle.add(BOB)
    _, intake = room()

    assert outcome(intake.pushed(circle, made_line(1, conversation=conversation), BOB, 0)) == (
        None,
        [Refused(BOB, conversation, ANN, "foreign")],
    )


def test_author_without_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room is full."""
    monkeypatch.setattr("peerterm.core.conversation.MAX_AUTHORS", 1)
    circle, intake = room()
    keep(circle, 1)

    assert outcome(intake.pushed(circle, made_line(3), BOB, 0)) == (
        None,
        [Refused(BOB, LAN, fake_id(3), "too many authors")],
    )
