"""Properties of the wire: round trips under any split, sessions that agree."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from peerterm.wire.codec import decode, encode
from peerterm.wire.frame import MAX_LINK_BODY, Frame, FrameDecoder, encode_frame
from peerterm.wire.messages import Entry, Hello, Message, Ping, SearchAnswer, Status
from peerterm.wire.session import Opened, Received, Session

UINTS = st.integers(0, 2**63 - 1)
HASHES = st.binary(min_size=32, max_size=32)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=96)
PATHS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=50), min_size=1, max_size=5)
ENTRIES = st.builds(
    Entry, path=PATHS, kind=st.sampled_from(["file", "folder"]), size=UINTS, files=UINTS, root=HASHES,
    sha256=st.none() | HASHES, mtime_ns=st.integers(-(2**62), 2**62 - 1), seq=UINTS,
)  # fmt: skip
STATUSES = st.builds(Status, name=NAMES, shares=UINTS, size=UINTS, seq=UINTS)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, nonce=UINTS),
    STATUSES,
    st.builds(
        SearchAnswer, request=st.integers(1, 2**32 - 1), done=st.booleans(), hits=st.lists(ENTRIES, max_size=5)
    ),
)


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream at these places, as TCP might."""
    edges = sorted({0, len(stream), *(place for place in cuts if place < len(stream))})
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(0, 3000)))
def test_any_split_of_the_stream_yields_the_frames_sent(bodies: list[bytes], cuts: list[int]) -> None:
    """However TCP cuts the stream, the decoder returns what was encoded."""
    decoder = FrameDecoder(max_body=300)
    stream = b"".join(encode_frame(1, body) for body in bodies)

    got = [frame for part in cut(stream, cuts) for frame in decoder.feed(part)]

    assert got == [Frame(1, body) for body in bodies]
    assert not decoder.has_partial


@given(MESSAGES)
def test_what_is_decoded_is_what_was_encoded(message: Message) -> None:
    """Encoding loses nothing."""
    [frame] = FrameDecoder(max_body=MAX_LINK_BODY).feed(encode(message))

    assert decode(frame) == message


@given(st.lists(STATUSES, max_size=5), st.lists(st.integers(0, 2000)))
def test_any_split_of_a_session_yields_the_same_events(news: list[Status], cuts: list[int]) -> None:
    """However TCP cuts a peer's HELLO and what follows, the session says the same."""
    hello = Hello(protocol=1, name="ann", instance=b"12345678", port=1)
    session = Session(hello, is_dialer=True, now=0)
    stream = encode(hello) + b"".join(encode(status) for status in news)

    got = [event for part in cut(stream, cuts) for event in session.receive(part, 0)]

    assert got == [Opened(hello), *(Received(status) for status in news)]
