"""Links and circles: who takes part in what, from when until when."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core import circles as module
from peerterm.core.circles import MAX_ROOMS, Circles
from peerterm.core.lines import ConversationId, direct
from peerterm.core.talk_messages import Head, Heads, Member, Read, Send
from tests.fakes.logs import log_id, made_log
from tests.fakes.talking import LAN, fake_id

OWN, ANN, BOB = fake_id(0), fake_id(1), fake_id(2)
DIRECT = direct(OWN, ANN)


def circles(*rooms: str) -> Circles:
    made = Circles(OWN, set(), Random(1))
    for room in rooms:
        made[ConversationId(room)].is_open = True
    return made


def load(made: Circles, conversation: ConversationId, count: int, number: int = 1, kind: str = "text") -> None:
    for line in made_log(count, number, conversation=conversation):
        made[conversation].conversation.load(line.log_id, line.seq, line.hash, kind)


def test_new_link_is_told_of_our_rooms_and_what_is_between_us() -> None:
    """Of a room without lines too: it says that we are a member."""
    made = circles("#lan", "#empty")
    load(made, LAN, 3)
    load(made, DIRECT, 2)
    made[ConversationId("#left")]

    assert made.opened(ANN) == [
        Send(ANN, Heads(LAN, (Head(log_id(1), 1, 3),))),
        Send(ANN, Heads(ConversationId("#empty"), ())),
        Send(ANN, Heads(DIRECT, (Head(log_id(1), 1, 2),))),
    ]
    assert made.opened(BOB)[2:] == []
    assert (made.links, made.is_linked(ANN), made.is_linked(OWN)) == ([ANN, BOB], True, False)
    assert made.rooms() == ["#lan", "#empty"]


def test_peer_takes_part_once_it_says_so() -> None:
    """Until it leaves, or its link ends."""
    made = circles("#lan")
    made.opened(ANN)
    made.opened(BOB)

    assert made.part(LAN, ANN) is None

    circle = made.enter(LAN, ANN)
    made.enter(LAN, BOB)

    assert made.part(LAN, ANN) is circle is made.enter(LAN, ANN) is made[LAN]
    assert made.members(LAN) == [ANN, BOB]
    assert made.leave(LAN, ANN) == [Member(LAN, ANN, is_member=False)]
    assert made.leave(LAN, ANN) == []
    assert made.closed(BOB) == [Member(LAN, BOB, is_member=False)]
    assert made.closed(BOB) == []
    assert made.members(LAN) == []


def test_rooms_of_others_are_heard_of() -> None:
    """Though we are no member, or no longer; impossible names are not, nor more than some."""
    made = circles()
    made[ConversationId("#left")]
    made.opened(ANN)
    for name in ("#other", "#left", "#Bad Name"):
        assert made.enter(ConversationId(name), ANN) is None

    assert made.heard_of() == {"#other", "#left"}

    for number in range(100):
        made.enter(ConversationId(f"#room{number}"), ANN)

    assert len(made.heard_of()) == MAX_ROOMS
    assert made.closed(ANN) == []
    assert made.heard_of() == set()


def test_full_room_takes_no_further_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is heard, and no more."""
    monkeypatch.setattr("peerterm.core.members.MAX_MEMBERS", 1)
    made = circles("#lan")
    made.opened(ANN)
    made.opened(BOB)

    assert made.enter(LAN, ANN) is not None
    assert made.enter(LAN, BOB) is None
    assert made.closed(BOB) == []


def test_conversation_without_lines_ends_with_the_link() -> None:
    """One with lines stays."""
    made = circles()
    for peer in (ANN, BOB):
        made.opened(peer)
        made.enter(direct(OWN, peer), peer)
    load(made, DIRECT, 1)
    made.closed(ANN)
    made.closed(BOB)

    assert [circle.conversation.id for circle in made] == [DIRECT]


def test_strangers_begin_few_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that our user has answered do not count, and those that exist go on."""
    monkeypatch.setattr(module, "MAX_UNANSWERED", 2)
    made = circles("#lan")
    load(made, direct(OWN, fake_id(7)), 1, 7)
    load(made, direct(OWN, fake_id(8)), 1, 0)
    load(made, direct(OWN, ANN), 1)
    made.opened(ANN)
    made.opened(BOB)

    assert made.enter(direct(OWN, ANN), ANN) is not None
    assert made.enter(direct(OWN, BOB), BOB) is None

    load(made, direct(OWN, ANN), 1, 0, "decline")

    assert made.enter(direct(OWN, BOB), BOB) is None

    load(made, direct(OWN, ANN), 2, 0)

    assert made.enter(direct(OWN, BOB), BOB) is not None


def test_the_other_is_told_what_was_read() -> None:
    """Of its own logs, in a direct conversation, when there is anything."""
    made = circles("#lan")
    load(made, DIRECT, 3)
    load(made, DIRECT, 1, 0)
    load(made, LAN, 1)
    made[DIRECT].conversation.mark(log_id(1), "seen", 2)
    made[DIRECT].conversation.mark(log_id(0), "seen", 1)
    made[LAN].conversation.mark(log_id(1), "seen", 1)

    assert made.receipts(made[DIRECT], [log_id(1)]) == []
    assert made.opened(ANN)[-1] == Send(ANN, Read(DIRECT, b"the log.", 2))
    assert made.receipts(made[LAN], [log_id(1)]) == []
