"""Who has what: asks peers about contents, a bounded batch at a time, one question open a peer."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from peerterm.errors import PeerError
from peerterm.wire.messages import MAX_ROOTS, InterestAnswer, InterestRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerterm.core.ids import Root
    from peerterm.engine.tasks import Tasks
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have

log = logging.getLogger("peerterm.asking")

ANSWER_SECONDS = 15.0


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
