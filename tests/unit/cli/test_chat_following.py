"""chat follow: what is said, each line once and in order, whatever becomes of the engine."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import PeerJoined, PeerLeft
from peerterm.cli import chat_following, common
from peerterm.cli.chat_following import PAGE_LINES, Following
from peerterm.cli.common import Common
from peerterm.control.client import RemoteEngine
from peerterm.control.server import ControlServer
from peerterm.errors import (
    AmbiguousReference,
    ControlError,
    EngineNotRunning,
    InvalidName,
    NotFound,
    VersionMismatch,
)
from peerterm.paths import Paths
from tests.fakes.engines import eventually
from tests.fakes.fake_engine import FakeEngine, make_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.fakes.serving import ServedEngine

ANNA, BEN = make_peer("anna"), make_peer("ben")


@pytest.fixture(autouse=True)
def _quick(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.known_peers = [ANNA, BEN]
    monkeypatch.setattr(chat_following, "RETRY_SECONDS", 0.001)


@dataclass
class Screen:
    """What was printed so far."""

    captured: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def look(self) -> Screen:
        """Take what was printed since."""
        new = self.captured.readouterr()
        self.out += new.out
        self.err += new.err
        return self

    def texts(self) -> list[str]:
        """Return what was said, of the JSON printed."""
        return [json.loads(line)["text"] for line in self.look().out.splitlines()]

    async def until(self, *texts: str) -> None:
        """Wait until just these texts were printed."""
        await eventually(lambda: len(self.texts()) >= len(texts))
        assert self.texts() == list(texts)


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Screen:
    return Screen(capsys)


@dataclass
class Stage:
    """A fake engine that can end and come back, with what it remembers, and a ``chat follow`` on it."""

    fake: FakeEngine
    home: Path
    common: Common = field(init=False)

    def __post_init__(self) -> None:
        self.common = Common(profile=self.home, json=True, no_start=True)

    def serve(self) -> AbstractAsyncContextManager[object]:
        """Let the engine run during the block."""
        return ControlServer(self.fake, Paths.resolve(str(self.home), {}).socket)

    @asynccontextmanager
    async def following(self, where: str = "", lines: int = 0, *, notices: bool = False) -> AsyncIterator[None]:
        """Follow during the block."""
        task = asyncio.create_task(Following(where, lines, self.common, notices=notices).run())
        await self.listening()
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def listening(self) -> None:
        """Wait until what happens is told to it."""
        await eventually(lambda: self.fake.open_streams == 1)


@pytest.fixture
def stage(fake: FakeEngine, home: Path) -> Stage:
    return Stage(fake, home)


async def test_each_message_is_one_object_a_line(stage: Stage, screen: Screen) -> None:
    """From now on, of all conversations, our own too."""
    stage.fake.hear("#lan", ANNA, "before")
    async with stage.serve(), stage.following():
        stage.fake.hear("", ANNA, "hello\nyou\u202e")
        await stage.fake.say("#lan", "mine")
        await screen.until("hello\nyou\u202e", "mine")

    first, second = (json.loads(line) for line in screen.out.splitlines())
    assert screen.out.isascii()
    assert (first["sender"], first["sender_name"], first["state"]) == (ANNA.peer_id, "anna", "received")
    assert (second["conversation"], second["state"] != "received") == ("#lan", True)


async def test_people_see_where_it_was_said(stage: Stage, screen: Screen) -> None:
    """Unless they asked for one conversation; nothing steers their terminal."""
    stage.common = Common(profile=stage.home)
    async with stage.serve():
        async with stage.following():
            stage.fake.hear("#lan", ANNA, "a\x1b[2J")
            stage.fake.hear("", BEN, "b")
            await eventually(lambda: screen.look().out.count("\n") == 2)
        async with stage.following("ben"):
            stage.fake.hear("", BEN, "c")
            await eventually(lambda: screen.look().out.count("\n") == 3)

    assert [line.split("  ", 1)[1] for line in screen.out.splitlines()] == [
        "[#lan] anna: a[2J",
        "[ben] ben: b",
        "ben: c",
    ]


async def comings_and_goings(stage: Stage, screen: Screen) -> None:
    """Let somebody come and go, once it is listened to."""
    stage.fake.hear("#lan", BEN, "the beginning")
    await eventually(lambda: "the beginning" in screen.look().out)
    stage.fake.announce(PeerJoined(peer=ANNA))
    stage.fake.announce(PeerLeft(peer=ANNA, reason="bye"))
    stage.fake.hear("#lan", BEN, "the end")


@pytest.mark.parametrize(("where", "place"), [("", "[#lan] "), ("#lan", "")])
async def test_people_see_who_comes_and_goes(stage: Stage, screen: Screen, where: str, place: str) -> None:
    """Among what is said in the lobby, which has it never in its history."""
    stage.common = Common(profile=stage.home)
    async with stage.serve(), stage.following(where, notices=True):
        await comings_and_goings(stage, screen)
        await eventually(lambda: "the end" in screen.look().out)

    assert [line.split("  ", 1)[1] for line in screen.out.splitlines()] == [
        f"{place}ben: the beginning",
        f"{place}-- anna joined",
        f"{place}-- anna left",
        f"{place}ben: the end",
    ]


async def test_notices_for_programs_have_a_kind_of_their_own(stage: Stage, screen: Screen) -> None:
    """And an id by which none of them can be asked for."""
    async with stage.serve(), stage.following(notices=True):
        await comings_and_goings(stage, screen)
        await screen.until("the beginning", "joined", "left", "the end")
    first = json.loads(screen.out.splitlines()[1])

    assert (first["kind"], first["id"], first["conversation"]) == ("notice", "", "#lan")
    assert (first["sender"], first["sender_name"], first["state"]) == (ANNA.peer_id, "anna", "received")


@pytest.mark.parametrize("wish", ["not wanted", "elsewhere", "muted", "left"])
async def test_nobody_is_told_who_comes_without_wanting_it(stage: Stage, screen: Screen, wish: str) -> None:
    """Who follows a peer, or has muted or left the lobby, wants nothing of it."""
    if wish == "left":
        await stage.fake.leave("#lan")
    async with stage.serve(), stage.following("ben" if wish == "elsewhere" else "", notices=wish != "not wanted"):
        if wish == "muted":
            await stage.fake.mute("#lan")
        stage.fake.announce(PeerJoined(peer=ANNA))
        stage.fake.hear("", BEN, "the end")
        await screen.until("the end")


@pytest.mark.parametrize("where", ["ben", BEN.peer_id, BEN.peer_id[:12]])
@pytest.mark.parametrize("has_spoken", [True, False])
async def test_one_conversation_can_be_followed(where: str, has_spoken: bool, stage: Stage, screen: Screen) -> None:
    """By whatever names it, whether anything was said there or not."""
    stage.fake.known_peers = [BEN]
    if has_spoken:
        stage.fake.hear("", BEN, "before")
    async with stage.serve(), stage.following(where):
        stage.fake.hear("#lan", BEN, "elsewhere")
        stage.fake.hear("", BEN, "here")
        await screen.until("here")


async def test_it_may_begin_with_what_is_there(stage: Stage, screen: Screen) -> None:
    """The newest of all conversations, in the order in which they came."""
    for number in range(3):
        stage.fake.hear("#lan", ANNA, f"lan {number}")
        stage.fake.hear("", ANNA, f"anna {number}")
    async with stage.serve(), stage.following(lines=3):
        stage.fake.hear("#lan", ANNA, "now")
        await screen.until("anna 1", "lan 2", "anna 2", "now")


@pytest.mark.parametrize("missed", [0, 1, PAGE_LINES, 3 * PAGE_LINES])
async def test_a_restart_of_the_engine_loses_nothing_and_repeats_nothing(
    missed: int, stage: Stage, screen: Screen
) -> None:
    """What came meanwhile is printed when it is back, what comes then too."""
    texts = [str(number) for number in range(missed)]
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        await first.enter_async_context(stage.serve())
        await second.enter_async_context(stage.following())
        stage.fake.hear("#lan", ANNA, "first")
        await screen.until("first")
        await first.aclose()
        await eventually(lambda: "goes on when it is back" in screen.look().err)
        for text in texts:
            stage.fake.hear("", BEN, text)  # a conversation that it did not know
        await first.enter_async_context(stage.serve())
        await stage.listening()
        stage.fake.hear("#lan", ANNA, "last")
        await screen.until("first", *texts, "last")

    assert screen.look().err.splitlines()[-1] == "the engine is back"


async def test_what_comes_while_history_is_read_is_printed_once(stage: Stage, screen: Screen) -> None:
    """The event that tells of it comes after it."""
    messages = stage.fake.messages

    async def heard_meanwhile(**arguments: Any) -> Any:
        if stage.fake.open_streams and len(stage.fake.said.get("#lan", [])) < 2:
            stage.fake.hear("#lan", ANNA, "meanwhile")
        return await messages(**arguments)

    stage.fake.messages = heard_meanwhile  # type: ignore[method-assign, assignment]
    stage.fake.hear("#lan", ANNA, "before")
    async with stage.serve(), stage.following():
        await screen.until("meanwhile")
        stage.fake.hear("#lan", ANNA, "after")
        await screen.until("meanwhile", "after")


async def test_an_engine_that_ends_while_history_is_read_is_asked_again(stage: Stage, screen: Screen) -> None:
    """What was read already and not printed is not taken for printed."""
    messages = stage.fake.messages
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        await first.enter_async_context(stage.serve())
        await stack.enter_async_context(stage.following())
        await first.aclose()
        for peer in (ANNA, BEN):
            stage.fake.hear("", peer, f"from {peer.name}")

        async def ends_midway(conversation: str, **arguments: Any) -> Any:
            if conversation == ANNA.peer_id:
                raise ControlError("the engine closed the connection")
            return await messages(conversation, **arguments)

        stage.fake.messages = ends_midway  # type: ignore[method-assign, assignment]
        await first.enter_async_context(stage.serve())
        await eventually(lambda: screen.look().err.count("goes on when it is back") >= 2)
        stage.fake.messages = messages  # type: ignore[method-assign]
        await screen.until("from anna", "from ben")
        await first.aclose()


async def test_what_the_engine_kept_no_longer_is_said_to_be_missing(stage: Stage, screen: Screen) -> None:
    """Nobody is left to believe that this was all."""
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        await first.enter_async_context(stage.serve())
        await second.enter_async_context(stage.following("#lan"))
        stage.fake.hear("#lan", ANNA, "first")
        await screen.until("first")
        await first.aclose()
        stage.fake.hear("#lan", ANNA, "gone")
        stage.fake.hear("#lan", ANNA, "kept")
        del stage.fake.said["#lan"][:2]
        await first.enter_async_context(stage.serve())
        await screen.until("first", "kept")

    assert "#lan: more was said meanwhile than is kept" in screen.err


async def test_an_engine_of_another_version_ends_it(
    stage: Stage, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so: that engine can never be followed."""

    async def connect(path: Path) -> RemoteEngine:
        raise VersionMismatch("another version")

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stage.serve())
        task = asyncio.create_task(Following("", 0, stage.common).run())
        await stage.listening()
        monkeypatch.setattr(RemoteEngine, "connect", connect)
        await stack.aclose()
        with pytest.raises(VersionMismatch):
            await task


@pytest.mark.parametrize(
    ("where", "error"), [("nobody", NotFound), ("#", InvalidName), ("0000", AmbiguousReference)], ids=str
)
async def test_a_place_that_is_none_ends_it(where: str, error: type[Exception], stage: Stage) -> None:
    """As with every verb."""
    async with stage.serve():
        with pytest.raises(error):
            await Following(where, 0, stage.common).run()


async def test_without_an_engine_it_ends(stage: Stage) -> None:
    """One that has to be there first may not be started."""
    with pytest.raises(EngineNotRunning):
        await Following("", 0, stage.common).run()


def test_follow_ends_at_an_interrupt(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of that, and what was printed so far."""
    fake.hear("#lan", ANNA, "hello")

    def interrupt(value: object) -> None:
        common.print_json(value)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(chat_following, "print_json", interrupt)
    done = run("chat", "follow", "-n", "1", "--json")

    assert (done.code, done.json["text"]) == (130, "hello")
