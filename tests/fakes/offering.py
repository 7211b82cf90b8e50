"""Offers, and the lines that make and answer them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from peerterm.core.lines import ConversationId, Item, Line, direct
from peerterm.core.offer import Offer
from tests.fakes.engines import PATIENCE, closing
from tests.fakes.logs import LOG, made_item, made_line
from tests.fakes.talking import fake_id

if TYPE_CHECKING:
    from peerterm.api.engine import EngineApi
    from peerterm.api.views import OfferView

OWN, ANN = fake_id(0), fake_id(1)
DIRECT = direct(OWN, ANN)


def made_offer(**changes: Any) -> Offer:
    """Return an offer of peer 1 to peer 0."""
    known: dict[str, Any] = {
        "hash": bytes(32),
        "peer": ANN,
        "is_own": False,
        "log": LOG,
        "seq": 1,
        "sent_at": 5,
        "items": (made_item(),),
        "state": "offered",
    }
    return Offer(**known | changes)


def offer_line(
    number: int = 1, seq: int = 1, *items: Item, conversation: ConversationId = DIRECT, log: bytes = LOG
) -> Line:
    """Return the line by which the peer ``number`` offers something."""
    return made_line(number, seq, kind="offer", items=items or (made_item(),), conversation=conversation, log=log)


def answer_line(number: int, kind: str, about: Line, seq: int = 1) -> Line:
    """Return the line by which the peer ``number`` answers an offer, or withdraws it."""
    return made_line(number, seq, kind=kind, about=about.hash, conversation=about.conversation)


async def offer_when(engine: EngineApi, *states: str, name: str = "", peer: str = "") -> OfferView:
    """Wait until an offer of this name, with this peer, is in one of some states; return it."""
    async with asyncio.timeout(PATIENCE), closing(engine.events()) as events:
        async for _ in events:
            for view in await engine.offers():
                if view.state in states and name in ("", view.name) and peer in ("", view.peer_name):
                    return view
    raise AssertionError("the engine ended")
