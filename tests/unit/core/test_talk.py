"""The machine: what our user does, and what becomes of it; how it goes on after a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerterm.core.circles import MAX_ROOMS
from peerterm.core.lines import MAX_TEXT, ConversationId
from peerterm.core.talk import PULL_BURST
from peerterm.core.talk_messages import (
    MAX_HOPS,
    Ask,
    Enter,
    Heads,
    Keep,
    Kept,
    Leave,
    Mark,
    Member,
    Pull,
    Pulled,
    Push,
    Read,
    Saved,
    Send,
    Show,
    Supply,
    Want,
)
from peerterm.errors import EngineBusy, NotFound, UsageError
from tests.fakes.logs import LOG, log_id, made_line, made_log
from tests.fakes.talk_machine import ANN, BOB, CAT, DIRECT, OWN, claim, meet, say, talk
from tests.fakes.talking import LAN, fake_verify

# Saying


def test_line_is_kept_before_it_is_sent() -> None:
    """Then shown, then pushed; it names the one before it."""
    made = talk("#lan")
    meet(made, 1)
    keep, show, send = say(made)

    assert isinstance(keep, Keep)
    assert show == Show(keep.line)
    assert send == Send(ANN, Push(keep.line, MAX_HOPS))
    assert keep.line.is_genuine(fake_verify)
    assert keep.line.log_id == (OWN, LOG)

    [other, *_] = say(made, text="again")

    assert isinstance(other, Keep)
    assert (other.line.seq, other.line.prev) == (2, keep.line.hash)


def test_impossible_lines_are_not_said() -> None:
    """Too long ones, ones in rooms we are not in, and too many that nobody takes."""
    made = talk("#lan")
    with pytest.raises(UsageError):
        say(made, text="x" * (MAX_TEXT + 1))
    with pytest.raises(NotFound, match="#other"):
        say(made, ConversationId("#other"))


def test_outbox_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who queues too much is told, until some of it is delivered."""
    monkeypatch.setattr("peerterm.core.pen.MAX_QUEUED", 2)
    made = talk()
    say(made, DIRECT)
    say(made, DIRECT)
    with pytest.raises(EngineBusy):
        say(made, DIRECT)
    made.link_opened(ANN, 0)
    made.heard(ANN, claim(0, 1, conversation=DIRECT), 0)

    assert say(made, DIRECT)


def test_direct_line_to_a_linked_stranger_goes_at_once() -> None:
    """To nobody else."""
    made = talk("#lan")
    made.link_opened(ANN, 0)
    made.link_opened(BOB, 0)
    sends = [effect for effect in say(made, DIRECT) if isinstance(effect, Send)]

    assert [send.peer for send in sends] == [ANN]


def test_strangers_that_wait_for_an_answer_keep_our_user_from_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom our user speaks to takes part, however many others are unanswered."""
    monkeypatch.setattr("peerterm.core.circles.MAX_UNANSWERED", 0)
    made = talk()
    made.link_opened(ANN, 0)

    assert [effect.peer for effect in say(made, DIRECT) if isinstance(effect, Send)] == [ANN]


def test_our_own_flood_is_not_pushed() -> None:
    """What others would not take is left to their pulls: they are told how much there is."""
    made = talk()
    made.link_opened(ANN, 0)
    effects = [effect for _ in range(30) for effect in say(made, DIRECT)]
    pushes = [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.message, Push)]

    assert len(pushes) == 20
    assert effects[-1] == Send(ANN, claim(0, 30, conversation=DIRECT))


def test_receipt_of_a_conversation_there_is_not_is_ignored() -> None:
    """So is one that says more than delivery did."""
    made = talk()
    made.link_opened(ANN, 0)

    assert made.heard(ANN, Read(DIRECT, LOG, 1), 0) == []


# Rooms


def test_joining_tells_every_link() -> None:
    """And leaving too; doing either again does nothing."""
    made = talk()
    made.link_opened(ANN, 0)

    assert made.joined(LAN, 0) == [Enter(LAN, is_member=True), Send(ANN, Heads(LAN, ()))]
    assert made.joined(LAN, 0) == []
    assert made.rooms() == [LAN]
    assert made.heard(ANN, Heads(LAN, ()), 0) == [Member(LAN, ANN, is_member=True)]
    assert (made.members(LAN), made.heard_of()) == ([ANN], {LAN})
    assert made.left(LAN) == [Enter(LAN, is_member=False), Send(ANN, Leave(LAN))]
    assert made.left(LAN) == []
    assert made.rooms() == []
    assert made.heard(ANN, claim(1, 5), 0) == []
    assert made.heard(ANN, Push(made_line(1), 3), 0) == []


def test_those_who_were_there_first_are_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sent what we say, though they have nothing to tell us; as many as a room may have."""
    made = talk()
    meet(made, 1, 2)

    assert made.joined(LAN, 0) == [
        Enter(LAN, is_member=True),
        Send(ANN, Heads(LAN, ())),
        Send(BOB, Heads(LAN, ())),
        Member(LAN, ANN, is_member=True),
        Member(LAN, BOB, is_member=True),
    ]
    assert {effect.peer for effect in say(made) if isinstance(effect, Send)} == {ANN, BOB}

    made.left(LAN)
    monkeypatch.setattr("peerterm.core.members.MAX_MEMBERS", 1)

    assert made.joined(LAN, 0)[3:] == [Member(LAN, ANN, is_member=True)]


def test_rooms_are_bounded() -> None:
    """One too many is refused."""
    made = talk(*(f"#{number}" for number in range(MAX_ROOMS)))
    with pytest.raises(EngineBusy):
        made.joined(LAN, 0)


def test_new_member_is_told_what_it_lacks() -> None:
    """Once it said what it holds."""
    made = talk("#lan")
    say(made)
    made.link_opened(ANN, 0)

    assert made.heard(ANN, Heads(LAN, ()), 0) == [Send(ANN, claim(0, 1)), Member(LAN, ANN, is_member=True)]


def test_member_that_leaves_is_sent_nothing_more() -> None:
    """What it was asked is asked of others; leaving what one is not in does nothing."""
    made = talk("#lan")
    meet(made, 1, 2)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    made.heard(BOB, claim(3, 5), 0)

    assert ask == Ask(ANN, Pull(LAN, (Want(log_id(3), 1),)))
    assert made.heard(ANN, Leave(LAN), 0) == [Member(LAN, ANN, is_member=False)]
    assert made.heard(ANN, Leave(LAN), 0) == []
    assert made.tick(0) == [replace(ask, peer=BOB)]
    assert [effect.peer for effect in say(made) if isinstance(effect, Send)] == [BOB]


def test_what_was_asked_of_a_lost_link_is_asked_of_another() -> None:
    """At once."""
    made = talk("#lan")
    meet(made, 1, 2)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    made.heard(BOB, claim(3, 5), 0)
    assert isinstance(ask, Ask)

    assert made.link_closed(ANN, 0) == [Member(LAN, ANN, is_member=False), replace(ask, peer=BOB)]
    assert made.answered(ANN, ask.pull, Pulled((), more=False), 0) == []
    assert made.unanswered(ANN, ask.pull, 0) == []
    assert made.heard(ANN, claim(3, 9), 0) == []


def test_state_of_a_line_rises() -> None:
    """Queued, sent, delivered, read; never back when the link is lost."""
    made = talk()
    [keep, *_] = say(made, DIRECT)
    assert isinstance(keep, Keep)
    states = [made.state_of(keep.line)]
    made.link_opened(ANN, 0)
    states.append(made.state_of(keep.line))
    delivered = made.heard(ANN, claim(0, 1, conversation=DIRECT), 0)
    states.append(made.state_of(keep.line))
    read = made.heard(ANN, Read(DIRECT, LOG, 9), 0)
    made.link_closed(ANN, 0)
    states.append(made.state_of(keep.line))

    assert states == ["queued", "sent", "delivered", "read"]
    assert delivered == [Mark(DIRECT, log_id(0), "delivered", 1)]
    assert read == [Mark(DIRECT, log_id(0), "read", 1)]


def test_seen_lines_are_marked_and_receipted() -> None:
    """Now, if the other is linked, else when it is; in a room they are only marked."""
    made = talk("#lan")
    made.link_opened(ANN, 0)
    made.heard(ANN, Push(made_line(1, conversation=DIRECT), 0), 0)
    meet(made, 2)
    made.heard(BOB, Push(made_line(2), 0), 0)
    say(made, DIRECT)

    assert made.read(DIRECT) == [Mark(DIRECT, log_id(1), "seen", 1), Send(ANN, Read(DIRECT, LOG, 1))]
    assert made.read(DIRECT) == []
    assert made.read(LAN) == [Mark(LAN, log_id(2), "seen", 1)]
    assert Send(ANN, Read(DIRECT, LOG, 1)) in made.link_opened(ANN, 0)


def test_blocked_author_is_not_heard_until_it_is_welcome_again() -> None:
    """Then what was missed is asked for."""
    made = talk("#lan")
    meet(made, 1)
    made.blocked(CAT)

    made.heard(ANN, claim(3, 2), 0)

    assert made.tick(0) == []
    assert made.heard(ANN, Push(made_line(3), 2), 0) == []
    assert made.unblocked(CAT, 0) == [Ask(ANN, Pull(LAN, (Want(log_id(3), 1),)))]


def test_failed_pull_is_tried_again_after_a_rest() -> None:
    """The machine says when."""
    made = talk("#lan")
    meet(made, 1)
    made.heard(ANN, claim(3, 5), 0)
    [ask] = made.tick(0)
    assert isinstance(ask, Ask)

    assert made.unanswered(ANN, ask.pull, 0) == []

    due = made.deadline()
    assert due is not None

    assert made.tick(due) == [ask]


def test_pull_of_a_member_is_supplied() -> None:
    """From the lines held; of others it is refused, and of all if it comes too often."""
    made = talk("#lan")
    say(made)
    meet(made, 1)
    pull = Pull(LAN, (Want(log_id(0), 1),))

    for _ in range(PULL_BURST):
        assert made.asked(ANN, pull, 0) == [Supply(ANN, LAN, pull.wants)]
    with pytest.raises(EngineBusy):
        made.asked(ANN, pull, 0)
    with pytest.raises(NotFound):
        made.asked(BOB, pull, 0)
    with pytest.raises(NotFound):
        made.asked(ANN, Pull(ConversationId("#other"), pull.wants), 0)


def test_machine_goes_on_where_the_store_is() -> None:
    """Rooms, logs, marks and blocked authors come back."""
    lines = made_log(3, 0, conversation=DIRECT)
    kept = tuple(Kept(DIRECT, line.log_id, line.seq, line.hash, line.kind) for line in lines)
    marks = (Mark(DIRECT, log_id(0), "delivered", 2),)
    made = talk(saved=Saved(LOG, (LAN,), kept, marks, frozenset({CAT})))
    [keep, *_] = say(made, DIRECT)
    assert isinstance(keep, Keep)

    assert (keep.line.seq, keep.line.prev) == (4, lines[-1].hash)
    assert [made.state_of(line) for line in lines] == ["delivered", "delivered", "queued"]
    assert made.rooms() == [LAN]

    meet(made, 1)

    assert made.heard(ANN, Push(made_line(3), 2), 0) == []
