"""Drives the machine of ``core.talk``: keeps lines before anything is sent of them, carries messages over links.

Keeps the machine's three promises (see there). What users see of conversations is ``engine.talking``'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from peerterm.core.pulls import PULL_SECONDS
from peerterm.core.talk import Talk
from peerterm.core.talk_messages import Ask, Fork, Keep, Mark, Member, Push, Refused, Renew, Send, Show
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.errors import EngineNotRunning, PeerError, PeertermError, StorageError
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
    from peerterm.core.lines import ConversationId, Line, LogId
    from peerterm.core.talk_messages import Effect, Pull, Supply
    from peerterm.net.identity import Identity
    from peerterm.net.link import Link
    from peerterm.store.talk import KeptLine, TalkStore
    from peerterm.wire.messages import Message, TalkPullRequest

log = logging.getLogger("peerterm.talk_driver")

MAX_WAITING = 256
"""Messages of one peer whose effects wait for the disk; who says more is linked anew, and told all again then."""

SYNC_SECONDS = 0.5
"""How long what was kept may be lost if the power fails, though it is sent already; see ADR 11."""

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
    """What one input came to, and whose it was if a peer's; ``done`` hears once it is kept and sent."""

    effects: list[Effect]
    whence: PeerId | None = None
    done: asyncio.Future[list[KeptLine]] | None = None


class TalkDriver:
    """One machine, its store and its links.

    Attributes:
        talk: The machine; whatever its inputs return goes through ``perform`` or ``performed``.
    """

    talk: Talk

    def __init__(self, store: TalkStore, identity: Identity, name: str, audience: Audience) -> None:
        self._store = store
        self._identity = identity
        self._name = name
        self._audience = audience
        self._links: dict[PeerId, Link] = {}
        self._batches: deque[_Batch] = deque()
        self._waiting: Counter[PeerId] = Counter()  # how many of these are of each peer
        self._trouble: PeertermError | None = None  # why nothing is kept or sent now
        self._hurry = asyncio.Event()  # something is to be performed
        self._moved = asyncio.Event()  # the machine's deadline may be another
        self._is_written = asyncio.Event()  # something was written since the disk was last made sure of it
        self._tasks = Tasks()

    async def load(self) -> None:
        """Build the machine from the store.

        Raises:
            StorageError: The disk refused.
        """
        saved = await self._store.saved()
        self.talk = Talk(
            replace(saved, blocked=frozenset()),
            key=self._identity.key.public_key().public_bytes_raw(),
            name=self._name,
            rng=SystemRandom(),
            sign=self._identity.key.sign,
            verify=_verify,
        )

    async def run(self) -> None:
        """Keep, send and keep time until cancelled."""
        try:
            async with self._tasks:
                self._tasks.start(self._keep_time())
                self._tasks.start(self._make_sure())
                while True:
                    await self._hurry.wait()
                    self._hurry.clear()
                    while self._batches:
                        await self._perform_all()
        finally:
            self._give_up(EngineNotRunning("the engine stops", "say it again once it runs"))

    async def _keep_time(self) -> None:
        """Let the machine do what is due: if that is now, in the next turn of the loop, once for all of this."""
        while True:
            deadline = self.talk.deadline()
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if deadline is None else max(deadline - time.monotonic(), 0)):
                    await self._moved.wait()
            if effects := self.talk.tick(time.monotonic()):
                self._put(_Batch(effects))

    async def _make_sure(self) -> None:
        while True:
            await self._is_written.wait()
            self._is_written.clear()
            await asyncio.sleep(SYNC_SECONDS)
            await tolerate("bring what was said to the disk", self._store.sync)

    # Effects

    def perform(self, effects: list[Effect], whence: PeerId | None = None) -> None:
        """Perform what an input came to, after all before it.

        Args:
            effects: From the machine.
            whence: Who said what they came of, if a peer did.
        """
        self._moved.set()
        if effects:
            self._put(_Batch(effects, whence))

    async def performed(self, effects: list[Effect]) -> list[KeptLine]:
        """Perform what an input came to, and return the lines it kept once they are on disk.

        Raises:
            StorageError: The disk refused; nothing of it was said.
            EngineNotRunning: The engine stops; it may have been said.

        Cancel: it is performed all the same.
        """
        self._moved.set()
        done: asyncio.Future[list[KeptLine]] = asyncio.get_running_loop().create_future()
        self._put(_Batch(effects, done=done))
        return await asyncio.shield(done)

    def _put(self, batch: _Batch) -> None:
        self._batches.append(batch)
        if self._trouble:
            self._give_up(self._trouble)
            return
        if batch.whence:
            self._waiting[batch.whence] += 1
        self._hurry.set()

    async def _perform_all(self) -> None:
        batches = list(self._batches)
        effects = [effect for batch in batches for effect in batch.effects]
        try:
            kept = await self._store.perform(effects, time.time())
        except StorageError as error:
            await self._begin_anew(error)
            return
        if kept:
            self._is_written.set()
        lines = {(each.line.conversation, each.line.log_id, each.line.seq): each for each in kept}
        for batch in batches:
            for effect in batch.effects:
                self._do(effect, lines)
            self._batches.popleft()
            if batch.whence:
                self._waiting[batch.whence] -= 1
            if batch.done:
                own = [effect.line for effect in batch.effects if isinstance(effect, Keep)]
                batch.done.set_result([lines[line.conversation, line.log_id, line.seq] for line in own])
        self._waiting = +self._waiting

    def _do(self, effect: Effect, lines: dict[_Place, KeptLine]) -> None:
        match effect:
            case Send(peer, message):
                if link := self._links.get(peer):
                    link.send(to_wire(message))
                    if isinstance(message, Push):
                        _note(peer, message.line)
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

    async def _begin_anew(self, error: StorageError) -> None:
        """Forget what could not be kept, as after a crash: all goes on from what the store has, with new links."""
        log.warning("conversations cannot be kept reason=%r", error.message)
        self._give_up(error)
        while self._trouble:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(StorageError):
                saved = await self._store.saved()
                await self._store.perform([Renew(saved.log)], time.time())  # what can be read may take nothing
                await self.load()
                self._trouble = None
        for link in self._links.values():
            link.drop()  # their peers believe that we know what was forgotten
        self._links.clear()

    def _give_up(self, error: PeertermError) -> None:
        """Perform nothing that waits, and nothing more until the trouble is over."""
        self._trouble = error
        for batch in self._batches:
            if batch.done:
                batch.done.set_exception(type(error)(error.message, error.hint))
        self._batches.clear()
        self._waiting.clear()

    # Links

    def link_opened(self, link: Link) -> None:
        """Take a link; called again whenever its peer says something new of itself."""
        if TALK not in link.hello.features:
            self.peer_offline(link.peer_id)  # it came back as an older version
        elif self._links.get(link.peer_id) is not link:
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
        if self._links.get(link.peer_id) is not link:
            pass  # not in use any more, or of a peer that says it knows nothing of conversations
        elif self._waiting[link.peer_id] >= MAX_WAITING:
            log.warning("too many messages wait peer=%s", link.peer_id[:8])
            link.drop()
        else:
            self.perform(self.talk.heard(link.peer_id, told, time.monotonic()), link.peer_id)
        return True

    async def answer(self, link: Link, request: TalkPullRequest) -> TalkPullAnswer:
        """Answer a peer's pull, once all that was kept before is on disk.

        Raises:
            NotFound: It takes no part in that conversation.
            EngineBusy: It pulls too often.
            StorageError: The disk refuses.
            EngineNotRunning: The engine stops.
        """
        pull = pull_from_wire(request, self.talk.own, link.peer_id)
        effects = self.talk.asked(link.peer_id, pull, time.monotonic())
        supply: Supply = effects[-1]  # type: ignore[assignment] # so it promises
        await self.performed(effects)
        lines = await self._store.wanted(supply.conversation, supply.wants)
        answer = pulled_to_wire(request.request, lines)
        for line in lines[: len(answer.lines)]:
            _note(link.peer_id, line)
        return answer

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


def _note(peer: PeerId, line: Line) -> None:
    log.debug("line sent peer=%s author=%s log=%s seq=%d", peer[:8], line.author[:8], line.log.hex(), line.seq)


def _verify(key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
