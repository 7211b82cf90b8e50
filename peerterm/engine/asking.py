"""Who has what: asks peers about contents, a bounded batch at a time, one question open a peer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from peerterm.errors import PeerError, ProtocolViolation
from peerterm.wire.messages import MAX_ROOTS, InterestAnswer, InterestRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerterm.core.ids import Root
    from peerterm.engine.tasks import Tasks
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have

log = logging.getLogger("peerterm.asking")

ANSWER_SECONDS = 15.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 16.0
"""Seconds before a peer that gave no answer is asked again, doubling from the first to the longest."""


class Asking:
    """Puts questions to peers in the order they arise; the answers go to ``on_answer``."""

    def __init__(self, tasks: Tasks, on_answer: Callable[[Link, list[Root], list[Have]], None]) -> None:
        self._tasks = tasks
        self._on_answer = on_answer
        self._questions: dict[Link, dict[Root, None]] = {}

    def ask(self, link: Link, roots: Iterable[Root]) -> None:
        """Ask one peer about contents; returns at once."""
        if link in self._questions:
            self._questions[link].update(dict.fromkeys(roots))
        elif questions := dict.fromkeys(roots):
            self._questions[link] = questions
            self._tasks.start(self._work_off(link))

    async def _work_off(self, link: Link) -> None:
        """Ask until nothing is left to ask, or the link is gone. A peer that is slow or busy is asked again."""
        questions = self._questions[link]
        pause = FIRST_PAUSE
        try:
            while questions:
                batch = list(questions)[:MAX_ROOTS]
                try:
                    haves = await _haves(link, batch)
                except PeerError as error:
                    log.info("no answer peer=%s reason=%r", link.peer_id[:8], error.message)
                    if not link.is_open:
                        return
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    continue
                pause = FIRST_PAUSE
                for root in batch:
                    questions.pop(root, None)
                self._on_answer(link, batch, haves)
        except ProtocolViolation as violation:
            log.warning("impossible answer peer=%s reason=%r", link.peer_id[:8], violation.message)
        finally:
            del self._questions[link]


async def _haves(link: Link, roots: list[Root]) -> list[Have]:
    haves: list[Have] = []
    async with aclosing(link.ask(InterestRequest(roots=list(roots)), timeout=ANSWER_SECONDS)) as answers:
        async for answer in answers:
            assert isinstance(answer, InterestAnswer)
            haves += answer.haves
    return haves
