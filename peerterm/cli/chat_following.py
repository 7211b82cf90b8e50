"""Following what is said: each line once and in order, over a restart of the engine too. Used by ``chat follow``.

The newest line known of each conversation is remembered. What came after it while no event told of it (the engine
restarted, or we were too slow) is taken from the history that the engine keeps.
"""

from __future__ import annotations

import asyncio
import sys
import time
from heapq import merge
from typing import TYPE_CHECKING

from peerterm.api.events import ConversationChanged, MessageAdded, PeerJoined, PeerLeft, Snapshot
from peerterm.api.views import MessageView
from peerterm.cli.chat_text import NOTICE, spoken
from peerterm.cli.common import print_json, stream
from peerterm.core.lines import room_name
from peerterm.display import clean, short_id
from peerterm.errors import ControlError, VersionMismatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.api.views import ConversationView, PeerView
    from peerterm.cli.common import Common
    from peerterm.control.client import RemoteEngine

PAGE_LINES = 100
LOBBY = "#lan"
RETRY_SECONDS = 0.5
"""Time between two looks for an engine that has ended."""


class Following:
    """What one ``chat follow`` has printed, and how it goes on.

    Args:
        where: A room or a peer; empty for all conversations.
        lines: How many of the newest lines to begin with.
        common: The common options.
        notices: Whether to print who comes and who goes, as if it were said in the lobby.
    """

    def __init__(self, where: str, lines: int, common: Common, *, notices: bool = False) -> None:
        self._where = where
        self._lines = lines
        self._common = common
        self._notices = notices
        self._hears_lobby = False
        self._only = ""  # the conversation, once it is known what ``where`` means
        self._names: dict[str, str] = {}
        self._last: dict[str, str] = {}  # by conversation, the id of the newest line printed or there before
        self._known: set[tuple[str, str]] = set()  # conversations and ids of history, told by events perhaps

    async def run(self) -> None:
        """Print until cancelled. An engine that ends is waited for: whoever ended it may not want another.

        Raises:
            ControlError: None can be started, or the one that came back is of another version.
            NotFound, AmbiguousReference, InvalidName: ``where`` means nothing.
        """
        async with self._common.engine() as engine:
            await self._begin(engine)
            why = await self._hear(engine)
        while True:
            self._common.talk(f"{why}; this goes on when it is back (Ctrl+C ends it)")
            async with await self._returned() as engine:
                self._common.talk("the engine is back")
                why = await self._hear(engine)

    async def _returned(self) -> RemoteEngine:
        from peerterm.control.client import RemoteEngine

        socket = self._common.paths().socket
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                return await RemoteEngine.connect(socket)
            except VersionMismatch:
                raise
            except ControlError:
                continue  # there is none, or it ended while it greeted

    async def _begin(self, engine: EngineApi) -> None:
        """Take note of what was said before; print the newest of it if that is wanted."""
        if self._where:
            self._only = await _conversation(engine, self._where)
        pages = [await self._page(engine, place) for place in await self._places(engine)]
        self._last = {page[-1].conversation: page[-1].id for page in pages if page}
        newest = list(_merged(pages))
        self._print(newest[max(len(newest) - self._lines, 0) :])

    async def _hear(self, engine: EngineApi) -> str:
        """Print what is said until the engine ends; return why it did."""
        try:
            async with stream(engine.events()) as events:
                async for event in events:
                    await self._take(engine, event)
        except ControlError as error:
            return error.message
        return "the engine has ended"

    async def _take(self, engine: EngineApi, event: Event) -> None:
        match event:
            case Snapshot():
                self._known.clear()
                self._print(_merged([await self._since(engine, place) for place in await self._places(engine)]))
            case ConversationChanged(conversation=view):
                self._note(view)
            case PeerJoined(peer=peer):
                self._notice(peer, "joined")
            case PeerLeft(peer=peer):
                self._notice(peer, "left")
            case MessageAdded(message=line) if (line.conversation, line.id) not in self._known:
                if self._only in ("", line.conversation):
                    if line.conversation not in self._names:
                        await self._places(engine)
                    self._print([line])
            case _:
                pass

    async def _places(self, engine: EngineApi) -> list[str]:
        """Return the conversations to look at."""
        views = await engine.conversations()
        for view in views:
            self._note(view)
        return [self._only] if self._only else [view.conversation for view in views]

    def _note(self, view: ConversationView) -> None:
        self._names[view.conversation] = view.name
        if view.conversation == LOBBY:
            self._hears_lobby = view.is_member and not view.is_muted

    async def _page(self, engine: EngineApi, place: str, before: str = "") -> list[MessageView]:
        """Return the newest lines of a conversation; events tell no news of them."""
        page = await engine.messages(place, max(PAGE_LINES, self._lines), before)
        self._known.update((place, line.id) for line in page)
        return page

    async def _since(self, engine: EngineApi, place: str) -> list[MessageView]:
        """Return what was said in a conversation and is not printed yet."""
        last = self._last.get(place, "")
        page = await self._page(engine, place)
        found: list[MessageView] = []
        while page:
            ids = [line.id for line in page]
            if last in ids:
                return page[ids.index(last) + 1 :] + found
            found = page + found
            page = await self._page(engine, place, before=ids[0])
        if last:
            self._common.talk(f"{self._name(place)}: more was said meanwhile than is kept; some of it is missing")
        return found

    def _name(self, place: str) -> str:
        return self._names.get(place) or (place if place.startswith("#") else short_id(place))

    def _print(self, lines: Iterable[MessageView]) -> None:
        for line in lines:
            self._write(line)
            self._last[line.conversation] = line.id

    def _notice(self, peer: PeerView, text: str) -> None:
        """Print that somebody came or went, which nobody said and no engine keeps."""
        if self._notices and self._hears_lobby and self._only in ("", LOBBY):
            now = time.time()
            notice = MessageView(
                id="",
                conversation=LOBBY,
                sender=peer.peer_id,
                sender_name=peer.name,
                text=text,
                kind=NOTICE,
                sent_at=now,
                kept_at=now,
                state="received",
            )
            self._write(notice)

    def _write(self, line: MessageView) -> None:
        if self._common.json:
            print_json(line)
        else:
            place = "" if self._only else self._name(line.conversation)
            sys.stdout.writelines(f"{clean(text)}\n" for text in spoken(line, place))
        sys.stdout.flush()


def _merged(conversations: Sequence[Sequence[MessageView]]) -> Iterable[MessageView]:
    """Return the lines of several conversations, each in its own order, whatever clocks say."""
    return merge(*conversations, key=lambda line: line.kept_at)


async def _conversation(engine: EngineApi, where: str) -> str:
    """Return what names the conversation that a user calls ``where``.

    Raises:
        InvalidName: It begins like a room and can be none.
        NotFound, AmbiguousReference: No peer is called so, or several are.
    """
    if where.startswith("#"):
        return room_name(where)
    said = await engine.messages(where, 1)  # the engine knows whom ``where`` means
    if said:
        return said[0].conversation
    start = where.lower()
    known = (peer.peer_id for peer in await engine.peers() if peer.name == where or peer.peer_id.startswith(start))
    return next(known, where)
