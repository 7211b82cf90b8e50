"""Messages: each kind has a number, a sample passes the wire unchanged, every bound holds."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from peerterm.errors import ProtocolViolation
from peerterm.wire import messages as m
from peerterm.wire.codec import decode, encode
from peerterm.wire.frame import Frame, FrameDecoder

HASH = bytes(range(32))
ENTRY = m.Entry(path=["films", "a.mkv"], kind="file", size=5, root=HASH, sha256=HASH, mtime_ns=-1, seq=9)
LINE_FIELDS: dict[str, Any] = {
    "key": HASH,
    "log": bytes(8),
    "seq": 1,
    "prev": HASH,
    "sent_at": 0,
    "name": "ann",
    "kind": "text",
    "text": "hello",
    "signature": bytes(64),
}
LINE = m.TalkLine(**LINE_FIELDS)
ITEM_FIELDS: dict[str, Any] = {"name": "a", "kind": "file", "root": HASH, "size": 0, "files": 1}
OFFER_FIELDS = LINE_FIELDS | {"kind": "offer", "items": [ITEM_FIELDS]}
OFFER = m.TalkLine(**LINE_FIELDS | {"kind": "offer", "about": HASH, "items": [m.TalkItem(**ITEM_FIELDS)]})
IMPOSSIBLE_NAMES = ("", "x" * 33, "\u20ac" * 33, "..", "a/b", "\x1b[31m", "a\nb")
NUMBER = {message: kind for kind, message in m.KINDS.items()}

SAMPLES: list[m.Message] = [
    m.Hello(protocol=1, features=["x"], name="ann", instance=b"12345678", port=1, shares=2, size=2**63 - 1, seq=3),
    m.Close(code="bye", reason="going"),
    m.Ping(nonce=0),
    m.Pong(nonce=2**63 - 1),
    m.Status(name="ann", shares=0, size=0, seq=0),
    m.Gossip(peers=[m.PeerAddress(peer=HASH, host="10.0.0.1", port=65535)]),
    m.Failure(request=1, code="not_found"),
    m.SearchRequest(request=1, text="x", max_size=4),
    m.SearchAnswer(request=2**32 - 1, hits=[ENTRY], done=False),
    m.BrowseRequest(request=1, path=["films"], after="b"),
    m.BrowseAnswer(request=1, entries=[ENTRY], more=True),
    m.FindRequest(request=1, by="root", prefix="0123abcd"),
    m.FindAnswer(request=1, hits=[]),
    m.LocateRequest(request=1, path=["films"]),
    m.LocateAnswer(request=1, entry=ENTRY),
    m.InterestRequest(request=1, roots=[HASH]),
    m.InterestAnswer(request=1, haves=[m.Have(root=HASH, first=8, bits=b"\xff")]),
    m.HaveUpdate(root=HASH, chunks=[0, 5], gone=True),
    m.TalkHeads(room="#lan", heads=[m.TalkHead(author=HASH, log=bytes(8), first=1, seq=2**63 - 1)]),
    m.TalkPullRequest(request=1, room="", wants=[m.TalkWant(author=HASH, log=bytes(8), start=1)]),
    m.TalkPullAnswer(request=1, lines=[LINE], more=True),
    m.TalkPush(room="#lan", line=LINE, hops=8),
    m.TalkPush(room="", line=OFFER, hops=0),
    m.TalkRead(log=bytes(8), seq=1),
    m.TalkLeave(room="#lan"),
]

ENTRY_FIELDS = {"path": ["a"], "kind": "file", "size": 0, "root": HASH}

REFUSED: list[tuple[type[m.Message], dict[str, Any]]] = [
    (m.Ping, {}),
    (m.Ping, {"nonce": -1}),
    (m.Ping, {"nonce": 2**63}),
    (m.Ping, {"nonce": 2**64 - 1}),
    (m.Ping, {"nonce": True}),
    (m.Ping, {"nonce": 1.0}),
    (m.Ping, {"nonce": float("nan")}),
    (m.Ping, {"nonce": float("inf")}),
    (m.Ping, {"nonce": "1"}),
    (m.Ping, {"nonce": None}),
    (m.Ping, {"nonce": [1]}),
    (m.Failure, {"request": 0, "code": "x"}),
    (m.Failure, {"request": 2**32, "code": "x"}),
    (m.Failure, {"request": 1, "code": "x" * 33}),
    (m.Failure, {"request": 1, "code": b"x"}),
    (m.Failure, {"request": 1, "code": "x", "done": 1}),
    (m.SearchRequest, {"request": 1, "text": ""}),
    (m.SearchRequest, {"request": 1, "text": "x" * 257}),
    (m.SearchRequest, {"request": 1, "text": "x", "limit": 201}),
    (m.SearchRequest, {"request": 1, "text": "x", "limit": 0}),
    (m.SearchRequest, {"request": 1, "text": "x", "max_size": -1}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"root": HASH[1:]}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"root": "A" * 44}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"kind": "device"}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"path": [""]}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"path": ["a"] * 65}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS | {"mtime_ns": 2**62 + 1}]}),
    (m.SearchAnswer, {"request": 1, "hits": [ENTRY_FIELDS] * 201}),
    (m.BrowseAnswer, {"request": 1, "entries": [ENTRY_FIELDS] * 501}),
    (m.FindRequest, {"request": 1, "by": "md5", "prefix": "0123abcd"}),
    (m.FindRequest, {"request": 1, "by": "root", "prefix": "0123ABCD"}),
    (m.FindRequest, {"request": 1, "by": "root", "prefix": "0123abc"}),
    (m.LocateRequest, {"request": 1, "path": []}),
    (m.InterestRequest, {"request": 1, "roots": []}),
    (m.InterestRequest, {"request": 1, "roots": [HASH] * 65}),
    (m.Gossip, {"peers": [{"peer": HASH, "host": "10.0.0.1", "port": 0}]}),
    (m.Gossip, {"peers": [{"peer": HASH, "host": "10.0.0.1", "port": 1}] * 65}),
    (m.HaveUpdate, {"root": HASH, "chunks": [0] * 2049}),
    (m.HaveUpdate, {"root": HASH, "chunks": [-1]}),
    (m.InterestAnswer, {"request": 1, "haves": [{"root": HASH, "bits": bytes(32 * 1024 + 1)}]}),
    (m.TalkHeads, {"room": "#" + "x" * 33}),
    (m.TalkHeads, {"room": "", "heads": [{"author": HASH, "log": bytes(8), "first": 1, "seq": 1}] * 257}),
    (m.TalkHeads, {"room": "", "heads": [{"author": HASH, "log": bytes(7), "first": 1, "seq": 1}]}),
    (m.TalkHeads, {"room": "", "heads": [{"author": HASH, "log": bytes(8), "first": 0, "seq": 1}]}),
    (m.TalkHeads, {"room": "", "heads": [{"author": HASH, "log": bytes(8), "first": 1, "seq": 2**63}]}),
    (m.TalkPullRequest, {"request": 1, "room": "", "wants": []}),
    (m.TalkPullRequest, {"request": 1, "room": "", "wants": [{"author": HASH, "log": bytes(8), "start": 1}] * 65}),
    (m.TalkPullAnswer, {"request": 1, "lines": [LINE_FIELDS] * 65}),
    (m.TalkPush, {"room": "", "hops": 9, "line": LINE_FIELDS}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"text": ""}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"text": "x" * 4001}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"kind": "Text"}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"kind": "x" * 17}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"seq": 0}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"key": bytes(31)}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"signature": bytes(63)}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"sent_at": -1}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"about": b""}}),
    (m.TalkPush, {"room": "", "hops": 0, "line": OFFER_FIELDS | {"kind": "text"}}),
    *((m.TalkPush, {"room": "", "hops": 0, "line": LINE_FIELDS | {"name": name}}) for name in IMPOSSIBLE_NAMES),
    (m.TalkPush, {"room": "", "hops": 0, "line": OFFER_FIELDS | {"items": [ITEM_FIELDS] * 33}}),
    *(
        (m.TalkPush, {"room": "", "hops": 0, "line": OFFER_FIELDS | {"items": [ITEM_FIELDS | wrong]}})
        for wrong in (
            {"name": ""},
            {"name": "é" * 128},
            {"kind": "x"},
            {"root": b"1"},
            {"size": -1},
            {"size": 2**56 + 1},
            {"files": 2**56 + 1},
        )
    ),
    (m.TalkRead, {"log": bytes(8), "seq": 0}),
    (m.TalkLeave, {"room": ""}),
]


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_message_survives_the_wire(message: m.Message) -> None:
    """What is decoded equals what was encoded."""
    [frame] = FrameDecoder(max_body=64 * 1024).feed(encode(message))

    assert decode(frame) == message


def test_every_kind_has_a_sample() -> None:
    """No kind goes untested."""
    assert {type(message) for message in SAMPLES} == set(m.KINDS.values())


def test_no_class_has_two_numbers() -> None:
    """Kinds and classes correspond one to one, and a kind fits its byte."""
    assert len(set(m.KINDS.values())) == len(m.KINDS)
    assert all(0 <= kind <= 255 for kind in m.KINDS)


@pytest.mark.parametrize(("message", "fields"), REFUSED, ids=lambda value: getattr(value, "__name__", None))
def test_value_out_of_bounds_is_refused(message: type[m.Message], fields: dict[str, Any]) -> None:
    """A field of the wrong type, range or length is a violation, whatever the rest is like."""
    frame = Frame(NUMBER[message], msgpack.packb(fields))

    with pytest.raises(ProtocolViolation, match=message.__name__):
        decode(frame)
