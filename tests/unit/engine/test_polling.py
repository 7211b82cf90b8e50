"""One question to every peer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import Root
from peerterm.engine import polling as module
from peerterm.engine.polling import poll
from peerterm.errors import EngineBusy, PeerRefused, PeerUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from peerterm.engine.peers import Peers
    from peerterm.net.link import Link

ENTRY = CatalogEntry(("a",), "file", 1, 1, Root(b"r" * 32))


class Answerer:
    """As much of a link as is polled: raises its failures one after another, then answers in parts."""

    def __init__(
        self, peer_id: str, *failures: Exception, parts: int = 1, ready: asyncio.Event | None = None
    ) -> None:
        self.peer_id = peer_id
        self.failures = list(failures)
        self.parts = parts
        self.ready = ready
        self.asked = 0


class Everyone:
    """As much of the peers as a poll needs."""

    def __init__(self, *links: Answerer) -> None:
        self._links = links

    async def settled(self) -> None:
        """All are here."""

    def links(self) -> list[Any]:
        return list(self._links)


async def ask(link: Link) -> AsyncIterator[list[CatalogEntry]]:
    peer = cast("Answerer", link)
    peer.asked += 1
    if peer.failures:
        raise peer.failures.pop(0)
    if peer.ready:
        await peer.ready.wait()
    for _ in range(peer.parts):
        yield [ENTRY]


def polling(*links: Answerer, timeout: float = 5.0) -> AsyncGenerator[tuple[Any, list[CatalogEntry]], None]:
    answers = poll(cast("Peers", Everyone(*links)), ask, timeout)
    return cast("AsyncGenerator[tuple[Any, list[CatalogEntry]], None]", answers)


async def names(*links: Answerer, timeout: float = 5.0) -> list[str]:
    return sorted([peer async for peer, _ in polling(*links, timeout=timeout)])


def busy() -> PeerRefused:
    error = PeerRefused("ask later")
    error.__cause__ = EngineBusy("too many requests")
    return error


async def test_every_part_of_every_answer_comes() -> None:
    """Peers answer side by side; nobody at all is an end too."""
    assert await names(Answerer("anna", parts=2), Answerer("ben")) == ["anna", "anna", "ben"]
    assert await names() == []


async def test_peer_that_fails_costs_only_its_own_answer() -> None:
    """One that left and one that says no do not end the poll."""
    failing = [Answerer("gone", PeerUnavailable("left")), Answerer("no", PeerRefused("no"))]

    assert await names(*failing, Answerer("anna")) == ["anna"]
    assert [peer.asked for peer in failing] == [1, 1]


async def test_busy_peer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is only busy answers a little later."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.001)
    peer = Answerer("anna", busy(), busy())

    assert await names(peer) == ["anna"]
    assert peer.asked == 3


async def test_time_is_up_for_who_did_not_answer() -> None:
    """The others' answers have come; the poll ends in time."""
    assert await names(Answerer("mute", ready=asyncio.Event()), Answerer("anna"), timeout=0.05) == ["anna"]


async def test_poll_that_is_left_early_asks_nobody_any_more() -> None:
    """Closing the iterator ends every question, one that waits for an answer too."""
    async with (
        asyncio.timeout(5),
        aclosing(polling(Answerer("mute", ready=asyncio.Event()), Answerer("anna"))) as answers,
    ):
        assert await anext(answers) == ("anna", [ENTRY])
    assert len(asyncio.all_tasks()) == 1


async def test_poll_can_be_left_with_many_answers_unread() -> None:
    """Peers that wait for room do not keep the iterator from closing."""
    async with asyncio.timeout(0.5), aclosing(polling(Answerer("anna", parts=module.MAX_UNREAD * 2))) as answers:
        await anext(answers)
    assert len(asyncio.all_tasks()) == 1


async def test_bug_in_a_question_reaches_the_asker() -> None:
    """What nobody expected is not swallowed, and does not leave the asker waiting."""
    with pytest.raises(ExceptionGroup) as raised:
        await names(Answerer("anna", ZeroDivisionError()))

    assert raised.group_contains(ZeroDivisionError)
