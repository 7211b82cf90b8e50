"""The codec: every decoding failure is one error, every bound is explicit."""

from __future__ import annotations

import msgpack
import pytest

from peerterm.errors import ProtocolViolation
from peerterm.wire.codec import MAX_ERROR_TEXT, decode, encode
from peerterm.wire.frame import MAX_LINK_BODY, Frame
from peerterm.wire.messages import BrowseAnswer, Close, Entry, FindRequest, Ping

PING = 3
FIND = 14


def packed_with(extra: bytes) -> bytes:
    """Return the body of a Ping with one unknown field of this MessagePack value."""
    return b"\x82\xa5nonce\x01\xa1x" + extra


def test_unknown_fields_are_ignored() -> None:
    """A later version may add fields."""
    assert decode(Frame(PING, packed_with(b"\xc0"))) == Ping(nonce=1)


def test_last_of_repeated_fields_counts() -> None:
    """A field given twice is read as most MessagePack readers do."""
    assert decode(Frame(PING, b"\x82\xa5nonce\x01\xa5nonce\x02")) == Ping(nonce=2)


def test_unknown_kind_is_refused() -> None:
    """A kind without a class is a violation."""
    with pytest.raises(ProtocolViolation, match="99"):
        decode(Frame(99, b"\x80"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\xc0",
        b"\x01",
        b"\x90",
        b"\x81\xa5nonce",
        b"\x81\xa5nonce\x01\x01",
        b"\x81\xc4\x05nonce\x01",
        b"\x81\x05\x01",
        b"\x81\x90\x01",
        packed_with(b"\xa3\xed\xa0\x80"),
        packed_with(b"\xa1\xff"),
        packed_with(b"\xc7\x00\x05"),
        packed_with(b"\xd4\x05x"),
        packed_with(b"\xd6\xff\x00\x00\x00\x00"),
        packed_with(b"\xc7\x0c\xff" + b"\xff" * 12),
        packed_with(b"\xdd\xff\xff\xff\xff"),
        packed_with(b"\xdf\xff\xff\xff\xff"),
        packed_with(b"\xdb\xff\xff\xff\xff"),
        packed_with(b"\xc6\xff\xff\xff\xff"),
        packed_with(b"\x91" * 3000 + b"\x01"),
        packed_with(msgpack.packb([0] * 2049)),
        packed_with(msgpack.packb({str(key): 0 for key in range(65)})),
        packed_with(msgpack.packb("x" * (16 * 1024 + 1))),
        packed_with(msgpack.packb(bytes(32 * 1024 + 1))),
    ],
    ids=[
        "empty", "reserved", "nil", "number", "array", "cut", "trailing", "bytes-key", "number-key", "array-key",
        "surrogate", "not-utf8", "empty-extension", "extension", "timestamp", "long-timestamp", "array-lie",
        "map-lie", "text-lie", "bytes-lie", "deep", "long-array", "long-map", "long-text", "long-bytes",
    ],
)  # fmt: skip
def test_garbage_is_one_error(body: bytes) -> None:
    """Whatever MessagePack or the schema dislikes surfaces as a violation."""
    with pytest.raises(ProtocolViolation):
        decode(Frame(PING, body))


def test_error_quotes_the_peer_briefly_and_in_ascii() -> None:
    """Text of a peer reaches our error bounded and escaped."""
    body = msgpack.packb({"request": 1, "by": "\x1b[2J\n" * 1000, "prefix": "01234567"})

    with pytest.raises(ProtocolViolation) as caught:
        decode(Frame(FIND, body))

    assert caught.value.message.isprintable()
    assert caught.value.message.isascii()
    assert len(caught.value.message) < MAX_ERROR_TEXT + 50


def test_text_is_not_read_as_bytes() -> None:
    """Base64 text where bytes are due is refused, not decoded."""
    body = msgpack.packb(
        {"request": 1, "entry": {"path": ["a"], "kind": "file", "size": 0, "root": "A" * 43 + "="}}
    )

    with pytest.raises(ProtocolViolation, match="bytes"):
        decode(Frame(17, body))


def test_frame_names_its_kind_and_length() -> None:
    """A frame opens with the length of its body and the number of its class."""
    data = encode(FindRequest(request=1, by="root", prefix="01234567"))

    assert data[:5] == (len(data) - 5).to_bytes(4, "big") + bytes([FIND])


def test_too_long_a_message_is_our_bug() -> None:
    """A message that no frame may hold is refused before it is sent."""
    entry = Entry(path=["x" * 250] * 60, kind="folder", size=0, root=bytes(32))

    with pytest.raises(ValueError, match=str(MAX_LINK_BODY)):
        encode(BrowseAnswer(request=1, entries=[entry] * 5))


def test_text_that_is_not_unicode_is_our_bug() -> None:
    """A lone surrogate, as in the name of a badly encoded file, is not sent."""
    with pytest.raises(ValueError, match="surrogates"):
        encode(Close(code="\ud800"))
