"""What peers tell of conversations survives the wire; a link speaks of no conversation but its own and rooms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerterm.core.lines import MAX_ITEM_SIZE, MAX_ITEMS, MAX_TEXT, ConversationId, direct
from peerterm.core.talk_messages import (
    MAX_HOPS,
    MAX_PULLED_BYTES,
    MAX_PULLED_LINES,
    Head,
    Heads,
    Leave,
    Pull,
    Pulled,
    Push,
    Read,
    Told,
    Want,
)
from peerterm.errors import ProtocolViolation
from peerterm.wire.codec import encode
from peerterm.wire.messages import Ping, TalkHeads, TalkLeave, TalkPullAnswer, TalkPullRequest
from peerterm.wire.talk import (
    ITEM_BYTES,
    LINE_BYTES,
    from_wire,
    pull_from_wire,
    pull_to_wire,
    pulled_from_wire,
    pulled_to_wire,
    to_wire,
)
from tests.fakes.logs import LOG, log_id, made_item, made_line, made_log
from tests.fakes.talking import LAN, fake_id, over_the_wire

ANN, BOB = fake_id(1), fake_id(2)
DIRECT = direct(ANN, BOB)

TOLD: list[Told] = [
    Heads(LAN, (Head(log_id(5), 1, 3), Head(log_id(6), 2**63 - 1, 2**63 - 1))),
    Heads(LAN, ()),
    Heads(DIRECT, (Head(log_id(1), 1, 3),)),
    Push(made_line(5, text="\n\0🎉"), MAX_HOPS),
    Push(made_line(1, conversation=DIRECT), 0),
    Push(made_line(1, conversation=DIRECT, kind="offer", items=(made_item(), made_item("b", kind="folder"))), 0),
    Push(made_line(1, conversation=DIRECT, kind="accept", about=bytes(range(32))), 0),
    Read(DIRECT, LOG, 7),
    Leave(LAN),
]


@pytest.mark.parametrize("told", TOLD, ids=lambda told: type(told).__name__)
def test_what_is_told_survives_the_wire(told: Told) -> None:
    """The receiver reads what the sender said."""
    assert from_wire(over_the_wire(to_wire(told)), BOB, ANN) == told


def test_other_messages_are_not_about_conversations() -> None:
    """They are somebody else's business."""
    assert from_wire(Ping(nonce=1), BOB, ANN) is None


@pytest.mark.parametrize("conversation", [LAN, DIRECT])
def test_pull_and_its_answer_survive_the_wire(conversation: ConversationId) -> None:
    """Bound to the conversation that was asked about."""
    pull = Pull(conversation, (Want(log_id(5), 1), Want(log_id(6), 9)))
    request = over_the_wire(pull_to_wire(pull))
    lines = made_log(3, 1, conversation=conversation)
    answer = over_the_wire(pulled_to_wire(7, lines))
    assert isinstance(request, TalkPullRequest)
    assert isinstance(answer, TalkPullAnswer)

    assert pull_from_wire(request, BOB, ANN) == pull
    assert pulled_from_wire(answer, pull) == Pulled(tuple(lines), more=False)


def test_answer_is_cut_at_its_bounds() -> None:
    """Of lines, and of bytes: then it says that there is more."""
    many = pulled_to_wire(1, made_log(MAX_PULLED_LINES + 1))
    long = pulled_to_wire(1, made_log(5, text="🎉" * MAX_TEXT))

    assert (len(many.lines), many.more) == (MAX_PULLED_LINES, True)
    assert (len(long.lines), long.more) == (MAX_PULLED_BYTES // (LINE_BYTES + 4 * MAX_TEXT), True)
    assert pulled_to_wire(1, made_log(MAX_PULLED_LINES)).more is False
    assert pulled_to_wire(1, made_log(1), more=True).more is True


def test_line_takes_no_more_bytes_than_counted() -> None:
    """So that no answer is too long for a frame."""
    line = made_line(1, 2**63 - 1, text="x", name="x", about=bytes(32))
    items = tuple(made_item("x", kind="folder", size=MAX_ITEM_SIZE, files=MAX_ITEM_SIZE) for _ in range(MAX_ITEMS))
    empty, alone, offer = (
        len(encode(pulled_to_wire(2**32 - 1, lines)))
        for lines in ([], [line], [replace(line, kind="offer", items=items)])
    )

    assert alone - empty + 15 <= LINE_BYTES  # a kind may be so much longer than "text"
    assert offer - alone <= MAX_ITEMS * (ITEM_BYTES + 1)


def test_longest_line_fits_an_answer() -> None:
    """Else nobody could pull it, nor what follows."""
    items = tuple(made_item("\N{GRINNING FACE}" * 63 + "abc", kind="folder") for _ in range(MAX_ITEMS))
    longest = made_line(text="🎉" * MAX_TEXT, name="\u20ac" * 32, kind="offer", items=items)
    answer = pulled_to_wire(1, [longest, made_line()])

    assert len(answer.lines) >= 1
    assert over_the_wire(answer) == answer


@pytest.mark.parametrize("room", ["lan", "x#"])
def test_room_without_its_sign_is_a_violation(room: str) -> None:
    """Other impossible names are only not joined: which letters there are depends on the version of Unicode."""
    with pytest.raises(ProtocolViolation):
        from_wire(TalkHeads(room=room), BOB, ANN)
    with pytest.raises(ProtocolViolation):
        from_wire(TalkLeave(room=room), BOB, ANN)
