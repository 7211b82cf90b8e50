"""Lines and names: what is signed, what may be said, which rooms there may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.ids import PeerId
from peerterm.core.lines import (
    MAX_ITEMS,
    MAX_ROOM_CHARACTERS,
    MAX_TEXT,
    ConversationId,
    author_of,
    check_items,
    check_text,
    direct,
    is_room,
    is_room_name,
    other_of,
    room_name,
)
from peerterm.errors import InvalidName, UsageError
from peerterm.net.identity import peer_id_of_key
from tests.fakes.logs import made_item, made_line
from tests.fakes.talking import LAN

ANN, BOB = PeerId("aa" * 32), PeerId("bb" * 32)


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Judge a real signature, as the engine does."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def test_author_is_the_device_of_the_key() -> None:
    """The id made from a line's key is the one TLS proves."""
    key = Ed25519PrivateKey.generate().public_key()

    assert author_of(key.public_bytes_raw()) == peer_id_of_key(key)


def test_signature_is_of_every_field() -> None:
    """A real key's signature holds for the line it signed, and for no other."""
    key = Ed25519PrivateKey.generate()
    line = replace(made_line(), key=key.public_key().public_bytes_raw()).signed_by(key.sign)
    others = [
        replace(line, conversation=ConversationId("#other")),
        replace(line, log=b"12345678"),
        replace(line, seq=2),
        replace(line, prev=b"\1" * 32),
        replace(line, sent_at=1),
        replace(line, name="bob"),
        replace(line, kind="me"),
        replace(line, text="what?"),
        replace(line, about=b"\1" * 32),
        replace(line, items=(made_item(),)),
        replace(line, items=(made_item("b.txt"),)),
        replace(line, items=(made_item(), made_item())),
        replace(line, key=Ed25519PrivateKey.generate().public_key().public_bytes_raw()),
    ]

    assert line.is_genuine(verify)
    assert not any(other.is_genuine(verify) for other in others)
    assert len({line.hash, *(other.hash for other in others)}) == 1 + len(others)


def test_hash_does_not_depend_on_the_signature() -> None:
    """Who changes the signature alone makes no other line."""
    assert replace(made_line(), signature=bytes(64)).hash == made_line().hash


def test_direct_conversation_is_the_same_for_both() -> None:
    """Its id names the two in one order; each finds the other in it."""
    conversation = direct(BOB, ANN)

    assert conversation == direct(ANN, BOB)
    assert (other_of(conversation, ANN), other_of(conversation, BOB)) == (BOB, ANN)
    assert not is_room(conversation)
    assert is_room(LAN)


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("#lan", "#lan"),
        ("#LAN", "#lan"),
        ("#Straße", "#strasse"),
        ("#e\u0301cole", "#\u00e9cole"),
        ("#3d-druck_2.0", "#3d-druck_2.0"),
        ("#日本", "#日本"),
        ("#" + "x" * MAX_ROOM_CHARACTERS, "#" + "x" * MAX_ROOM_CHARACTERS),
    ],
)
def test_room_has_one_name(name: str, room: str) -> None:
    """Case and composition do not tell rooms apart."""
    assert room_name(name) == room
    assert is_room_name(room)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "#",
        "lan",
        "#a b",
        "#a/b",
        "#a\x1b[31m",
        "#a\u202eb",
        "#a\u200db",
        "#-",
        "#\u0301a",
        "##",
        "#\ud800",
        "#" + "x" * 33,
    ],
)
def test_impossible_room_is_refused(name: str) -> None:
    """Nothing that moves the cursor, hides, or is no name."""
    with pytest.raises(InvalidName):
        room_name(name)
    assert not is_room_name(name)


@given(st.text(max_size=40))
def test_name_of_a_room_is_its_own(name: str) -> None:
    """What the judge gives back, it gives back again."""
    try:
        room = room_name("#" + name)
    except InvalidName:
        return

    assert room_name(room) == room


def test_text_may_be_4000_characters() -> None:
    """And no more, not none, and nothing that cannot be sent."""
    check_text("🎉" * MAX_TEXT)
    for text in ("", "x" * (MAX_TEXT + 1), "\ud800"):
        with pytest.raises(UsageError):
            check_text(text)


def test_offer_may_have_32_items() -> None:
    """And no more, and not none; other lines offer nothing."""
    check_items("offer", [made_item()] * MAX_ITEMS)
    check_items("text", [])
    for kind, count in (("offer", 0), ("offer", MAX_ITEMS + 1), ("text", 1)):
        with pytest.raises(UsageError):
            check_items(kind, [made_item()] * count)
