"""The session: HELLO, requests both ways, keepalive and every way to end."""

from __future__ import annotations

from typing import Any

import pytest

from peerterm.wire import session as s
from peerterm.wire.codec import decode, encode
from peerterm.wire.frame import HEADER, MAX_HELLO_BODY, MAX_LINK_BODY, FrameDecoder, encode_frame
from peerterm.wire.messages import (
    BrowseAnswer,
    BrowseRequest,
    Close,
    Entry,
    Failure,
    FindAnswer,
    FindRequest,
    HaveUpdate,
    Hello,
    LocateAnswer,
    Message,
    Ping,
    Pong,
    SearchRequest,
    Status,
)
from peerterm.wire.requests import MAX_ASKED_OF_US, SEARCH_BURST
from peerterm.wire.session import Answered, CloseCode, Closed, Opened, Received, Requested, Session, State

BROWSE = BrowseRequest(request=7, path=["films"])


def hello(name: str = "ann", **fields: Any) -> Hello:
    defaults: dict[str, Any] = {"protocol": 1, "name": name, "instance": b"12345678", "port": 47470}
    return Hello(**(defaults | fields))


def opened(now: float = 0) -> Session:
    """Return a session whose peer has said HELLO."""
    session = Session(hello(), is_dialer=True, now=now)
    session.receive(encode(hello("bob")), now)
    return session


def sent(session: Session) -> list[Message]:
    """Take what a session wants to send."""
    frames = FrameDecoder(max_body=MAX_LINK_BODY).feed(session.data_to_send())
    return [decode(frame) for frame in frames]


def closes(session: Session, data: bytes, now: float = 1) -> str:
    """Feed bytes that must end the session; return the code that the peer is told."""
    *_, closed = session.receive(data, now)
    assert isinstance(closed, Closed)
    assert not closed.by_peer
    assert session.state is State.CLOSING
    told = sent(session)[-1]
    assert told == Close(code=closed.code, reason=closed.reason)
    return closed.code


def test_both_sides_open() -> None:
    """Each side opens on the other's HELLO."""
    ann = Session(hello("ann"), is_dialer=True, now=0)
    bob = Session(hello("bob"), is_dialer=False, now=0)

    assert bob.receive(ann.start(), 0) == [Opened(hello("ann"))]
    assert ann.receive(bob.start(), 0) == [Opened(hello("bob"))]
    assert ann.state is bob.state is State.OPEN
    assert (ann.is_dialer, bob.is_dialer) == (True, False)


def test_large_frame_may_come_with_hello() -> None:
    """The bound on a frame before HELLO does not hold for what follows it in the same read."""
    session = Session(hello(), is_dialer=False, now=0)
    entry = Entry(path=["x" * 200] * 50, kind="folder", size=0, root=bytes(32))
    session._ours.ask(FindRequest(request=1, by="root", prefix="01234567"))
    answer = FindAnswer(request=1, hits=[entry])

    events = session.receive(encode(hello("bob")) + encode(answer), 0)

    assert len(encode(answer)) > 2 * MAX_HELLO_BODY
    assert events == [Opened(hello("bob")), Answered(1, answer, True)]


@pytest.mark.parametrize(
    "data",
    [
        encode(Ping(nonce=1)),
        encode(BROWSE),
        encode(Failure(request=1, code="x")),
        encode_frame(200, b""),
        encode_frame(1, b"\xc1"),
        HEADER.pack(MAX_HELLO_BODY + 1, 1),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["ping", "request", "answer", "unknown", "garbage", "oversized", "http"],
)
def test_nothing_but_hello_opens(data: bytes) -> None:
    """Anything else before HELLO breaks the protocol."""
    assert closes(Session(hello(), is_dialer=False, now=0), data) == CloseCode.PROTOCOL


def test_close_may_come_instead_of_hello() -> None:
    """A peer that wants no link says so without a HELLO."""
    session = Session(hello(), is_dialer=True, now=0)

    events = session.receive(encode(Close(code="busy", reason="full")), 0)

    assert events == [Closed("busy", "full", by_peer=True)]
    assert session.state is State.CLOSED
    assert session.data_to_send() == b""


def test_other_protocol_version_closes() -> None:
    """Version 2 is told that this is version 1."""
    assert closes(Session(hello(), is_dialer=True, now=0), encode(hello(protocol=2))) == CloseCode.VERSION


def test_unknown_required_feature_closes() -> None:
    """A peer that requires what we cannot do is turned away; what we can do is accepted."""
    able = Session(hello(features=["a"]), is_dialer=True, now=0)

    assert (
        closes(Session(hello(features=["a"]), is_dialer=True, now=0), encode(hello(required=["a", "b"])))
        == "feature"
    )
    able.receive(encode(hello(required=["a"])), 0)
    assert able.state is State.OPEN


def test_reason_fits_its_bound_whatever_the_peer_sent() -> None:
    """The names of 32 long features are cut to what a Close may hold."""
    session = Session(hello(), is_dialer=True, now=0)

    closes(session, encode(hello(required=[f"{number:032}" for number in range(32)])))

    assert session.state is State.CLOSING


@pytest.mark.parametrize(
    "data",
    [
        encode(hello()),
        encode(Pong(nonce=1)),
        encode(Failure(request=1, code="x")),
        encode(BROWSE) * 2,
        HEADER.pack(MAX_LINK_BODY + 1, 3),
        encode_frame(3, b"\x80"),
    ],
    ids=["second-hello", "stray-pong", "stray-answer", "same-id-twice", "oversized", "field-missing"],
)
def test_broken_rule_closes_an_open_link(data: bytes) -> None:
    """A violation on an open link is answered with Close."""
    assert closes(opened(), data) == CloseCode.PROTOCOL


def test_news_are_handed_on() -> None:
    """Messages that want no answer come out as they are, in order."""
    status, update = Status(name="bob", shares=1, size=2, seq=3), HaveUpdate(root=bytes(32), chunks=[1])

    assert opened().receive(encode(status) + encode(update), 1) == [Received(status), Received(update)]


def test_ping_is_answered() -> None:
    """A Ping brings a Pong with its nonce, and no event."""
    session = opened()

    assert session.receive(encode(Ping(nonce=5)), 1) == []
    assert sent(session) == [Pong(nonce=5)]


def test_request_is_answered_in_parts() -> None:
    """Question and answer cross two sessions, part by part."""
    ann, bob = opened(), opened()
    request = BrowseRequest(request=ann.new_request_id())
    first = BrowseAnswer(request=request.request, entries=[], more=True, done=False)
    last = BrowseAnswer(request=request.request, entries=[])

    ann.ask(request)
    asked = bob.receive(ann.data_to_send(), 1)
    bob.answer(first)
    assert bob.is_answering(request.request)
    bob.answer(last)
    answered = ann.receive(bob.data_to_send(), 1)

    assert asked == [Requested(request)]
    assert answered == [Answered(1, first, False), Answered(1, last, True)]
    assert not bob.is_answering(request.request)


def test_forgotten_answer_is_ignored() -> None:
    """An answer that comes too late neither shows nor hurts."""
    session = opened()
    session.ask(BROWSE)
    session.forget(7)

    assert session.receive(encode(BrowseAnswer(request=7, entries=[])), 1) == []
    assert session.state is State.OPEN


def test_answer_of_the_wrong_type_closes() -> None:
    """A folder's entry does not answer a browse request."""
    session = opened()
    session.ask(BROWSE)
    entry = Entry(path=["a"], kind="file", size=0, root=bytes(32))

    assert closes(session, encode(LocateAnswer(request=7, entry=entry))) == CloseCode.PROTOCOL


def test_too_many_requests_are_answered_busy() -> None:
    """Requests over the bound fail at once, without an event."""
    session = opened()
    requests = b"".join(encode(BrowseRequest(request=number)) for number in range(1, MAX_ASKED_OF_US + 3))

    events = session.receive(requests, 1)
    failures = sent(session)

    assert len(events) == MAX_ASKED_OF_US
    assert [(f.request, f.code) for f in failures if isinstance(f, Failure)] == [
        (257, "engine_busy"),
        (258, "engine_busy"),
    ]


def test_search_flood_is_answered_busy() -> None:
    """More searches than the rate allows fail at once."""
    session = opened()

    asked = range(1, SEARCH_BURST + 3)

    events = session.receive(b"".join(encode(SearchRequest(request=n, text="x")) for n in asked), 1)

    assert [event.request.request for event in events if isinstance(event, Requested)] == list(asked[:-2])
    assert sent(session) == [Failure(request=n, code="engine_busy", reason="too many requests") for n in asked[-2:]]


def test_message_is_sent() -> None:
    """News go out once."""
    session = opened()
    status = Status(name="ann", shares=0, size=0, seq=0)

    session.send(status)

    assert sent(session) == [status]
    assert sent(session) == []


def test_sending_what_the_session_owns_is_our_bug() -> None:
    """Requests, answers and link messages have their own ways out."""
    with pytest.raises(AssertionError):
        opened().send(Ping(nonce=1))


def test_silent_peer_is_asked_then_given_up() -> None:
    """After 4 s of silence a Ping goes out; 5 s later the link is dead."""
    session = opened(now=100)

    assert session.deadline() == 104
    assert session.tick(103.9) == []
    assert sent(session) == []
    assert session.tick(104) == []
    assert sent(session) == [Ping(nonce=1)]
    assert session.deadline() == 109
    [closed] = session.tick(109)
    assert isinstance(closed, Closed)
    assert closed.code == CloseCode.TIMEOUT


def test_answered_ping_measures_and_renews() -> None:
    """A Pong gives the round trip and 4 more seconds of trust."""
    session = opened(now=100)
    session.tick(105)

    session.receive(encode(Pong(nonce=1)), 105.25)

    assert session.rtt == 0.25
    assert session.deadline() == 109.25


def test_any_byte_is_a_sign_of_life() -> None:
    """A peer that sends something else than the Pong first is not dead, and an older Pong still counts."""
    session = opened(now=100)
    session.tick(105)
    session.receive(encode(Ping(nonce=9)), 111)
    session.tick(116)
    session.receive(encode(Pong(nonce=1)), 117)

    assert session.state is State.OPEN
    assert session.rtt is None
    session.receive(encode(Pong(nonce=2)), 118)
    assert session.rtt == 2


def test_pong_counts_once() -> None:
    """A Pong that comes again answers nothing."""
    session = opened()
    session.ping(0)
    session.receive(encode(Pong(nonce=1)), 0)

    assert closes(session, encode(Pong(nonce=1))) == CloseCode.PROTOCOL


def test_ping_on_demand_shortens_the_wait_once() -> None:
    """Asking again while an answer is due sends nothing and postpones nothing."""
    session = opened(now=100)
    session.ping(101)
    session.ping(104)

    assert sent(session) == [Ping(nonce=1)]
    assert session.deadline() == 106


def test_hello_has_a_deadline() -> None:
    """A peer that says nothing is left after 5 s."""
    session = Session(hello(), is_dialer=False, now=10)
    session.receive(b"\x00", 14)

    assert session.deadline() == 15
    [closed] = session.tick(15)
    assert isinstance(closed, Closed)
    assert closed.code == CloseCode.TIMEOUT


def test_frame_has_a_deadline() -> None:
    """A frame that drips in byte by byte ends the link 30 s after its first byte."""
    session = opened()
    data = encode(Status(name="bob", shares=0, size=0, seq=0))
    for second in range(1, 31):
        session.receive(data[second : second + 1], second)

    assert session.deadline() == 31
    [closed] = session.tick(31)
    assert isinstance(closed, Closed)
    assert closed.code == CloseCode.TIMEOUT


def test_deadline_of_a_frame_ends_with_it() -> None:
    """A finished frame frees the next one, begun in the same read, of its predecessor's age."""
    session = opened()
    data = encode(Ping(nonce=1))
    session.receive(data[:3], 1)
    session.receive(data[3:] + data[:3], 29)

    session.tick(31)
    assert session.state is State.OPEN
    session.receive(data[3:], 32)
    assert session.deadline() == 32 + s.PING_SECONDS


def test_closing_waits_for_the_peer_to_end_the_stream() -> None:
    """After our Close the peer is heard no more; its end of stream closes the session."""
    session = opened()

    assert session.close(CloseCode.BYE, "stop", 1) == [Closed("bye", "stop", by_peer=False)]
    assert sent(session) == [Close(code="bye", reason="stop")]
    assert session.receive(encode(hello()), 1.5) == []
    assert session.deadline() == 3
    assert session.end("eof") == []
    assert session.deadline() is None


def test_closing_ends_by_itself() -> None:
    """A peer that does not end the stream is waited for 2 s."""
    session = opened()
    session.close(CloseCode.BYE, "", 1)

    assert session.tick(2.9) == []
    assert session.state is State.CLOSING
    assert session.tick(3) == []
    assert session.deadline() is None


def test_lost_stream_closes() -> None:
    """A stream that ends without a Close is a loss, reported once."""
    session = opened()

    assert session.end("reset") == [Closed(CloseCode.LOST, "reset", by_peer=True)]
    assert session.end("again") == []
    assert session.close(CloseCode.BYE, "", 1) == []
    assert session.tick(100) == []
    assert session.receive(b"x", 1) == []


def test_nothing_after_close_is_heard() -> None:
    """What follows a Close in the same read is dropped."""
    session = opened()

    events = session.receive(encode(Close(code="bye")) + encode(BROWSE) + encode(hello()), 1)

    assert events == [Closed("bye", "", by_peer=True)]
    assert session.state is State.CLOSED


def test_start_is_a_hello() -> None:
    """The first bytes are our HELLO, within the bound for it."""
    data = Session(hello(name="x" * 96, features=["f" * 32] * 32), is_dialer=True, now=0).start()

    assert len(data) <= MAX_HELLO_BODY
    assert decode(FrameDecoder(max_body=MAX_HELLO_BODY).feed(data)[0]) == hello("x" * 96, features=["f" * 32] * 32)


def test_every_state_but_the_last_can_end() -> None:
    """The table leads from every state to CLOSED when the stream ends, and out of CLOSED nowhere."""
    ends = {state: after for (state, step), after in s.TRANSITIONS.items() if step is s.Step.STREAM_ENDED}

    assert ends == dict.fromkeys([State.OPENING, State.OPEN, State.CLOSING], State.CLOSED)
    assert not any(state is State.CLOSED for state, _ in s.TRANSITIONS)
