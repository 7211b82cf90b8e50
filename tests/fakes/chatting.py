"""Conversations of real engines: what tests wait for, and a peer that says in them whatever a test wants."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from peerterm.api.events import ConversationChanged, Snapshot
from peerterm.core.lines import NO_HASH, ConversationId, Line, LogId, direct
from peerterm.core.talk_messages import Head, Heads, Push
from peerterm.net.identity import Identity
from peerterm.wire.messages import TALK, TalkPullRequest
from peerterm.wire.talk import from_wire, pull_from_wire, pulled_to_wire, to_wire
from tests.fakes.engines import PATIENCE, until_online
from tests.fakes.fake_peer import FakePeer
from tests.fakes.linked import contexts_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import ConversationView, MessageView
    from peerterm.core.ids import PeerId
    from peerterm.core.talk_messages import Told
    from peerterm.engine.engine import Engine
    from peerterm.net.link import Link
    from peerterm.wire.messages import Answer, Request

LAN = ConversationId("#lan")
LOG = b"its log."


class Chatterer(FakePeer):
    """A peer that knows conversations, and what it signs stands in a log of its own.

    Attributes:
        lines: What it gives to whoever asks.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(contexts_of(folder, f"{name}.key"), name)
        self.identity = Identity.load_or_create(folder / f"{name}.key")
        self.lines: list[Line] = []
        self._engine_id: PeerId

    @property
    def id(self) -> PeerId:
        """Who it is."""
        return self.identity.peer_id

    @property
    def between(self) -> ConversationId:
        """Its conversation with the engine it is linked to."""
        return direct(self.id, self._engine_id)

    async def connect(self, engine: EngineApi, **hello: Any) -> None:
        """Link to an engine, and say so of conversations unless told otherwise."""
        self._engine_id = (await engine.identity()).peer_id  # type: ignore[assignment] # a view's is a plain string
        await super().connect(engine, **{"features": [TALK]} | hello)

    def line(self, conversation: ConversationId, text: str, after: Line | None = None, **fields: Any) -> Line:
        """Return a line as it signs it: the first of its log, or the one after another."""
        return signed(self.identity, conversation, text, after, **fields)

    def written(self, conversation: ConversationId, count: int) -> list[Line]:
        """Return the first lines of its log: ``1``, ``2``, ..."""
        lines = [self.line(conversation, "1")]
        while len(lines) < count:
            lines.append(self.line(conversation, str(len(lines) + 1), lines[-1]))
        return lines

    def tell(self, *messages: Told) -> None:
        """Tell the engine."""
        for message in messages:
            self.link.send(to_wire(message))

    def push(self, *lines: Line) -> None:
        """Tell the engine new lines."""
        self.tell(*(Push(line, 8) for line in lines))

    def claim(self, conversation: ConversationId, seq: int) -> None:
        """Say that it holds so many lines of its log; of a room also that it is a member."""
        self.tell(Heads(conversation, (Head(LogId(self.id, LOG), 1, seq),) if seq else ()))

    def told(self) -> list[Told]:
        """Return what the engine has told of conversations."""
        messages = [from_wire(message, self.id, self._engine_id) for message in self.heard]
        return [message for message in messages if message is not None]

    def pushed(self) -> list[Line]:
        """Return the lines that the engine has told."""
        return [message.line for message in self.told() if isinstance(message, Push)]

    async def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        """Answer pulls with what is in ``lines``."""
        if not isinstance(request, TalkPullRequest) or self.failures:
            async for part in super().answer(link, request):
                yield part
            return
        self.asked.append(request)
        pull = pull_from_wire(request, self.id, self._engine_id)
        starts = dict(pull.wants)
        wanted = [
            line
            for line in self.lines
            if line.conversation == pull.conversation and line.seq >= starts.get(line.log_id, line.seq + 1)
        ]
        yield pulled_to_wire(request.request, wanted)


def signed(
    identity: Identity, conversation: ConversationId, text: str, after: Line | None = None, **fields: Any
) -> Line:
    """Return a genuine line of whoever has this key."""
    known: dict[str, Any] = {
        "conversation": conversation,
        "key": identity.key.public_key().public_bytes_raw(),
        "log": after.log if after else LOG,
        "seq": after.seq + 1 if after else 1,
        "prev": after.hash if after else NO_HASH,
        "sent_at": 1_700_000_000_000,
        "name": "mallory",
        "kind": "text",
        "text": text,
    }
    return Line(**known | fields).signed_by(identity.key.sign)


@asynccontextmanager
async def chatterer(
    folder: Path, engine: EngineApi, device: str = "mallory", **hello: Any
) -> AsyncIterator[Chatterer]:
    """Run a peer that is linked to an engine, which sees nobody else."""
    peer = Chatterer(folder, device)
    await peer.listen()
    try:
        await peer.connect(engine, **hello)
        async with asyncio.timeout(PATIENCE):
            while peer.id not in {view.peer_id for view in await engine.peers() if view.state == "online"}:
                await asyncio.sleep(0.01)
        yield peer
    finally:
        await peer.close()


async def heard(engine: EngineApi, conversation: str, count: int) -> list[MessageView]:
    """Wait until there are so many lines in a conversation, and return all."""
    return await lines_when(engine, conversation, lambda lines: len(lines) >= count)


async def got_as_far(engine: EngineApi, conversation: str, state: str) -> list[MessageView]:
    """Wait until all lines of a conversation are in a state, and return them."""
    return await lines_when(engine, conversation, lambda lines: {line.state for line in lines} == {state})


async def lines_when(
    engine: EngineApi, conversation: str, condition: Callable[[list[MessageView]], bool]
) -> list[MessageView]:
    """Wait until the lines of a conversation meet a condition, and return them."""
    async with asyncio.timeout(PATIENCE):
        async for _ in engine.events():
            lines = await engine.messages(conversation, 1000)
            if condition(lines):
                return lines
    raise AssertionError("the engine ended")


async def conversation_when(
    engine: EngineApi, name: str, condition: Callable[[ConversationView], bool] = lambda _: True
) -> ConversationView:
    """Wait until clients are told of a conversation, by its name, that meets a condition; return it."""
    async with asyncio.timeout(PATIENCE):
        async for event in engine.events():
            views: list[ConversationView] = []
            if isinstance(event, Snapshot):
                views = event.conversations
            elif isinstance(event, ConversationChanged):
                views = [event.conversation]
            for view in views:
                if view.name == name and condition(view):
                    return view
    raise AssertionError("the engine ended")


def texts(lines: list[MessageView], sender: str = "") -> list[str]:
    """Return what they say, of one sender or of all."""
    return [line.text for line in lines if sender in ("", line.sender_name)]


async def meet(*engines: Engine) -> None:
    """Wait until all see all."""
    for engine in engines:
        await until_online(engine, len(engines) - 1)
