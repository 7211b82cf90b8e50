"""Our own lines: numbered, signed, bounded; and none in a log that a copy of us writes in."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.conversation import Conversation
from peerterm.core.lines import LOG_BYTES, NO_HASH
from peerterm.core.pen import Pen
from peerterm.core.talk_messages import Renew
from peerterm.errors import EngineBusy, UsageError
from tests.fakes.logs import LOG, made_item, made_line
from tests.fakes.talking import LAN, fake_id, fake_key, fake_signature, fake_verify


def pen() -> Pen:
    return Pen(fake_key(0), "own", LOG, lambda data: fake_signature(fake_key(0), data), Random(1))


def room() -> Conversation:
    return Conversation(LAN, fake_id(0), set())


def test_line_follows_the_last_one() -> None:
    """Numbered and signed."""
    conversation = room()
    first = pen().write(conversation, "hello", "text", 5)
    conversation.append(first, conversation.judge(first)[0])
    second = pen().write(conversation, "waves", "me", 6)

    assert (first.seq, first.prev, first.author, first.log) == (1, NO_HASH, fake_id(0), LOG)
    assert first.name == second.name == "own"
    assert (second.seq, second.prev, second.kind, second.text, second.sent_at) == (2, first.hash, "me", "waves", 6)
    assert first.is_genuine(fake_verify)


def test_offer_is_written_and_answered() -> None:
    """What it offers, and what an answer is about, are signed with the rest."""
    offer = pen().write(room(), "take this", "offer", 5, items=(made_item(),))
    answer = pen().write(room(), "no", "decline", 5, about=offer.hash)

    assert (offer.kind, offer.items) == ("offer", (made_item(),))
    assert answer.about == offer.hash
    assert answer.is_genuine(fake_verify)


def test_impossible_line_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one too many that nobody holds."""
    conversation = room()
    with pytest.raises(UsageError):
        pen().write(conversation, "", "text", 5)
    with pytest.raises(UsageError):
        pen().write(conversation, "take nothing", "offer", 5)
    monkeypatch.setattr("peerterm.core.pen.MAX_QUEUED", 1)
    line = pen().write(conversation, "hello", "text", 5)
    conversation.append(line, conversation.judge(line)[0])
    with pytest.raises(EngineBusy):
        pen().write(conversation, "hello", "text", 5)
    with pytest.raises(EngineBusy):  # in a new log too
        Pen(fake_key(0), "own", b"new log.", lambda data: b"", Random(1)).write(conversation, "hello", "text", 5)


def test_log_that_another_writes_in_is_left() -> None:
    """Other lines of ours, and those of others, are no reason."""
    written = pen()

    assert written.renewed(made_line(1)) == []
    assert written.renewed(made_line(0, log=b"my other")) == []

    [renew] = written.renewed(made_line(0))

    assert renew == Renew(written.write(room(), "hello", "text", 5).log)
    assert len(renew.log) == LOG_BYTES
    assert written.renewed(made_line(0)) == []
