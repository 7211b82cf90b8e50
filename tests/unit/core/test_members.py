"""What members say they hold, and what they must be told."""

from __future__ import annotations

import pytest

from peerterm.core import members as module
from peerterm.core.conversation import Conversation
from peerterm.core.lines import direct
from peerterm.core.members import LATE_LINES, Members
from peerterm.core.talk_messages import MAX_HEADS, Head, Heads
from tests.fakes.logs import log_id, made_line, made_log
from tests.fakes.talking import LAN, fake_id

ANN, BOB = fake_id(1), fake_id(2)


def circle(*peers: int, lines: int = 3) -> tuple[Conversation, Members]:
    """Return a room with lines of peer 5, and its members."""
    conversation = Conversation(LAN, fake_id(0), set())
    for line in made_log(lines, 5):
        conversation.load(line.log_id, line.seq, line.hash, line.kind)
    members = Members(conversation)
    for number in peers:
        assert members.add(fake_id(number))
    return conversation, members


def test_members_come_and_go() -> None:
    """With a member goes what it said."""
    _, members = circle(1, 2)
    members.claimed(ANN, [Head(log_id(5), 1, 9)])
    members.remove(ANN)

    assert list(members) == [BOB]
    assert (ANN in members, BOB in members, len(members)) == (False, True, 1)
    assert members.claims(log_id(5)) == []


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is not added."""
    monkeypatch.setattr(module, "MAX_MEMBERS", 2)
    _, members = circle(1, 2)

    assert not members.add(fake_id(3))
    assert len(members) == 2


def test_pushes_are_noted_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so many logs of a member, and until it goes."""
    monkeypatch.setattr(module, "MAX_CLAIMS", 1)
    _, members = circle(1, 2)
    first, second = made_log(2)
    repeats = [members.repeats(ANN, line) for line in (first, second, first, second, made_line(6), made_line(6))]

    assert repeats == [False, False, True, True, False, False]
    assert not members.repeats(BOB, first)

    members.remove(ANN)
    members.add(ANN)

    assert not members.repeats(ANN, first)


def test_claim_beyond_ours_says_that_we_are_behind() -> None:
    """Its newest word counts; one that makes no sense does not."""
    _, members = circle(1, 2)

    assert not members.claimed(ANN, [Head(log_id(5), 1, 3), Head(log_id(6), 9, 8)])
    assert list(members.behind) == []
    assert members.claimed(ANN, [Head(log_id(5), 2, 4)])
    assert not members.claimed(ANN, [Head(log_id(5), 2, 4)])
    assert list(members.behind) == [log_id(5)]
    assert members.claims(log_id(5)) == [(ANN, Head(log_id(5), 2, 4))]
    assert members.claim(ANN, log_id(6)) is None


def test_claims_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that invents logs is believed no further; known ones may still be claimed anew."""
    monkeypatch.setattr(module, "MAX_CLAIMS", 2)
    _, members = circle(1)
    members.claimed(ANN, [Head(log_id(number), 1, 1) for number in range(6, 10)])
    members.claimed(ANN, [Head(log_id(6), 1, 2)])

    assert [members.claim(ANN, log_id(number)) for number in (6, 7, 8)] == [
        Head(log_id(6), 1, 2),
        Head(log_id(7), 1, 1),
        None,
    ]


def test_line_shows_what_its_bearer_holds() -> None:
    """Of a log not spoken of yet it holds some before; else what it said still counts."""
    _, members = circle(1)
    members.showed(ANN, made_line(6, 500))
    members.claimed(ANN, [Head(log_id(5), 2, 7)])
    members.showed(ANN, made_line(5, 6))
    members.showed(ANN, made_line(5, 9))

    assert members.claim(ANN, log_id(6)) == Head(log_id(6), 501 - LATE_LINES, 500)
    assert members.claim(ANN, log_id(5)) == Head(log_id(5), 2, 9)


def test_only_rooms_are_joined_late() -> None:
    """A direct log is wanted from its first line on."""
    between = Members(Conversation(direct(fake_id(0), ANN), fake_id(0), set()))
    _, members = circle()

    assert (between.earliest(5000), members.earliest(5000), members.earliest(3)) == (1, 5001 - LATE_LINES, 1)


def test_disproved_claim_is_gone_unless_it_changed() -> None:
    """What a member said after it was asked still counts."""
    _, members = circle(1)
    old, new = Head(log_id(5), 1, 5), Head(log_id(5), 3, 6)
    members.claimed(ANN, [old])
    members.claimed(ANN, [new])
    members.disprove(ANN, old)

    assert members.claim(ANN, log_id(5)) == new

    members.disprove(ANN, new)
    members.disprove(ANN, new)

    assert members.claim(ANN, log_id(5)) is None


def test_looking_again_finds_where_we_are_behind() -> None:
    """After an author is welcome again."""
    _, members = circle(1)
    members.claimed(ANN, [Head(log_id(6), 1, 5), Head(log_id(5), 1, 1)])
    members.behind.clear()
    members.look_again()

    assert list(members.behind) == [log_id(6)]


def test_member_is_told_once_and_only_what_it_lacks() -> None:
    """Not what it was told, nor what it holds itself."""
    conversation, members = circle(1, 2)
    news = Heads(LAN, (Head(log_id(5), 1, 3),))
    members.claimed(BOB, [Head(log_id(5), 1, 3)])

    assert members.news(ANN, conversation.logs) == [news]
    assert members.news(ANN, conversation.logs) == []
    assert members.news(BOB, conversation.logs) == []
    assert members.is_any_told(log_id(5), 3)
    assert not members.is_any_told(log_id(5), 4)


def test_author_is_told_that_its_lines_came() -> None:
    """Though it surely holds them."""
    conversation, members = circle(5)
    members.claimed(fake_id(5), [Head(log_id(5), 1, 3)])

    assert members.news(fake_id(5), conversation.logs) != []


def test_many_logs_take_several_messages() -> None:
    """No message has more heads than one may."""
    conversation, members = circle(1)
    for number in range(MAX_HEADS):
        conversation.load(log_id(10 + number), 1, bytes(32), "text")

    assert [len(heads.heads) for heads in members.news(ANN, conversation.logs)] == [MAX_HEADS, 1]
