"""Who has what: asks peers about contents, a bounded batch at a time, one question open a peer."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from peerterm.errors import PeerError
from peerterm.wire.messages import MAX_ROOTS, InterestAnswer, InterestRequest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from peerterm.core.ids import Root
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have

log = logging.getLogger("peerterm.asking")

ANSWER_SECONDS = 15.0


class Asking:
    """Puts questions to peers in the order they arise; the answers go to ``on_answer``."""

    def __init__(self, group: asyncio.TaskGroup, on_answer: Callable[[Link, list[Root], list[Have]], None]) -> None:
        self._group = group
        self._on_answer = on_answer
        self._questions: dict[Link, dict[Root, None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, link: Link, roots: Iterable[Root]) -> None:
        """Ask one peer about contents; returns at once."""
        is_idle = link not in self._questions
        questions = self._questions.setdefault(link, {})
        questions.update(dict.fromkeys(roots))
        if is_idle and questions:
            task = self._group.create_task(self._work_off(link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif is_idle:
            del self._questions[link]

    async def _work_off(self, link: Link) -> None:
        questions = self._questions[link]
        try:
            while questions:
                batch = list(questions)[:MAX_ROOTS]
                for root in batch:
                    del questions[root]
                request = InterestRequest(roots=list(batch))
                haves: list[Have] = []
                async with aclosing(link.ask(request, timeout=ANSWER_SECONDS)) as answers:
                    async for answer in answers:
                        assert isinstance(answer, InterestAnswer)
                        haves += answer.haves
                self._on_answer(link, batch, haves)
        except PeerError as error:
            log.info("no answer peer=%s reason=%r", link.peer_id[:8], error.message)
        finally:
            del self._questions[link]

    def close(self) -> None:
        """Drop every question that is open."""
        for task in self._tasks:
            task.cancel()
