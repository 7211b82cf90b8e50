"""What is held of a conversation: bounds, history, gaps, marks."""

from __future__ import annotations

import pytest

from peerterm.core import conversation as module
from peerterm.core.conversation import MAX_AUTHORS, MAX_HISTORY, MAX_LOGS_PER_AUTHOR, Conversation
from peerterm.core.line_log import Verdict
from peerterm.core.lines import direct
from peerterm.core.talk_messages import Forget, Head, Mark
from tests.fakes.logs import log_id, made_line, made_log
from tests.fakes.talking import LAN, fake_id

OWN = 0


def room(**logs: int) -> Conversation:
    """Return a room with so many lines of the peers ``p1``, ``p2``..."""
    conversation = Conversation(LAN, fake_id(OWN), set())
    for name, count in logs.items():
        for line in made_log(count, int(name[1:])):
            conversation.append(line, conversation.judge(line)[0])
    return conversation


def test_lines_make_heads() -> None:
    """Each log's first and last line are told."""
    conversation = room(p1=3, p2=1)

    assert conversation.heads() == [Head(log_id(1), 1, 3), Head(log_id(2), 1, 1)]
    assert conversation.seq(log_id(1)) == 3
    assert conversation.seq(log_id(9)) == 0
    assert conversation.last_hash(log_id(2)) == made_line(2).hash


def test_same_comes_of_what_is_loaded() -> None:
    """After a restart the conversation stands where it stood, even if its oldest lines were forgotten."""
    conversation = Conversation(LAN, fake_id(OWN), set())
    for line in made_log(6)[2:]:
        conversation.load(line.log_id, line.seq, line.hash, line.kind)

    assert conversation.heads() == [Head(log_id(1), 3, 6)]
    assert conversation.judge(made_log(7)[6])[1] is Verdict.NEXT


def test_log_begins_where_it_was_asked_for() -> None:
    """A line in the middle of an unknown log is later, unless it is the very one that was asked for."""
    conversation = room()
    line = made_log(9)[8]

    assert conversation.judge(line)[1] is Verdict.LATER

    log, verdict = conversation.judge(line, begins=True)

    assert verdict is Verdict.NEXT
    assert conversation.append(line, log) == []
    assert conversation.heads() == [Head(log_id(1), 9, 9)]


def test_gap_that_nobody_fills_is_jumped() -> None:
    """What is before the gap is kept no longer, so that what is held has none."""
    conversation = room(p1=3, p2=1)
    lines = made_log(9)
    log, verdict = conversation.judge(lines[7], begins=True)

    assert verdict is Verdict.NEXT
    assert conversation.append(lines[7], log) == [Forget(LAN, log_id(1), 8)]
    assert conversation.heads() == [Head(log_id(1), 8, 8), Head(log_id(2), 1, 1)]
    assert conversation.judge(lines[8], begins=True)[0] is log


def test_forked_log_is_taken_but_not_asked_for() -> None:
    """What others hold of it need not fit what we hold."""
    conversation = room(p1=3)

    assert conversation.wants(log_id(1))

    conversation.forked(log_id(1))

    assert conversation.takes(log_id(1))
    assert not conversation.wants(log_id(1))
    assert conversation.wants(log_id(2))


def test_blocked_and_foreign_authors_are_not_taken() -> None:
    """Who is blocked is not welcome anywhere, a third peer not in a direct conversation."""
    blocked = {fake_id(2)}
    everywhere = Conversation(LAN, fake_id(OWN), blocked)
    between = Conversation(direct(fake_id(OWN), fake_id(1)), fake_id(OWN), blocked)

    assert [everywhere.takes(log_id(number)) for number in (OWN, 1, 2, 3)] == [True, True, False, True]
    assert [between.takes(log_id(number)) for number in (OWN, 1, 2, 3)] == [True, True, False, False]


def test_authors_and_their_logs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further authors, further logs of one, and further logs of all have no room; those that have stay."""
    conversation = room()
    for number in range(1, MAX_AUTHORS + 1):
        conversation.load(log_id(number), 1, bytes(32), "text")
    for number in range(2, MAX_LOGS_PER_AUTHOR + 1):
        conversation.load(log_id(1, b"log %4d" % number), 1, bytes(32), "text")

    assert not conversation.takes(log_id(MAX_AUTHORS + 1))
    assert conversation.takes(log_id(1))
    assert not conversation.takes(log_id(1, b"another."))
    assert conversation.takes(log_id(2, b"another."))

    monkeypatch.setattr(module, "MAX_LOGS", len(conversation.logs))

    assert not conversation.takes(log_id(2, b"another."))


def test_history_is_bounded_but_the_end_of_each_log_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of a log never goes, else it would be taken again."""
    monkeypatch.setattr(module, "MAX_HISTORY", 5)
    conversation = room(p1=1, p2=4)
    [*_, line] = made_log(5, 2)

    assert conversation.append(line, conversation.judge(line)[0]) == [Forget(LAN, log_id(2), 2)]
    assert conversation.heads() == [Head(log_id(1), 1, 1), Head(log_id(2), 2, 5)]


def test_flood_of_one_author_costs_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has most lines loses the one kept longest, in whichever of its logs; what others said stays."""
    monkeypatch.setattr(module, "MAX_HISTORY", 8)
    conversation = room(p1=3, p2=2)
    for line in [*made_log(3, 2, log=b"another."), *made_log(4, 2)[2:]]:
        conversation.append(line, conversation.judge(line)[0])

    assert conversation.heads() == [
        Head(log_id(1), 1, 3),
        Head(log_id(2), 3, 4),
        Head(log_id(2, b"another."), 1, 3),
    ]

    for line in made_log(6, 2)[4:]:
        conversation.append(line, conversation.judge(line)[0])

    assert conversation.heads() == [
        Head(log_id(1), 1, 3),
        Head(log_id(2), 3, 6),
        Head(log_id(2, b"another."), 3, 3),
    ]


def test_history_that_may_not_be_forgotten_is_kept_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our lines in all our logs wait to be taken: those loaded, and those a bound did not see."""
    monkeypatch.setattr(module, "MAX_HISTORY", 5)
    conversation = room(p1=1)
    for log in (b"the old.", b"the new."):
        for line in made_log(3, OWN, log=log):
            conversation.load(line.log_id, line.seq, line.hash, line.kind)
    [*_, line] = made_log(4, OWN, log=b"the new.")

    assert conversation.queued() == 6
    assert conversation.append(line, conversation.judge(line)[0]) == []
    assert conversation.queued() == 7

    conversation.mark(log_id(OWN, b"the old."), "delivered", 2)

    assert conversation.queued() == 5


def test_own_lines_that_were_forgotten_wait_for_nobody() -> None:
    """A log of ours that came back from others begins where they had it."""
    conversation = room()
    for line in made_log(9, OWN)[6:]:
        conversation.load(line.log_id, line.seq, line.hash, line.kind)

    assert conversation.queued() == 3


@pytest.mark.parametrize(
    ("number", "kind", "is_answered"),
    [
        (OWN, "text", True),
        (OWN, "me", True),
        (OWN, "offer", True),
        (OWN, "accept", True),
        (OWN, "decline", False),
        (OWN, "withdraw", False),
        (OWN, "landed", False),
        (1, "text", False),
    ],
)
def test_only_what_our_user_says_to_get_more_answers(number: int, kind: str, is_answered: bool) -> None:
    """Not what is said without it; after a restart as before."""
    line = made_line(number, kind=kind)
    said, loaded = room(), room()
    said.append(line, said.judge(line)[0])
    loaded.load(line.log_id, line.seq, line.hash, kind)

    assert said.is_answered == loaded.is_answered == is_answered


def test_queued_lines_are_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our lines that nobody else holds yet outlive those of others."""
    monkeypatch.setattr(module, "MAX_HISTORY", 5)
    conversation = room(p0=3, p1=4)

    assert conversation.heads() == [Head(log_id(0), 1, 3), Head(log_id(1), 3, 4)]
    assert conversation.queued() == 3

    conversation.mark(log_id(0), "delivered", 2)
    for line in made_log(6)[4:]:
        conversation.append(line, conversation.judge(line)[0])

    assert conversation.queued() == 1
    assert conversation.heads() == [Head(log_id(0), 2, 3), Head(log_id(1), 4, 6)]


def test_bounds_leave_room_to_forget() -> None:
    """What may never be forgotten is less than the history."""
    assert module.MAX_QUEUED + module.MAX_LOGS < MAX_HISTORY


def test_marks_only_rise_and_name_lines_that_exist() -> None:
    """A peer that says it holds more than there is holds what there is."""
    conversation = room(p0=3)

    assert conversation.mark(log_id(0), "delivered", 2) == [Mark(LAN, log_id(0), "delivered", 2)]
    assert conversation.mark(log_id(0), "delivered", 1) == []
    assert conversation.mark(log_id(0), "delivered", 99) == [Mark(LAN, log_id(0), "delivered", 3)]
    assert conversation.mark(log_id(9), "read", 5) == []
    assert conversation.marked(log_id(0), "delivered") == 3
    assert conversation.marked(log_id(0), "read") == 0
