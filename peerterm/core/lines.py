"""One line of a conversation: what it says, what its author signs, and which names conversations bear.

Pure values. Signing and verifying are functions passed in, for keys belong to ``net.identity``. Called by the rest
of the talk machine, by ``wire.talk`` and by ``store.talk``.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, NewType, TypeAlias

import msgspec

from peerterm.core.ids import PeerId, Root
from peerterm.core.listing import EntryKind
from peerterm.core.names import collision_key
from peerterm.errors import InvalidName, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MAX_TEXT = 4000
"""Most characters of a line, so at most 16,000 bytes of UTF-8."""

MAX_ITEMS = 32
"""Most items of an offer."""

MAX_ITEM_SIZE = 2**56
"""Most bytes of an item, and most files: what all of an offer come to is a number of 64 bits."""

OFFER = "offer"
"""The kind of line that has items; the others about it are in ``core.offers``."""

MAX_ROOM_CHARACTERS = 32
LOG_BYTES = 8
KEY_BYTES = 32
SIGNATURE_BYTES = 64

NO_HASH = bytes(32)
"""What the first line of a log names as the line before it."""

LINE_DOMAIN = b"peerterm line 1\0"
"""Begins what is signed, so that a signature for a line is one for nothing else."""

_KEY_INFO = bytes.fromhex("302a300506032b6570032100")  # a SubjectPublicKeyInfo up to the Ed25519 key (RFC 8410)

ConversationId = NewType("ConversationId", str)
"""Names a conversation on every machine: a room's name, or the two ids of a direct one."""

Sign: TypeAlias = "Callable[[bytes], bytes]"
Verify: TypeAlias = "Callable[[bytes, bytes, bytes], bool]"
"""Says whether, of a raw public key, this is the signature of that data."""


class LogId(NamedTuple):
    """Names one log of a conversation: everything its author wrote with one database."""

    author: PeerId
    log: bytes


class Item(NamedTuple):
    """A file, or a folder with all that is in it, that somebody offers.

    Attributes:
        name: One component; hostile until ``core.names`` judged it.
        root: Its content.
        size: Bytes; of a folder, all below it; at most ``MAX_ITEM_SIZE``.
        files: Files below a folder, likewise; 1 for a file.
    """

    name: str
    kind: EntryKind
    root: Root
    size: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, as its author signed it.

    Attributes:
        key: The author's raw Ed25519 public key, which makes the author's id.
        log: Random, new whenever the author's database begins anew.
        seq: 1, 2, 3, ... within the author's log of this conversation.
        prev: ``hash`` of the line before it, ``NO_HASH`` for the first.
        sent_at: Unix time in milliseconds by the author's clock: shown, and used for nothing else.
        name: What its author called itself then; identifies nobody.
        kind: ``text``, ``me``, one of ``core.offers``, or one that later versions know; such a line is kept and
            passed on all the same.
        about: ``hash`` of the line it answers, of which ``text`` tells people; else empty.
        items: What a line of the kind ``OFFER`` offers.
    """

    conversation: ConversationId
    key: bytes
    log: bytes
    seq: int
    prev: bytes
    sent_at: int
    name: str
    kind: str
    text: str
    about: bytes = b""
    items: tuple[Item, ...] = ()
    signature: bytes = b""

    @property
    def author(self) -> PeerId:
        """Who signed it, if the signature holds."""
        return author_of(self.key)

    @property
    def log_id(self) -> LogId:
        """The log it stands in."""
        return LogId(self.author, self.log)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of."""
        place = (self.conversation, self.key, self.log, self.seq, self.prev)
        return LINE_DOMAIN + msgspec.msgpack.encode(
            (*place, self.sent_at, self.name, self.kind, self.text, self.about, self.items)
        )

    @property
    def hash(self) -> bytes:
        """SHA-256 of what is signed: what the next line names as ``prev``."""
        return hashlib.sha256(self.signed).digest()

    def signed_by(self, sign: Sign) -> Line:
        """Return the line with its author's signature."""
        return replace(self, signature=sign(self.signed))

    def is_genuine(self, verify: Verify) -> bool:
        """Whether the author signed it."""
        return verify(self.key, self.signature, self.signed)


def author_of(key: bytes) -> PeerId:
    """Return the id of the device with this raw public key."""
    return PeerId(hashlib.sha256(_KEY_INFO + key).hexdigest())


def check_text(text: str) -> None:
    """Accept what a line may say.

    Raises:
        UsageError: It is empty, too long, or not Unicode.
    """
    if not text:
        raise UsageError("there is nothing to say", "type some text")
    if len(text) > MAX_TEXT:
        raise UsageError(
            f"a line of {len(text):,} characters; at most {MAX_TEXT:,} are allowed", "send it as a file"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the text is not valid Unicode", "type it anew") from error


def check_items(kind: str, items: Collection[Item]) -> None:
    """Accept what a line of some kind offers.

    Raises:
        UsageError: An offer of nothing, of too much, or items where none belong.
    """
    if bool(items) != (kind == OFFER):
        raise UsageError("an offer, and nothing else, offers something", "name at least one file or folder")
    if len(items) > MAX_ITEMS:
        raise UsageError(
            f"an offer of {len(items):,} items; at most {MAX_ITEMS} are allowed", "send the folder they are in"
        )


def direct(one: PeerId, other: PeerId) -> ConversationId:
    """Return the id of the conversation of two peers, in whichever order."""
    return ConversationId(":".join(sorted((one, other))))


def is_room(conversation: ConversationId) -> bool:
    """Whether a conversation is a room."""
    return conversation.startswith("#")


def other_of(conversation: ConversationId, own: PeerId) -> PeerId:
    """Return whom we talk with in a direct conversation of ours."""
    one, _, other = conversation.partition(":")
    return PeerId(other if one == own else one)


def room_name(name: str) -> ConversationId:
    """Return the id of the room that somebody calls so. The one judge of the names of rooms.

    Case and composition do not tell rooms apart.

    Raises:
        InvalidName: It is not ``#`` and 1 to ``MAX_ROOM_CHARACTERS`` letters, digits and ``-_.``.
    """
    folded = collision_key(name)
    letters = folded.removeprefix("#")
    if letters == folded or not 1 <= len(letters) <= MAX_ROOM_CHARACTERS or collision_key(folded) != folded:
        raise _no_room(name)
    if unicodedata.category(letters[0])[0] not in "LN" or not all(map(_may_name, letters)):
        raise _no_room(name)
    return ConversationId(folded)


def is_room_name(name: str) -> bool:
    """Whether a name is one that ``room_name`` gives."""
    try:
        return room_name(name) == name
    except InvalidName:
        return False


def _may_name(character: str) -> bool:
    return character in "-_." or unicodedata.category(character)[0] in "LMN"


def _no_room(name: str) -> InvalidName:
    return InvalidName(
        f"{name[:64]!a} is not the name of a room",
        f"use # and at most {MAX_ROOM_CHARACTERS} letters, digits, dots, dashes: #lan",
    )
