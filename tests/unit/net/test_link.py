"""The link: two of them over real TLS on loopback, and every way one can fail the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from peerterm.errors import EngineBusy, NotFound, PeerRefused, PeertermError, PeerUnavailable, ProtocolViolation
from peerterm.net import outbox
from peerterm.net.link import MAX_ANSWERING, Connected, Link
from peerterm.wire import session
from peerterm.wire.codec import encode
from peerterm.wire.messages import (
    Answer,
    BrowseAnswer,
    BrowseRequest,
    Entry,
    FindAnswer,
    FindRequest,
    HaveUpdate,
    Message,
    Request,
    Status,
)
from peerterm.wire.session import CloseCode, Closed
from tests.fakes.linked import LOOPBACK, connected_pair, contexts_of, hello_of

BROWSE = BrowseRequest(request=1, path=["films"])
NOTHING = BrowseAnswer(request=1, entries=[])
NEWS = Status(name="bob", shares=1, size=2, seq=3)

Answers = Callable[[Request], AsyncGenerator[Answer, None]]


async def one_page(request: Request) -> AsyncGenerator[Answer, None]:
    yield BrowseAnswer(request=request.request, entries=[])


async def three_pages(request: Request) -> AsyncGenerator[Answer, None]:
    for number in range(3):
        yield BrowseAnswer(request=request.request, entries=[], more=number < 2, done=number == 2)


@dataclass
class Taker:
    """A handler that answers as told and keeps what it hears."""

    answers: Answers = one_page
    heard: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        assert link.is_open
        return self.answers(request)

    def received(self, link: Link, message: Message) -> None:
        if message == Status(name="nonsense", shares=0, size=0, seq=0):
            raise ProtocolViolation("nonsense")
        self.heard.put_nowait(message)


@dataclass
class Pair:
    """Two links that run against each other."""

    ann: Link
    bob: Link
    at_ann: Taker
    at_bob: Taker
    ann_runs: asyncio.Task[Closed]
    bob_runs: asyncio.Task[Closed]


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something holds, and a few times more."""
    while not condition():
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def linked(folder: Path, answers: Answers = one_page) -> AsyncIterator[Pair]:
    """Run two links; bob answers as told."""
    async with connected_pair(folder) as (dialled, accepted):
        ann, bob = Link(dialled, hello_of("ann")), Link(accepted, hello_of("bob"))
        at_ann, at_bob = Taker(), Taker(answers)
        ann_runs, bob_runs = asyncio.create_task(ann.run(at_ann)), asyncio.create_task(bob.run(at_bob))
        await asyncio.gather(ann.opened(), bob.opened())
        yield Pair(ann, bob, at_ann, at_bob, ann_runs, bob_runs)
        for task in (ann_runs, bob_runs):
            task.cancel()
        await asyncio.wait([ann_runs, bob_runs])


@asynccontextmanager
async def against(
    folder: Path, *sent: bytes, answers: Answers = one_page
) -> AsyncIterator[tuple[Link, Connected, asyncio.Task[Closed]]]:
    """Run one link against a stream to which a test writes by hand."""
    async with connected_pair(folder) as (dialled, accepted):
        link = Link(accepted, hello_of("bob"))
        runs = asyncio.create_task(link.run(Taker(answers)))
        dialled.writer.write(b"".join(sent))
        yield link, dialled, runs
        runs.cancel()
        await asyncio.wait([runs])


async def test_links_know_each_other(tmp_path: Path) -> None:
    """After both HELLOs each side has the other's, and its proved id."""
    async with linked(tmp_path) as pair:
        assert (pair.ann.hello.name, pair.bob.hello.name) == ("bob", "ann")
        assert pair.ann.peer_id == contexts_of(tmp_path, "bob").peer_id
        assert (pair.ann.is_dialer, pair.bob.is_dialer) == (True, False)
        assert (pair.bob.host, pair.ann.host) == (LOOPBACK, LOOPBACK)


async def test_news_arrive(tmp_path: Path) -> None:
    """What one side sends the other's handler receives, both ways."""
    async with linked(tmp_path) as pair:
        pair.ann.send(NEWS)
        pair.bob.send(NEWS)

        assert await pair.at_bob.heard.get() == NEWS
        assert await pair.at_ann.heard.get() == NEWS


async def test_request_is_answered(tmp_path: Path) -> None:
    """A question gets its answer, whatever id it bore before."""
    async with linked(tmp_path) as pair:
        first, second = [await pair.ann.ask_one(BROWSE, 5) for _ in range(2)]

        assert isinstance(first, BrowseAnswer)
        assert first.request != second.request
        assert isinstance(await pair.bob.ask_one(BROWSE, 5), BrowseAnswer)


async def test_answer_comes_in_parts(tmp_path: Path) -> None:
    """All parts come, in order."""
    async with linked(tmp_path, three_pages) as pair:
        parts = [part async for part in pair.ann.ask(BROWSE, 5)]

    assert [part.more for part in parts if isinstance(part, BrowseAnswer)] == [True, True, False]


async def test_answer_in_parts_is_not_one(tmp_path: Path) -> None:
    """Who wants a single answer takes no half one; the rest of it is ignored."""
    async with linked(tmp_path, three_pages) as pair:
        with pytest.raises(ProtocolViolation, match="several"):
            await pair.ann.ask_one(BROWSE, 5)

        pair.bob.send(NEWS)
        assert await pair.at_ann.heard.get() == NEWS
        assert pair.ann.is_open


async def test_refusal_carries_the_peers_error(tmp_path: Path) -> None:
    """A documented error of the handler reaches the asker, with its code, cut to its bound."""

    async def refuse(_: Request) -> AsyncGenerator[Answer, None]:
        raise NotFound("x" * 300)
        yield NOTHING

    async with linked(tmp_path, refuse) as pair:
        with pytest.raises(PeerRefused) as caught:
            await pair.ann.ask_one(BROWSE, 5)

        assert isinstance(caught.value.__cause__, NotFound)
        assert caught.value.__cause__.message == "x" * 200
        assert pair.ann.is_open


async def test_refusal_may_follow_parts(tmp_path: Path) -> None:
    """An answer that fails half-way ends with the error."""

    async def half(request: Request) -> AsyncGenerator[Answer, None]:
        yield BrowseAnswer(request=request.request, entries=[], done=False)
        raise EngineBusy("later")

    async with linked(tmp_path, half) as pair:
        parts = pair.ann.ask(BROWSE, 5)

        assert not (await anext(parts)).done
        with pytest.raises(PeerRefused, match="later"):
            await anext(parts)


async def test_silence_to_a_question_ends_in_time(tmp_path: Path) -> None:
    """A question has a deadline; the late answer hurts nobody."""
    late = asyncio.Event()

    async def wait(request: Request) -> AsyncGenerator[Answer, None]:
        await late.wait()
        yield BrowseAnswer(request=request.request, entries=[])

    async with linked(tmp_path, wait) as pair:
        with pytest.raises(PeerUnavailable, match="in time"):
            await pair.ann.ask_one(BROWSE, 0.02)
        late.set()

        assert isinstance(await pair.ann.ask_one(BROWSE, 5), BrowseAnswer)


async def test_abandoned_question_is_forgotten(tmp_path: Path) -> None:
    """Who stops listening early may; the parts that still come are ignored."""
    async with linked(tmp_path, three_pages) as pair:
        async with aclosing(pair.ann.ask(BROWSE, 5)) as parts:
            await anext(parts)

        assert len([part async for part in pair.ann.ask(BROWSE, 5)]) == 3


async def test_questions_wait_for_their_turn(tmp_path: Path) -> None:
    """More questions than may be open are asked one after the other."""
    async with linked(tmp_path) as pair:
        answers = await asyncio.gather(*(pair.ann.ask_one(BROWSE, 10) for _ in range(200)))

        assert len({answer.request for answer in answers}) == 200


async def test_few_requests_are_handled_at_once(tmp_path: Path) -> None:
    """The handler runs at most 16 times at once for one peer; the rest wait."""
    running: list[int] = []
    go = asyncio.Event()

    async def count(request: Request) -> AsyncGenerator[Answer, None]:
        running.append(request.request)
        await go.wait()
        yield BrowseAnswer(request=request.request, entries=[])

    async with linked(tmp_path, count) as pair:
        asking = [asyncio.create_task(pair.ann.ask_one(BROWSE, 10)) for _ in range(40)]
        await until(lambda: all(pair.bob._session.is_answering(number) for number in range(1, 41)))

        assert len(running) == MAX_ANSWERING
        go.set()
        assert len(await asyncio.gather(*asking)) == 40


async def test_close_tells_the_peer_why(tmp_path: Path) -> None:
    """Both sides end with the code, and say who closed."""
    async with linked(tmp_path) as pair:
        await pair.ann.close(CloseCode.DUPLICATE, "one is enough")

        assert await pair.ann_runs == Closed("duplicate", "one is enough", by_peer=False)
        assert await pair.bob_runs == Closed("duplicate", "one is enough", by_peer=True)
        assert not pair.ann.is_open


async def test_question_ends_with_the_link(tmp_path: Path) -> None:
    """Who waits for an answer hears that the peer left; who asks later too."""

    async def never(_: Request) -> AsyncGenerator[Answer, None]:
        await asyncio.Event().wait()
        yield NOTHING

    async with linked(tmp_path, never) as pair:
        asking = asyncio.create_task(pair.ann.ask_one(BROWSE, 60))
        other = asyncio.create_task(pair.bob.ask_one(BROWSE, 60))
        await other
        await pair.bob.close()

        with pytest.raises(PeerUnavailable, match="left"):
            await asking
        with pytest.raises(PeerUnavailable, match="left"):
            await pair.ann.ask_one(BROWSE, 60)
        with pytest.raises(PeerUnavailable, match=r"the link to .* ended"):
            await pair.bob.ask_one(BROWSE, 60)
        assert (await pair.ann.opened()).name == "bob"


async def test_messages_to_a_closed_link_are_dropped(tmp_path: Path) -> None:
    """Sending and pinging after the end is harmless; closing again too."""
    async with linked(tmp_path) as pair:
        await pair.ann.close()
        pair.ann.send(NEWS)
        pair.ann.ping()
        await pair.ann.close()

        assert (await pair.ann_runs).code == CloseCode.BYE


async def test_lost_stream_ends_the_link(tmp_path: Path) -> None:
    """A stream that breaks without a word is reported as lost."""
    async with linked(tmp_path) as pair:
        pair.ann_runs.cancel()

        closed = await pair.bob_runs
        assert (closed.code, closed.by_peer) == (CloseCode.LOST, True)


async def test_cancelled_link_frees_who_waits(tmp_path: Path) -> None:
    """Ending ``run`` from outside ends open questions as well."""

    async def never(_: Request) -> AsyncGenerator[Answer, None]:
        await asyncio.Event().wait()
        yield NOTHING

    async with linked(tmp_path, never) as pair:
        asking = asyncio.create_task(pair.ann.ask_one(BROWSE, 60))
        await pair.bob.ask_one(BROWSE, 5)
        pair.ann_runs.cancel()

        with pytest.raises(PeerUnavailable):
            await asking


async def test_ping_measures(tmp_path: Path) -> None:
    """A ping gives the round trip."""
    async with linked(tmp_path) as pair:
        assert pair.ann.rtt is None
        pair.ann.ping()
        await pair.ann.ask_one(BROWSE, 5)

        assert pair.ann.rtt is not None
        assert 0 <= pair.ann.rtt < 5


async def test_silent_peer_is_dropped_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that goes silent after its HELLO is asked, and then given up with Close."""
    monkeypatch.setattr(session, "HELLO_SECONDS", 0.3)
    monkeypatch.setattr(session, "PING_SECONDS", 0.02)
    monkeypatch.setattr(session, "PONG_SECONDS", 0.02)
    monkeypatch.setattr(session, "CLOSE_SECONDS", 0.02)
    async with against(tmp_path, encode(hello_of("mute"))) as (_, __, runs):
        closed = await runs

    assert (closed.code, closed.by_peer) == (CloseCode.TIMEOUT, False)


async def test_peer_that_says_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a HELLO the link never opens, and whoever waits is told."""
    monkeypatch.setattr(session, "HELLO_SECONDS", 0.02)
    monkeypatch.setattr(session, "CLOSE_SECONDS", 0.02)
    async with against(tmp_path) as (link, _, runs):
        with pytest.raises(PeerUnavailable):
            await link.opened()

        assert (await runs).code == CloseCode.TIMEOUT


async def test_stream_that_ends_before_hello_is_explained(tmp_path: Path) -> None:
    """A refusal looks like a stream that ends at once; the hint says what it may mean."""
    async with against(tmp_path) as (link, stranger, _):
        stranger.writer.close()

        with pytest.raises(PeerUnavailable) as caught:
            await link.opened()
        assert "network code" in caught.value.hint


async def test_broken_stream_is_explained(tmp_path: Path) -> None:
    """The system's reason for a broken stream is kept."""
    async with connected_pair(tmp_path) as (dialled, accepted):
        link = Link(accepted, hello_of("bob"))
        runs = asyncio.create_task(link.run(Taker()))
        dialled.writer.write(encode(hello_of("ann")))
        await link.opened()
        accepted.reader.set_exception(ConnectionResetError("reset by peer"))
        link.send(NEWS)

        assert await runs == Closed(CloseCode.LOST, "connection broke: reset by peer", by_peer=True)


async def test_garbage_ends_the_link_with_a_word(tmp_path: Path) -> None:
    """A peer that breaks the protocol is told so, and the stream ends."""
    async with against(tmp_path, encode(hello_of("bad")), b"\xff" * 20) as (_, stranger, runs):
        heard = await stranger.reader.read(64 * 1024)
        while b"protocol" not in heard or b"frame of" not in heard:
            heard += await stranger.reader.readexactly(1)
        stranger.writer.close()

        assert (await runs).code == CloseCode.PROTOCOL


async def test_handler_may_find_a_violation(tmp_path: Path) -> None:
    """A message that decodes but cannot be meant ends the link."""
    async with linked(tmp_path) as pair:
        pair.ann.send(Status(name="nonsense", shares=0, size=0, seq=0))

        assert await pair.ann_runs == Closed("protocol", "nonsense", by_peer=True)
        assert await pair.bob_runs == Closed("protocol", "nonsense", by_peer=False)


async def test_bug_of_the_handler_surfaces(tmp_path: Path) -> None:
    """What is no documented error ends ``run`` loudly."""

    async def bug(_: Request) -> AsyncGenerator[Answer, None]:
        raise ZeroDivisionError
        yield NOTHING

    async with linked(tmp_path, bug) as pair:
        with pytest.raises(PeerUnavailable):
            await pair.ann.ask_one(BROWSE, 5)

        with pytest.raises(ExceptionGroup) as caught:
            await pair.bob_runs
        assert caught.group_contains(ZeroDivisionError)


async def test_answer_without_end_is_a_bug(tmp_path: Path) -> None:
    """A handler must end its answer."""

    async def endless(request: Request) -> AsyncGenerator[Answer, None]:
        yield BrowseAnswer(request=request.request, entries=[], done=False)

    async with linked(tmp_path, endless) as pair:
        with pytest.raises(PeerUnavailable):
            [part async for part in pair.ann.ask(BROWSE, 5)]
        with pytest.raises(ExceptionGroup) as caught:
            await pair.bob_runs
        assert caught.group_contains(AssertionError)


async def test_answer_after_the_end_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that answers while the link closes does no harm."""
    monkeypatch.setattr(session, "CLOSE_SECONDS", 0.05)
    asked: list[Request] = []
    go = asyncio.Event()

    async def wait(request: Request) -> AsyncGenerator[Answer, None]:
        asked.append(request)
        await go.wait()
        yield BrowseAnswer(request=request.request, entries=[])
        raise PeertermError("nor does this")

    async with against(tmp_path, encode(hello_of("ann")), encode(BROWSE), answers=wait) as (link, _, runs):
        await until(lambda: asked == [BROWSE])
        closing = asyncio.create_task(link.close())
        await asyncio.sleep(0)
        go.set()
        await closing

        assert (await runs).code == CloseCode.BYE


@pytest.mark.parametrize("how", ["slowly", "at once"])
async def test_peer_that_does_not_read_loses_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Neither what drains too slowly nor what piles up too high is kept for long."""
    monkeypatch.setattr(outbox, "DRAIN_SECONDS", 0.05 if how == "slowly" else 30)
    update = HaveUpdate(root=bytes(32), chunks=[2**62] * 2048)
    count = 400 if how == "slowly" else 1000
    async with against(tmp_path, encode(hello_of("deaf"))) as (link, stranger, runs):
        await link.opened()
        stranger.reader._transport.pause_reading()  # type: ignore[attr-defined]
        began = time.monotonic()
        for _ in range(count):
            link.send(update)

        assert (await runs).reason == "the peer does not read"
        assert time.monotonic() - began < 5


async def test_answers_wait_for_a_slow_reader(tmp_path: Path) -> None:
    """A long answer is written as it is read: the handler does not run ahead of the stream by much."""
    made = 0
    entry = Entry(path=["x" * 250] * 60, kind="folder", size=0, root=bytes(32))

    async def many(request: Request) -> AsyncGenerator[Answer, None]:
        nonlocal made
        for number in range(1000):
            made += 1
            yield BrowseAnswer(request=request.request, entries=[entry] * 4, done=number == 999)

    async with against(tmp_path, encode(hello_of("slow")), encode(BROWSE), answers=many) as (link, stranger, runs):
        stranger.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: len(link._outbox._bytes) >= outbox.ROOM_BYTES)
        held = made

        assert held < 1000
        assert len(link._outbox._bytes) < outbox.ROOM_BYTES + 64 * 1024
        stranger.reader._transport.resume_reading()  # type: ignore[attr-defined]
        while made == held:
            await stranger.reader.read(64 * 1024)
        assert not runs.done()


async def test_find_is_answered_by_its_own_kind(tmp_path: Path) -> None:
    """A handler that answers with the wrong class loses the link at the asker's side."""

    async def wrong(request: Request) -> AsyncGenerator[Answer, None]:
        yield FindAnswer(request=request.request, hits=[])

    async with linked(tmp_path, wrong) as pair:
        found = await pair.ann.ask_one(FindRequest(request=1, by="root", prefix="01234567"), 5)
        assert isinstance(found, FindAnswer)

        with pytest.raises(PeerUnavailable):
            await pair.ann.ask_one(BROWSE, 5)
        assert (await pair.ann_runs).code == CloseCode.PROTOCOL
