"""The machine of one peer, driven by hand."""

from __future__ import annotations

from random import Random

from peerterm.core.lines import ConversationId, direct
from peerterm.core.talk import Talk
from peerterm.core.talk_messages import Effect, Head, Heads, Saved
from tests.fakes.logs import LOG, log_id
from tests.fakes.talking import LAN, fake_id, fake_key, fake_signature, fake_verify

OWN, ANN, BOB, CAT = map(fake_id, range(4))
DIRECT = direct(OWN, ANN)


def talk(*rooms: str, saved: Saved | None = None) -> Talk:
    """Return the machine of peer 0, a member of these rooms."""
    return Talk(
        saved or Saved(LOG, tuple(map(ConversationId, rooms))),
        key=fake_key(0),
        name="own",
        rng=Random(1),
        sign=lambda data: fake_signature(fake_key(0), data),
        verify=fake_verify,
    )


def say(made: Talk, conversation: ConversationId = LAN, text: str = "hello", now: float = 0) -> list[Effect]:
    return made.said(conversation, text, sent_at=1, now=now)


def meet(made: Talk, *numbers: int, room: ConversationId = LAN) -> None:
    """Link peers that are members of the room and hold nothing."""
    for number in numbers:
        made.link_opened(fake_id(number), 0)
        made.heard(fake_id(number), Heads(room, ()), 0)


def claim(number: int, seq: int, first: int = 1, conversation: ConversationId = LAN) -> Heads:
    return Heads(conversation, (Head(log_id(number), first, seq),))
