"""A conversation among its members: whom a line goes to, when heads are told, what is supplied."""

from __future__ import annotations

from random import Random

from peerterm.core.circle import CHOICE_SECONDS, FANOUT, HEADS_SECONDS, Circle
from peerterm.core.lines import ConversationId, Line, direct
from peerterm.core.pulls import NEVER
from peerterm.core.talk_messages import Head, Heads, Push, Send, Want
from tests.fakes.logs import log_id, made_line, made_log
from tests.fakes.talking import LAN, fake_id

OWN = fake_id(0)


def circle(*peers: int, conversation: ConversationId = LAN) -> Circle:
    made = Circle(conversation, OWN, set(), Random(1), is_open=True)
    for number in peers:
        assert made.add(fake_id(number))
    return made


def hold(held: Circle, line: Line) -> Line:
    held.conversation.append(line, held.conversation.judge(line)[0])
    return line


def told(sends: list[Send]) -> set[str]:
    return {send.peer for send in sends}


def test_line_goes_to_few_members_and_not_back() -> None:
    """At most ``FANOUT``; neither to whom it came from, nor to its author, nor to who holds it."""
    held = circle(*range(1, 21))
    line = hold(held, made_line(1))
    held.members.claimed(fake_id(3), [Head(log_id(1), 1, 1)])
    sends = held.push(line, 5, fake_id(2), 0)

    assert len(sends) == len(told(sends)) == FANOUT
    assert all(send.message == Push(line, 5) for send in sends)
    assert not told(sends) & {fake_id(1), fake_id(2), fake_id(3)}


def test_few_members_all_get_the_line() -> None:
    """If they are no more than ``FANOUT``; neither the author nor whence it came."""
    held = circle(1, 2, 3, 4)
    line = hold(held, made_line(1))

    assert told(held.push(line, 5, fake_id(2), 0)) == {fake_id(3), fake_id(4)}


def test_lines_go_the_same_way_for_a_while() -> None:
    """So that they come in order; then the way is chosen anew, and when somebody comes or goes."""
    held = circle(*range(2, 40))
    lines = made_log(4)
    ways = []
    for line, now in zip(lines, (0, CHOICE_SECONDS - 1, CHOICE_SECONDS, CHOICE_SECONDS), strict=True):
        if line.seq == 4:
            held.remove(fake_id(2))
        ways.append(told(held.push(hold(held, line), 5, OWN, now)))

    assert ways[0] == ways[1] != ways[2] != ways[3]


def test_room_is_told_soon_of_what_is_new() -> None:
    """At one random moment for all that came till then; not who was sent the line."""
    held = circle(*range(2, 12))
    first = hold(held, made_line(1))
    held.changed(first.log_id, 0)
    pushed = told(held.push(first, 5, OWN, 0))
    due = held.deadline()
    second = hold(held, made_line(12))
    held.changed(second.log_id, 0)

    assert HEADS_SECONDS[0] <= due <= HEADS_SECONDS[1]
    assert held.deadline() <= due
    assert held.tick(0) == []

    due = held.deadline()
    effects = held.tick(due)

    assert held.deadline() == NEVER
    assert effects == [
        Send(
            peer,
            Heads(
                LAN,
                (Head(log_id(12), 1, 1),) if peer in pushed else (Head(log_id(1), 1, 1), Head(log_id(12), 1, 1)),
            ),
        )
        for peer in held.members
    ]


def test_other_of_a_direct_conversation_is_told_at_once() -> None:
    """So it knows at once that its line came."""
    held = circle(1, conversation=direct(OWN, fake_id(1)))
    line = hold(held, made_line(1, conversation=direct(OWN, fake_id(1))))
    held.changed(line.log_id, 7)

    assert held.tick(7) == [Send(fake_id(1), Heads(held.conversation.id, (Head(log_id(1), 1, 1),)))]


def test_pull_is_answered_with_what_is_held() -> None:
    """What was forgotten since is told, what never was held is passed over."""
    held = circle(1)
    for line in made_log(9, 5)[4:]:
        held.conversation.load(line.log_id, line.seq, line.hash, line.kind)
    wants = [Want(log_id(5), 6), Want(log_id(6), 1)]

    assert held.supply(fake_id(1), wants) == ((Want(log_id(5), 6),), [])
    assert held.supply(fake_id(1), [Want(log_id(5), 2)]) == (
        (),
        [Send(fake_id(1), Heads(LAN, (Head(log_id(5), 5, 9),)))],
    )


def test_who_parts_has_no_members() -> None:
    """And nothing on the way."""
    held = circle(1, 2)
    held.part()

    assert list(held.members) == []
    assert held.push(hold(held, made_line(1)), 5, OWN, 0) == []
