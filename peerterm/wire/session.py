"""The rules of one control link: HELLO, requests and answers, keepalive, close.

Owns what may be said when, and every bound on it. Sans-I/O: bytes and times go in, events come out, and
``data_to_send`` holds what is to be written. A peer that breaks a rule never raises here: it is sent a ``Close``
and a ``Closed`` event tells why. Driven by ``net.link``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, TypeAlias

from peerterm.errors import EngineBusy, ProtocolViolation
from peerterm.wire import codec
from peerterm.wire.frame import MAX_HELLO_BODY, MAX_LINK_BODY, Frame, FrameDecoder
from peerterm.wire.messages import (
    PROTOCOL_VERSION,
    Answer,
    Close,
    Failure,
    Hello,
    Message,
    Ping,
    Pong,
    Request,
)
from peerterm.wire.requests import OurRequests, TheirRequests

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO_SECONDS = 5.0
PING_SECONDS = 4.0
"""Silence after which the peer is asked whether it lives."""
PONG_SECONDS = 5.0
"""Silence after that question which ends the link."""
FRAME_SECONDS = 30.0
"""Longest time from the first to the last byte of a frame."""
CLOSE_SECONDS = 2.0
"""How long the peer may take to end the stream once we sent ``Close``."""

MAX_REASON = 200


class CloseCode(StrEnum):
    """Why a link ends."""

    BYE = "bye"  # the sender stops
    DUPLICATE = "duplicate"  # the two peers have another link
    PROTOCOL = "protocol"  # the receiver broke a rule
    VERSION = "version"  # no common protocol version
    FEATURE = "feature"  # the receiver requires what the sender does not know
    TIMEOUT = "timeout"  # silence, or something took too long
    BUSY = "busy"  # the sender has too many links
    BLOCKED = "blocked"  # the sender wants nothing to do with the receiver
    SELF = "self"  # both ends are one device
    LOST = "lost"  # the stream ended without a word (never sent, only concluded here)


class State(Enum):
    """Where a session stands."""

    OPENING = auto()  # the peer's HELLO has not come
    OPEN = auto()
    CLOSING = auto()  # we sent Close and ignore what still comes
    CLOSED = auto()  # the stream can be dropped


class Step(Enum):
    """What moves a session on."""

    HELLO_HEARD = auto()
    CLOSE_SENT = auto()
    CLOSE_HEARD = auto()
    STREAM_ENDED = auto()


TRANSITIONS = {
    (State.OPENING, Step.HELLO_HEARD): State.OPEN,
    (State.OPENING, Step.CLOSE_SENT): State.CLOSING,
    (State.OPENING, Step.CLOSE_HEARD): State.CLOSED,
    (State.OPENING, Step.STREAM_ENDED): State.CLOSED,
    (State.OPEN, Step.CLOSE_SENT): State.CLOSING,
    (State.OPEN, Step.CLOSE_HEARD): State.CLOSED,
    (State.OPEN, Step.STREAM_ENDED): State.CLOSED,
    (State.CLOSING, Step.STREAM_ENDED): State.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """Both HELLOs have come."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Received:
    """The peer told something that wants no answer."""

    message: Message


@dataclass(frozen=True, slots=True)
class Requested:
    """The peer asks. Answer with parts that bear the request's id, the last one ``done``."""

    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """A part of the answer to one of our requests came; with ``done``, the last."""

    request_id: int
    answer: Answer
    done: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over; the last event of a session. ``code`` is the peer's own text if ``by_peer``."""

    code: str
    reason: str
    by_peer: bool


SessionEvent: TypeAlias = Opened | Received | Requested | Answered | Closed


class Session:
    """One side of one control link.

    Invariant: exactly one ``Closed`` event, and none after it.
    """

    def __init__(self, hello: Hello, *, is_dialer: bool, now: float) -> None:
        self.is_dialer = is_dialer
        self.state = State.OPENING
        self.rtt: float | None = None  # seconds, of the newest Ping that was answered
        self._hello = hello
        self._decoder = FrameDecoder(max_body=MAX_HELLO_BODY)
        self._outgoing = bytearray()
        self._began_at = now
        self._heard_at = now
        self._closing_at = now
        self._partial_since: float | None = None
        self._probed_at: float | None = None  # when the Ping was sent that nothing has followed yet
        self._pinged_at = now
        self._last_ping = 0
        self._last_pong = 0
        self._ours = OurRequests()
        self._theirs = TheirRequests()

    def start(self) -> bytes:
        """Return our HELLO, the first bytes to send."""
        data = codec.encode(self._hello)
        assert len(data) <= MAX_HELLO_BODY
        return data

    def data_to_send(self) -> bytes:
        """Take the bytes that are to be written."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    # What happens outside.

    def receive(self, data: bytes, now: float) -> list[SessionEvent]:
        """Take the next bytes of the stream."""
        events: list[SessionEvent] = []
        if self.state in (State.CLOSING, State.CLOSED):
            return events
        self._heard_at, self._probed_at = now, None
        has_frame = False
        try:
            for frame in self._cut(data):
                has_frame = True
                events += self._on_message(codec.decode(frame), now)
                if self.state is not State.OPEN:
                    return events
        except ProtocolViolation as violation:
            return events + self.close(CloseCode.PROTOCOL, violation.message, now)
        if not self._decoder.has_partial:
            self._partial_since = None
        elif has_frame or self._partial_since is None:
            self._partial_since = now
        return events

    def end(self, reason: str) -> list[SessionEvent]:
        """Take note that the stream has ended, or broken for ``reason``."""
        if self.state is State.CLOSED:
            return []
        was_closing = self.state is State.CLOSING
        self._move(Step.STREAM_ENDED)
        return [] if was_closing else [Closed(CloseCode.LOST, reason, by_peer=True)]

    def deadline(self) -> float | None:
        """Return when ``tick`` is due, or ``None`` once the session is closed."""
        if self.state is State.CLOSED:
            return None
        if self.state is State.CLOSING:
            return self._closing_at + CLOSE_SECONDS
        if self.state is State.OPENING:
            return self._began_at + HELLO_SECONDS
        return min(self._silence_deadline(), self._frame_deadline())

    def tick(self, now: float) -> list[SessionEvent]:
        """Do what is due. Harmless when nothing is."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return []
        if self.state is State.CLOSING:
            return self.end("")
        if self.state is State.OPENING:
            return self.close(CloseCode.TIMEOUT, f"no HELLO within {HELLO_SECONDS:g} s", now)
        if now >= self._frame_deadline():
            return self.close(CloseCode.TIMEOUT, f"a frame took longer than {FRAME_SECONDS:g} s", now)
        if self._probed_at is not None:
            return self.close(CloseCode.TIMEOUT, "nothing heard any more", now)
        self.ping(now)
        return []

    # What this side does.

    def close(self, code: CloseCode, reason: str, now: float) -> list[SessionEvent]:
        """Say why and end the link. Does nothing when it is ending already."""
        if self.state in (State.CLOSING, State.CLOSED):
            return []
        reason = reason[:MAX_REASON]
        self._put(Close(code=code, reason=reason))
        self._move(Step.CLOSE_SENT)
        self._closing_at = now
        return [Closed(code, reason, by_peer=False)]

    def send(self, message: Message) -> None:
        """Tell the peer something that wants no answer."""
        assert self.state is State.OPEN
        assert not isinstance(message, (Request, Answer, Hello, Close, Ping, Pong))
        self._put(message)

    def new_request_id(self) -> int:
        """Return an id for ``ask``."""
        return self._ours.new_id()

    def ask(self, request: Request) -> None:
        """Ask the peer. The caller keeps to ``MAX_ASKED`` open requests and to ids from ``new_request_id``."""
        assert self.state is State.OPEN
        self._ours.ask(request)
        self._put(request)

    def forget(self, request_id: int) -> None:
        """Wait no longer for an answer; should it come late, it is ignored."""
        self._ours.forget(request_id)

    def answer(self, answer: Answer) -> None:
        """Send a part of the answer to a request of the peer."""
        assert self.state is State.OPEN
        self._theirs.answer(answer)
        self._put(answer)

    def is_answering(self, request_id: int) -> bool:
        """Whether a request of the peer still waits for our last part."""
        return request_id in self._theirs

    def ping(self, now: float) -> None:
        """Ask for a sign of life, unless that is under way; none within ``PONG_SECONDS`` ends the link."""
        assert self.state is State.OPEN
        if self._probed_at is not None:
            return
        self._last_ping += 1
        self._pinged_at = self._probed_at = now
        self._put(Ping(nonce=self._last_ping))

    # Within.

    def _put(self, message: Message) -> None:
        self._outgoing += codec.encode(message)

    def _move(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state, step]

    def _cut(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes.

        Until HELLO has come, bytes are fed one by one: what follows it may be longer, and in the same read.
        """
        fed = 0
        while fed < len(data):
            size = 1 if self.state is State.OPENING else len(data) - fed
            yield from self._decoder.feed(data[fed : fed + size])
            fed += size

    def _silence_deadline(self) -> float:
        if self._probed_at is None:
            return self._heard_at + PING_SECONDS
        return self._probed_at + PONG_SECONDS

    def _frame_deadline(self) -> float:
        return float("inf") if self._partial_since is None else self._partial_since + FRAME_SECONDS

    def _on_message(self, message: Message, now: float) -> list[SessionEvent]:
        match message:
            case Close():
                self._move(Step.CLOSE_HEARD)
                return [Closed(message.code, message.reason, by_peer=True)]
            case Hello() if self.state is State.OPENING:
                return self._on_hello(message, now)
            case Hello():
                raise ProtocolViolation("a second HELLO")
            case _ if self.state is State.OPENING:
                raise ProtocolViolation(f"{type(message).__name__} before HELLO")
            case Ping():
                self._put(Pong(nonce=message.nonce))
                return []
            case Pong():
                return self._on_pong(message, now)
            case Request():
                return self._on_request(message, now)
            case Answer():
                return self._on_answer(message)
        return [Received(message)]

    def _on_hello(self, hello: Hello, now: float) -> list[SessionEvent]:
        if hello.protocol != PROTOCOL_VERSION:
            ours_theirs = f"this is protocol {PROTOCOL_VERSION}, the peer's is {hello.protocol}"
            return self.close(CloseCode.VERSION, ours_theirs, now)
        if unknown := set(hello.required) - set(self._hello.features):
            return self.close(CloseCode.FEATURE, f"not known here: {sorted(unknown)!a}", now)
        self._move(Step.HELLO_HEARD)
        self._decoder.max_body = MAX_LINK_BODY
        return [Opened(hello)]

    def _on_pong(self, pong: Pong, now: float) -> list[SessionEvent]:
        if not self._last_pong < pong.nonce <= self._last_ping:
            raise ProtocolViolation("a Pong without its Ping")
        self._last_pong = pong.nonce
        if pong.nonce == self._last_ping:
            self.rtt = now - self._pinged_at
        return []

    def _on_request(self, request: Request, now: float) -> list[SessionEvent]:
        if self._theirs.take(request, now):
            return [Requested(request)]
        self._put(Failure(request=request.request, code=EngineBusy.code, reason="too many requests"))
        return []

    def _on_answer(self, answer: Answer) -> list[SessionEvent]:
        return [Answered(answer.request, answer, answer.done)] if self._ours.take(answer) else []
