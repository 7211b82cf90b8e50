"""Who can give what of one transfer."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.core.download import Download
from peerterm.core.ids import PeerId, Root
from peerterm.engine import swarm as module
from peerterm.engine.swarm import Swarm
from peerterm.engine.tasks import Tasks
from peerterm.errors import ProtocolViolation
from peerterm.wire.messages import Have, HaveUpdate, InterestAnswer, InterestRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from peerterm.net.link import Link

TOP, OTHER, UNWANTED = (Root(bytes([number]) * 32) for number in range(3))
ANNA = PeerId("a" * 64)


class Peer:
    """As much of a link as a swarm needs: a peer that has these contents."""

    def __init__(self, *has: Root) -> None:
        self.is_open = True
        self.peer_id = ANNA
        self.has = has
        self.asked: list[Root] = []

    async def ask(self, request: InterestRequest, timeout: float) -> AsyncGenerator[InterestAnswer, None]:
        del timeout
        self.asked += [Root(root) for root in request.roots]
        haves = [Have(root=root, complete=True) for root in request.roots if root in self.has]
        yield InterestAnswer(request=1, haves=haves)


class Setup:
    """A swarm for two contents, and the machine it tells."""

    def __init__(self, tasks: Tasks) -> None:
        self.machine = Download(Random(1))
        self.wanted = [TOP, OTHER]
        for root in self.wanted:
            self.machine.add_content(root, 10)
        self.news = 0
        self.swarm = Swarm(TOP, self.wanted, self.machine, tasks, self._on_news)

    def _on_news(self) -> None:
        self.news += 1

    @property
    def on_offer(self) -> set[Root]:
        """What may be asked of anna now."""
        return {fetch.piece.root for fetch in self.machine.pump(0.0)}

    @property
    def is_member(self) -> bool:
        return any(source.is_present for source in self.machine.sources.values())


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with Tasks() as tasks:
        yield Setup(tasks)


def link(peer: Peer) -> Link:
    return cast("Link", peer)


async def answered() -> None:
    """Let the questions be put and answered."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_peer_with_the_top_is_asked_about_all(setup: Setup) -> None:
    """A member is asked about every content wanted; what it has may be fetched."""
    peer = Peer(TOP, OTHER)
    setup.swarm.meet(link(peer))
    await answered()

    assert peer.asked == [TOP, TOP, OTHER]
    assert setup.on_offer == {TOP, OTHER}
    assert setup.news


async def test_peer_without_the_top_is_no_member(setup: Setup) -> None:
    """It is asked about the top alone, and used for nothing."""
    peer = Peer(OTHER)
    setup.swarm.meet(link(peer))
    await answered()
    setup.swarm.want(OTHER)
    await answered()

    assert peer.asked == [TOP]
    assert not setup.is_member
    assert not setup.on_offer


async def test_member_is_asked_about_what_is_wanted_later(setup: Setup) -> None:
    """A content that is wanted only now is asked about at once."""
    peer = Peer(TOP)
    setup.swarm.meet(link(peer))
    await answered()
    setup.wanted.append(UNWANTED)
    setup.swarm.want(UNWANTED)
    await answered()

    assert peer.asked[-1] == UNWANTED
    assert setup.on_offer == {TOP}


async def test_news_of_the_top_make_a_member(setup: Setup) -> None:
    """A peer that begins to fetch the same is found without asking."""
    peer = Peer(TOP)
    setup.swarm.updated(link(peer), HaveUpdate(root=TOP, chunks=[0]))

    assert setup.on_offer == {TOP}
    await answered()
    assert peer.asked == [TOP, OTHER]


async def test_news_of_what_is_gone_or_not_wanted_change_nothing(setup: Setup) -> None:
    """Neither makes a member, nor does news of a content by a stranger."""
    peer = Peer()
    for update in (
        HaveUpdate(root=TOP, gone=True),
        HaveUpdate(root=OTHER, complete=True),
        HaveUpdate(root=UNWANTED, complete=True),
    ):
        setup.swarm.updated(link(peer), update)
    await answered()

    assert not setup.is_member
    assert not setup.news


async def test_content_that_is_gone_is_not_asked_for(setup: Setup) -> None:
    """A member that stops to offer a content stays a member for the rest."""
    peer = Peer(TOP, OTHER)
    setup.swarm.meet(link(peer))
    await answered()
    setup.swarm.updated(link(peer), HaveUpdate(root=OTHER, gone=True))

    assert setup.on_offer == {TOP}


@pytest.mark.parametrize("chunk", [2**40, 2**62])
async def test_impossible_news_are_a_violation(setup: Setup, chunk: int) -> None:
    """No content has such a chunk."""
    peer = Peer(TOP)
    with pytest.raises(ProtocolViolation):
        setup.swarm.updated(link(peer), HaveUpdate(root=TOP, chunks=[chunk]))


async def test_peer_that_left_and_returns_is_a_member_again(setup: Setup) -> None:
    """With a new link it is asked anew about everything."""
    setup.swarm.meet(link(Peer(TOP, OTHER)))
    await answered()
    setup.swarm.leave(ANNA)
    assert not setup.is_member
    again = Peer(TOP, OTHER)
    setup.swarm.meet(link(again))
    await answered()

    assert again.asked == [TOP, TOP, OTHER]
    assert setup.on_offer == {TOP, OTHER}


async def test_peer_dropped_for_good_is_asked_about_nothing_more(setup: Setup) -> None:
    """The machine dropped it; the swarm does too."""
    peer = Peer(TOP)
    setup.swarm.meet(link(peer))
    await answered()
    setup.swarm.drop(ANNA, for_good=True)
    before = len(peer.asked)
    setup.swarm.want(UNWANTED)
    await answered()

    assert len(peer.asked) == before


@pytest.mark.parametrize("is_open", [True, False])
async def test_peer_is_asked_again_for_what_it_did_not_have(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    """Once for all of it and only for what is wanted still; not if its link is gone, nor if it is no member."""
    monkeypatch.setattr(module, "RECOVERY_SECONDS", 0.0)
    peer = Peer(TOP, OTHER)
    setup.swarm.ask_again(ANNA, OTHER)
    setup.swarm.meet(link(peer))
    await answered()
    for root in (TOP, OTHER, UNWANTED):
        setup.machine.has_nothing(ANNA, root)
        setup.swarm.ask_again(ANNA, root)
    before = len(peer.asked)
    assert not setup.on_offer
    peer.is_open = is_open
    await answered()

    assert set(peer.asked[before:]) == ({TOP, OTHER} if is_open else set())
    assert setup.on_offer == ({TOP, OTHER} if is_open else set())


@pytest.mark.parametrize("is_open", [True, False])
async def test_peer_that_was_silent_is_met_again(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    """It may have recovered, unless its link is gone; a stranger is no member to drop."""
    monkeypatch.setattr(module, "RECOVERY_SECONDS", 0.0)
    peer = Peer(TOP)
    setup.swarm.meet(link(peer))
    await answered()
    setup.machine.source_left(ANNA, 0.0)
    peer.is_open = is_open
    setup.swarm.drop(ANNA, for_good=False)
    setup.swarm.drop(PeerId("b" * 64), for_good=False)
    await answered()

    assert setup.is_member == is_open
