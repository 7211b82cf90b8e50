"""What peers say: lines that are taken and passed on, answers to pulls, forks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerterm.core.lines import ConversationId, direct
from peerterm.core.talk_messages import (
    Ask,
    Fork,
    Heads,
    Keep,
    Leave,
    Mark,
    Pull,
    Pulled,
    Push,
    Refused,
    Renew,
    Send,
    Show,
    Want,
)
from tests.fakes.logs import LOG, log_id, made_line, made_log
from tests.fakes.talk_machine import ANN, BOB, CAT, DIRECT, OWN, claim, meet, say, talk
from tests.fakes.talking import LAN

# Hearing


def test_pushed_line_is_passed_on() -> None:
    """To others, with one hop less; not again when it comes again."""
    made = talk("#lan")
    meet(made, 1, 2)
    line = made_line(3)

    assert made.heard(ANN, Push(line, 2), 0) == [Keep(line), Show(line), Send(BOB, Push(line, 1))]
    assert made.heard(BOB, Push(line, 8), 0) == []


def test_line_at_its_last_hop_is_told_of_and_no_more() -> None:
    """Heads carry on from there."""
    made = talk("#lan")
    meet(made, 1, 2)
    line = made_line(3)

    assert made.heard(ANN, Push(line, 0), 0) == [Keep(line), Show(line)]

    due = made.deadline()
    assert due is not None

    assert Send(BOB, claim(3, 1)) in made.tick(due)
    assert made.deadline() is None
    assert made.tick(due) == []


def test_refused_line_is_not_passed_on() -> None:
    """But told."""
    made = talk("#lan")
    meet(made, 1, 2)

    assert made.heard(ANN, Push(replace(made_line(3), text="no"), 2), 0) == [Refused(ANN, LAN, CAT, "forged")]


def test_push_of_no_member_is_ignored() -> None:
    """Who is linked but not in the room, and who is not linked at all."""
    made = talk("#lan")
    made.link_opened(ANN, 0)

    assert made.heard(ANN, Push(made_line(3), 2), 0) == []
    assert made.heard(BOB, Push(made_line(3), 2), 0) == []


def test_first_word_of_a_stranger_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless too many others wait for an answer."""
    made = talk()
    made.link_opened(ANN, 0)
    line = made_line(1, conversation=DIRECT)

    assert made.heard(ANN, Push(line, 0), 0) == [Keep(line), Show(line)]
    assert made.deadline() == 0
    assert made.tick(0) == [Send(ANN, claim(1, 1, conversation=DIRECT))]

    monkeypatch.setattr("peerterm.core.circles.MAX_UNANSWERED", 1)
    made.link_opened(BOB, 0)
    between = direct(OWN, BOB)
    refused = [Refused(BOB, between, BOB, "too many conversations")]

    assert made.heard(BOB, Push(made_line(2, conversation=between), 0), 0) == refused
    assert made.heard(BOB, claim(2, 1, conversation=between), 0) == []


# Pulling


def test_answer_is_kept_and_told_of_but_not_pushed() -> None:
    """The rest is asked for at once."""
    made = talk("#lan")
    meet(made, 1, 2)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    assert isinstance(ask, Ask)
    lines = made_log(2, 3)
    effects = made.answered(ANN, ask.pull, Pulled(tuple(lines), more=True), 0)

    assert effects == [
        *(effect for line in lines for effect in (Keep(line), Show(line))),
        Ask(ANN, Pull(LAN, (Want(log_id(3), 3),))),
    ]
    assert made.answered(ANN, ask.pull, Pulled(tuple(lines), more=True), 0) == []


def test_answer_with_what_was_not_asked_is_refused() -> None:
    """Another log, or another conversation."""
    made = talk("#lan")
    meet(made, 1)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    assert isinstance(ask, Ask)
    lines = (made_line(2), made_line(3, conversation=ConversationId("#other")), replace(made_line(3), text="!"))

    assert made.answered(ANN, ask.pull, Pulled(lines, more=False), 0) == [
        Refused(ANN, LAN, BOB, "not asked for"),
        Refused(ANN, LAN, CAT, "not asked for"),
        Refused(ANN, LAN, CAT, "forged"),
    ]
    assert made.rooms() == [LAN]


def test_replayed_answer_helps_nobody() -> None:
    """Who gives what we hold instead of what we asked for rests."""
    made = talk("#lan")
    meet(made, 1)
    made.heard(ANN, Push(made_line(3), 0), 0)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    assert isinstance(ask, Ask)

    assert made.answered(ANN, ask.pull, Pulled((made_line(3),), more=True), 0) == []
    assert made.heard(ANN, claim(3, 5), 0) == []
    assert made.tick(0) == []


def test_all_that_is_claimed_at_once_is_asked_for_at_once() -> None:
    """However many messages say it; what of it is said again makes nothing due."""
    made = talk("#lan")
    meet(made, 1)
    for _ in range(3):
        for number in (3, 4, 5):
            assert made.heard(ANN, claim(number, 5), 2) == []

    assert made.deadline() == 2
    assert made.tick(2) == [Ask(ANN, Pull(LAN, tuple(Want(log_id(number), 1) for number in (3, 4, 5))))]

    due = made.deadline()
    for message in (claim(3, 5), Heads(LAN, ())):
        made.heard(ANN, message, 3)

    assert made.deadline() == due


def test_line_that_comes_too_early_makes_the_ones_before_it_due() -> None:
    """Once; and who leaves makes due what it was asked for."""
    made = talk("#lan")
    meet(made, 1, 2)
    for peer in (ANN, BOB):
        made.heard(peer, Push(made_log(2, 3)[1], 0), 2)

    assert made.deadline() == 2

    [ask] = made.tick(2)
    assert isinstance(ask, Ask)
    made.heard(ask.peer, Push(made_log(2, 3)[1], 0), 3)

    assert made.deadline() != 3

    made.heard(ask.peer, Leave(LAN), 3)
    [other] = made.tick(3)

    assert isinstance(other, Ask)
    assert {ask.peer, other.peer} == {ANN, BOB}
    assert other.pull == ask.pull


# Forks


def test_line_of_ours_that_we_did_not_write_begins_a_new_log() -> None:
    """An older database was put back, or a copy of us is about: what it wrote is taken, its log left to it."""
    made = talk("#lan")
    meet(made, 1)
    [ours] = made_log(1, 0)
    keep, show, mark, renew = made.heard(ANN, Push(ours, 0), 0)

    assert (keep, show, mark) == (Keep(ours), Show(ours), Mark(LAN, log_id(0), "delivered", 1))
    assert isinstance(renew, Renew)
    assert renew.log != LOG

    [keep, *_] = say(made)
    assert isinstance(keep, Keep)

    assert (keep.line.log, keep.line.seq) == (renew.log, 1)


def test_fork_of_our_log_is_told_and_begins_a_new_one() -> None:
    """Others no longer take what we would say in the old one."""
    made = talk("#lan")
    meet(made, 1)
    say(made)
    fork, renew = made.heard(ANN, Push(made_line(0, text="not me"), 0), 0)

    assert fork == Fork(LAN, log_id(0), 1, ANN)
    assert isinstance(renew, Renew)


def test_author_of_a_fork_is_sent_what_its_copy_said() -> None:
    """If it is linked: it would not hear of it otherwise. Not if it told us so itself."""
    made = talk("#lan")
    meet(made, 1, 3)
    made.heard(CAT, Push(made_line(3), 0), 0)
    other = made_line(3, text="copy")

    assert made.heard(ANN, Push(other, 3), 0) == [Fork(LAN, log_id(3), 1, ANN), Send(CAT, Push(other, 0))]

    made = talk("#lan")
    meet(made, 1, 3)
    made.heard(ANN, Push(made_line(3), 0), 0)

    assert made.heard(CAT, Push(other, 3), 0) == [Fork(LAN, log_id(3), 1, CAT)]


def test_forked_log_goes_on_by_pushes() -> None:
    """With the lines that follow those that came first; nothing of it is asked for."""
    made = talk("#lan")
    meet(made, 1, 2)
    first, second = made_log(2, 3)
    made.heard(ANN, Push(first, 0), 0)
    made.heard(BOB, Push(made_line(3, text="copy"), 0), 0)

    assert made.heard(BOB, claim(3, 9), 0) == []
    assert made.heard(ANN, Push(second, 0), 0) == [Keep(second), Show(second)]
