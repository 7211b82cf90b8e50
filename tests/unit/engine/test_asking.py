"""Questions about who has what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.core.ids import Root
from peerterm.engine import asking as module
from peerterm.engine.asking import Asking
from peerterm.engine.tasks import Tasks
from peerterm.errors import PeerUnavailable, ProtocolViolation
from peerterm.wire.messages import MAX_ROOTS, Have, InterestAnswer, InterestRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerterm.net.link import Link

ROOTS = [Root(number.to_bytes(32, "big")) for number in range(MAX_ROOTS * 2 + 1)]


class Asked:
    """As much of a link as is asked: has every root with an even number, and answers once ``ready``."""

    peer_id = "a" * 64

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.is_open = True
        self.failures: list[Exception] = []
        self.batches: list[list[Root]] = []

    async def ask(self, request: InterestRequest, timeout: float) -> AsyncGenerator[InterestAnswer, None]:
        assert timeout > 0
        self.batches.append([Root(root) for root in request.roots])
        await self.ready.wait()
        if self.failures:
            raise self.failures.pop(0)
        haves = [Have(root=root, complete=True) for root in request.roots if root[-1] % 2 == 0]
        yield InterestAnswer(request=1, haves=haves[:1], done=False)
        yield InterestAnswer(request=1, haves=haves[1:])


class Answers:
    """Collects answers; ``until`` waits for so many roots to be answered."""

    def __init__(self) -> None:
        self.asked: list[Root] = []
        self.offered: list[Root] = []
        self._came = asyncio.Event()

    def __call__(self, link: Link, asked: list[Root], haves: list[Have]) -> None:
        del link
        self.asked += asked
        self.offered += [Root(have.root) for have in haves]
        self._came.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.asked) < count:
                self._came.clear()
                await self._came.wait()


def link(asked: Asked) -> Link:
    return cast("Link", asked)


async def test_many_roots_are_asked_in_batches_of_bounded_size() -> None:
    """Each question names as many roots as a message may; the parts of an answer are put together."""
    peer, answers = Asked(), Answers()
    async with Tasks() as tasks:
        Asking(tasks, answers).ask(link(peer), ROOTS)
        await answers.until(len(ROOTS))

    assert [len(batch) for batch in peer.batches] == [MAX_ROOTS, MAX_ROOTS, 1]
    assert answers.asked == ROOTS
    assert answers.offered == ROOTS[::2]


async def test_one_question_is_open_at_a_time() -> None:
    """What arises meanwhile waits, is asked once however often it arose, and comes next."""
    peer, answers = Asked(), Answers()
    peer.ready.clear()
    async with Tasks() as tasks:
        asking = Asking(tasks, answers)
        asking.ask(link(peer), ROOTS[:1])
        await asyncio.sleep(0)
        asking.ask(link(peer), ROOTS[1:3])
        asking.ask(link(peer), ROOTS[2:4])
        assert len(peer.batches) == 1
        peer.ready.set()
        await answers.until(4)

    assert peer.batches == [ROOTS[:1], ROOTS[1:4]]


async def test_nothing_to_ask_asks_nothing() -> None:
    """An empty question is none, and a later one is asked."""
    peer, answers = Asked(), Answers()
    async with Tasks() as tasks:
        asking = Asking(tasks, answers)
        asking.ask(link(peer), [])
        asking.ask(link(peer), ROOTS[:1])
        await answers.until(1)

    assert peer.batches == [ROOTS[:1]]


async def test_peer_that_is_slow_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in time is no answer for ever while the link is open."""
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.0)
    peer, answers = Asked(), Answers()
    peer.failures = [PeerUnavailable("too slow"), PeerUnavailable("too slow")]
    async with Tasks() as tasks:
        Asking(tasks, answers).ask(link(peer), ROOTS[:1])
        await answers.until(1)

    assert peer.batches == [ROOTS[:1]] * 3


async def test_link_that_ended_is_not_asked_again() -> None:
    """With the link its questions end; a new question to it is a new start."""
    peer, answers = Asked(), Answers()
    peer.failures, peer.is_open = [PeerUnavailable("gone")], False
    async with Tasks() as tasks:
        asking = Asking(tasks, answers)
        asking.ask(link(peer), ROOTS[:1])

    assert not answers.asked
    async with Tasks() as tasks:
        asking._tasks = tasks
        asking.ask(link(peer), ROOTS[1:2])
        await answers.until(1)
    assert answers.asked == ROOTS[1:2]


async def test_impossible_answer_is_logged_and_ends_the_questions(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that says what cannot be true is not believed, and nothing else suffers."""

    def judge(link: Link, asked: list[Root], haves: list[Have]) -> None:
        raise ProtocolViolation("bits of a chunk that cannot be")

    peer = Asked()
    async with Tasks() as tasks:
        Asking(tasks, judge).ask(link(peer), ROOTS[:1])

    assert "bits of a chunk that cannot be" in caplog.text
