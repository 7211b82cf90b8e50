"""Drives the machine of ``core.talk``: keeps lines before anything is sent of them, carries messages over links.

Keeps the machine's three promises (see there). What users see of conversations is ``engine.talking``'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from peerterm.core.pulls import PULL_SECONDS
from peerterm.core.talk import Talk
from peerterm.core.talk_messages import Ask, Fork, Keep, Mark, Member, Refused, Send, Show
from peerterm.engine.tasks import Tasks
from peerterm.errors import EngineBusy, PeerError, StorageError
from peerterm.wire.messages import TALK, TalkPullAnswer
from peerterm.wire.talk import (
    from_wire,
    pull_from_wire,
    pull_to_wire,
    pulled_from_wire,
    pulled_to_wire,
    to_wire,
)

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, LogId
    from peerterm.core.talk_messages import Effect, Pull, Supply
    from peerterm.net.identity import Identity
    from peerterm.net.link import Link
    from peerterm.store.talk import KeptLine, TalkStore
    from peerterm.wire.messages import Message, TalkPullRequest

log = logging.getLogger("peerterm.talk_driver")

MAX_BATCHES = 1024
"""Inputs whose effects wait for the disk; what peers say on top of that is pulled again later."""

RETRY_SECONDS = 5.0
"""How long a store that failed is left alone."""


class Audience(Protocol):
    """Who is told what happens in conversations."""

    def line_kept(self, kept: KeptLine) -> None:
        """There is a new line, ours or another's."""
        ...

    def line_moved(self, mark: Mark) -> None:
        """Lines of a log got further: delivered, read, or seen by our user."""
        ...

    def member_moved(self, member: Member) -> None:
        """A linked peer is a member of a room of ours, or no longer."""
        ...

    def warned(self, trouble: Fork | Refused) -> None:
        """Somebody said what cannot be."""
        ...


_Place: TypeAlias = "tuple[ConversationId, LogId, int]"


@dataclass(slots=True, eq=False)
class _Batch:
    """What one input came to; ``done`` hears once it is kept and sent."""

    effects: list[Effect]
    done: asyncio.Future[list[KeptLine]] | None = None


class TalkDriver:
    """One machine, its store and its links.

    Attributes:
        talk: The machine; whatever its inputs return goes through ``perform`` or ``performed``.
    """

    talk: Talk

    def __init__(self, store: TalkStore, identity: Identity, audience: Audience) -> None:
        self._store = store
        self._identity = identity
        self._audience = audience
        self._links: dict[PeerId, Link] = {}
        self._batches: deque[_Batch] = deque()
        self._hurry = asyncio.Event()  # something is to be performed
        self._moved = asyncio.Event()  # the machine's deadline may be another
        self._tasks = Tasks()

    async def load(self) -> None:
        """Build the machine from the store, and tell it who is linked."""
        saved = await self._store.saved()
        self.talk = Talk(
            replace(saved, blocked=frozenset()),
            key=self._identity.key.public_key().public_bytes_raw(),
            rng=SystemRandom(),
            sign=self._identity.key.sign,
            verify=_verify,
        )
        for peer in list(self._links):
            self.perform(self.talk.link_opened(peer, time.monotonic()))

    async def run(self) -> None:
        """Keep, send and keep time until cancelled."""
        async with self._tasks:
            self._tasks.start(self._keep_time())
            while True:
                await self._hurry.wait()
                self._hurry.clear()
                while self._batches:
                    await self._perform_all()

    async def _keep_time(self) -> None:
        while True:
            deadline = self.talk.deadline()
            self._moved.clear()
            try:
                async with asyncio.timeout(None if deadline is None else max(deadline - time.monotonic(), 0)):
                    await self._moved.wait()
            except TimeoutError:
                self.perform(self.talk.tick(time.monotonic()))

    # Effects

    def perform(self, effects: list[Effect]) -> None:
        """Perform what an input came to, after all before it."""
        self._moved.set()
        if effects:
            self._batches.append(_Batch(effects))
            self._hurry.set()

    async def performed(self, effects: list[Effect]) -> list[KeptLine]:
        """Perform what an input came to, and return the lines it kept once they are on disk.

        Raises:
            StorageError: The disk refused; nothing of it was said.

        Cancel: it is performed all the same.
        """
        batch = _Batch(effects, asyncio.get_running_loop().create_future())
        assert batch.done is not None
        self._batches.append(batch)
        self._hurry.set()
        self._moved.set()
        return await asyncio.shield(batch.done)

    @property
    def is_behind(self) -> bool:
        """Whether the disk is so slow that peers are not listened to."""
        return len(self._batches) >= MAX_BATCHES

    async def _perform_all(self) -> None:
        batches = [self._batches.popleft() for _ in range(len(self._batches))]
        effects = [effect for batch in batches for effect in batch.effects]
        try:
            kept = await self._store.perform(effects, time.time())
        except StorageError as error:
            await self._begin_anew(error, batches)
            return
        lines = {(each.line.conversation, each.line.log_id, each.line.seq): each for each in kept}
        for batch in batches:
            for effect in batch.effects:
                self._do(effect, lines)
            if batch.done and not batch.done.done():
                own = [effect.line for effect in batch.effects if isinstance(effect, Keep)]
                batch.done.set_result([lines[line.conversation, line.log_id, line.seq] for line in own])

    def _do(self, effect: Effect, lines: dict[_Place, KeptLine]) -> None:
        match effect:
            case Send(peer, message):
                if link := self._links.get(peer):
                    link.send(to_wire(message))
            case Ask(peer, pull):
                if link := self._links.get(peer):
                    self._tasks.start(self._pull(link, pull))
            case Show(line):
                self._audience.line_kept(lines[line.conversation, line.log_id, line.seq])
            case Mark():
                self._audience.line_moved(effect)
            case Member():
                self._audience.member_moved(effect)
            case Fork() | Refused():
                self._audience.warned(effect)
            case _:
                pass  # done by the store, or by whoever answers the pull

    async def _begin_anew(self, error: StorageError, batches: list[_Batch]) -> None:
        """Forget what could not be kept, as after a crash: the machine goes on from what the store has."""
        log.warning("conversations cannot be kept reason=%r", error.message)
        for batch in (*batches, *self._batches):
            if batch.done and not batch.done.done():
                batch.done.set_exception(error)
        self._batches.clear()
        is_loaded = False
        while not is_loaded:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(StorageError):
                await self.load()
                is_loaded = True

    # Links

    def link_opened(self, link: Link) -> None:
        """Take a link; called again whenever its peer says something new of itself."""
        if TALK in link.hello.features and self._links.get(link.peer_id) is not link:
            self._links[link.peer_id] = link
            self.perform(self.talk.link_opened(link.peer_id, time.monotonic()))

    def peer_offline(self, peer: PeerId) -> None:
        """Take it that a peer is gone."""
        if self._links.pop(peer, None):
            self.perform(self.talk.link_closed(peer, time.monotonic()))

    def received(self, link: Link, message: Message) -> bool:
        """Take what a peer tells of conversations; return whether it was about them.

        Raises:
            ProtocolViolation: It cannot be meant.
        """
        told = from_wire(message, self.talk.own, link.peer_id)
        if told is None:
            return False
        if self._links.get(link.peer_id) is link and not self.is_behind:
            self.perform(self.talk.heard(link.peer_id, told, time.monotonic()))
        return True

    async def answer(self, link: Link, request: TalkPullRequest) -> TalkPullAnswer:
        """Answer a peer's pull, once all that was kept before is on disk.

        Raises:
            NotFound: It takes no part in that conversation.
            EngineBusy: It pulls too often, or the disk is behind.
            StorageError: The disk refuses.
        """
        if self.is_behind:
            raise EngineBusy("the disk is behind")
        pull = pull_from_wire(request, self.talk.own, link.peer_id)
        effects = self.talk.asked(link.peer_id, pull, time.monotonic())
        supply: Supply = effects[-1]  # type: ignore[assignment] # so it promises
        await self.performed(effects)
        return pulled_to_wire(request.request, await self._store.wanted(supply.conversation, supply.wants))

    async def _pull(self, link: Link, pull: Pull) -> None:
        peer = link.peer_id
        try:
            answer = await link.ask_one(pull_to_wire(pull), timeout=PULL_SECONDS)
            assert isinstance(answer, TalkPullAnswer)
        except PeerError as error:
            log.debug("no lines peer=%s reason=%r", peer[:8], error.message)
            self.perform(self.talk.unanswered(peer, pull, time.monotonic()))
            return
        self.perform(self.talk.answered(peer, pull, pulled_from_wire(answer, pull), time.monotonic()))


def _verify(key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
