"""Arbitrary bytes against the decoders of a link: a value or the documented error, and soon.

``PEERTERM_FUZZ_EXAMPLES`` says how many inputs each target is given.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from peerterm.errors import ProtocolViolation
from peerterm.wire.codec import decode, encode
from peerterm.wire.frame import HEADER, MAX_LINK_BODY, Frame, FrameDecoder, encode_frame
from peerterm.wire.messages import KINDS, BrowseRequest, Hello, Message
from peerterm.wire.session import CloseCode, Closed, Session, State

LONGEST_SECONDS = 0.05
EXAMPLES = settings(max_examples=int(os.environ.get("PEERTERM_FUZZ_EXAMPLES", "200")))
HELLO = Hello(protocol=1, name="ann", instance=b"12345678", port=1)

FIELDS = sorted({field for kind in KINDS.values() for field in kind.__struct_fields__})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=80),
    st.binary(max_size=80), st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, bytes(32)]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=6)
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=400),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8).map(msgpack.packb),
)
KIND_NUMBERS = st.sampled_from(sorted(KINDS)) | st.integers(0, 255)
STREAMS = st.lists(st.builds(encode_frame, KIND_NUMBERS, BODIES) | st.binary(max_size=60), max_size=6).map(b"".join)

# Bodies at the frame's bound, one a trick: what costs most to take apart.
BOMBS = [
    b"\x80" * MAX_LINK_BODY,
    b"\x91" * MAX_LINK_BODY,
    b"\x81\xa1a" * (MAX_LINK_BODY // 3),
    b"\xdc\x08\x00" + b"\x80" * (MAX_LINK_BODY - 3),
    b"\xdc\x08\x00" + (b"\x9f" + b"\x80" * 15) * 2048,
    msgpack.packb({"request": 1, "hits": [{"path": ["a"], "kind": "file", "size": 0, "root": bytes(32)}] * 900}),
    msgpack.packb({f"key {number}": "x" * 900 for number in range(64)}),
]


@contextmanager
def soon() -> Iterator[None]:
    """Fail if the block takes longer than ``LONGEST_SECONDS`` of this thread's time.

    Without the garbage collector, which may choose this moment to go through all that hypothesis remembers.
    """
    gc.disable()
    began = time.thread_time()
    try:
        yield
        assert time.thread_time() - began < LONGEST_SECONDS
    finally:
        gc.enable()


@EXAMPLES
@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 300))
def test_frame_decoder(parts: list[bytes], max_body: int) -> None:
    """Frames come out within the bound, or the stream is refused."""
    decoder = FrameDecoder(max_body=max_body)
    with soon():
        try:
            frames = [frame for part in parts for frame in decoder.feed(part)]
        except ProtocolViolation:
            return

    assert all(len(frame.body) <= max_body for frame in frames)


@EXAMPLES
@given(KIND_NUMBERS, BODIES)
def test_codec(kind: int, body: bytes) -> None:
    """A body is a message that can be sent again, or a violation."""
    with soon():
        try:
            message = decode(Frame(kind, body))
        except ProtocolViolation:
            return

    assert isinstance(message, Message)
    [frame] = FrameDecoder(max_body=MAX_LINK_BODY).feed(encode(message))
    assert decode(frame) == message


def test_bombs() -> None:
    """The most expensive bodies are taken apart in time, whatever kind they claim to be."""
    for kind in KINDS:
        for body in BOMBS:
            with soon():
                try:
                    decoded: Message | None = decode(Frame(kind, body[:MAX_LINK_BODY]))
                except ProtocolViolation:
                    decoded = None
            assert decoded is None or isinstance(decoded, Message)


@EXAMPLES
@given(STREAMS, st.booleans(), st.lists(st.integers(1, 200), max_size=10))
def test_session(stream: bytes, is_opened: bool, sizes: list[int]) -> None:
    """Any stream leaves a session working or closed with a code, and what it sends is well-formed."""
    session = Session(HELLO, is_dialer=False, now=0)
    if is_opened:
        session.receive(encode(HELLO), 0)
        session.ask(BrowseRequest(request=session.new_request_id()))
    events = []
    with soon():
        for now, size in enumerate([*sizes, len(stream)]):
            events += session.receive(stream[:size], now / 100)
            stream = stream[size:]

    closed = [event for event in events if isinstance(event, Closed)]
    assert bool(closed) == (session.state in (State.CLOSING, State.CLOSED))
    assert closed in ([], events[-1:])
    assert all(event.by_peer or event.code in set(CloseCode) for event in closed)
    for frame in FrameDecoder(max_body=MAX_LINK_BODY).feed(session.data_to_send()):
        assert isinstance(decode(frame), Message)


def test_session_byte_by_byte_before_hello() -> None:
    """The longest stream that is no HELLO yet is cut in time."""
    session = Session(HELLO, is_dialer=False, now=0)
    with soon():
        events = session.receive(HEADER.pack(4096, 1) + bytes(4095), 0)

    assert events == []
    assert session.state is State.OPENING
