"""One question put to every peer at once; the answers as they come."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from peerterm.errors import EngineBusy, PeerError, PeerRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.ids import PeerId
    from peerterm.engine.peers import Peers
    from peerterm.net.link import Link

    Ask: TypeAlias = Callable[[Link], AsyncIterator[list[CatalogEntry]]]
    Answers: TypeAlias = asyncio.Queue[tuple[PeerId, list[CatalogEntry]] | None]

log = logging.getLogger("peerterm.polling")

MAX_UNREAD = 64
"""Answers that wait for the asker; peers that have more wait too."""

BUSY_SECONDS = 0.3
"""How soon a peer that is busy is asked again."""


async def poll(peers: Peers, ask: Ask, timeout: float) -> AsyncIterator[tuple[PeerId, list[CatalogEntry]]]:
    """Ask every peer that is online.

    Args:
        peers: Who to ask.
        ask: Puts the question to one peer and yields the parts of its answer.
        timeout: Seconds for all of it; what has not come by then is not waited for.

    Cancel: safe, as is closing the iterator early; nobody is asked any more.
    """
    answers: Answers = asyncio.Queue(MAX_UNREAD)
    asking = asyncio.create_task(_ask_everyone(peers, ask, timeout, answers))
    try:
        while (answer := await answers.get()) is not None:
            yield answer
        asking.result()
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def _ask_everyone(peers: Peers, ask: Ask, timeout: float, answers: Answers) -> None:
    is_left = False
    try:
        await peers.settled()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), asyncio.TaskGroup() as group:
                for link in peers.links():
                    group.create_task(_ask_one(link, ask, answers))
    except asyncio.CancelledError:
        is_left = True  # nobody reads any more
        raise
    finally:
        if not is_left:
            await answers.put(None)


async def _ask_one(link: Link, ask: Ask, answers: Answers) -> None:
    while True:
        try:
            async for entries in ask(link):
                await answers.put((link.peer_id, entries))
        except PeerRefused as error:
            if isinstance(error.__cause__, EngineBusy):
                await asyncio.sleep(BUSY_SECONDS)
                continue
            log.info("refused peer=%s reason=%r", link.peer_id[:8], error.message)
        except PeerError as error:
            log.info("no answer peer=%s reason=%r", link.peer_id[:8], error.message)
        return
