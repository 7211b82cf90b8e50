"""Messages to frames and back. The one place where bytes from a peer become typed values.

Decoding proves type, range and length and nothing else; what a message means is judged by the session and the
engine. Called by ``wire.session``.
"""

from __future__ import annotations

from typing import NoReturn

import msgpack
import msgspec

from peerterm.errors import ProtocolViolation
from peerterm.wire.frame import MAX_LINK_BODY, Frame, encode_frame
from peerterm.wire.messages import KINDS, Message

MAX_ARRAY = 2048
MAX_MAP = 64
MAX_TEXT_BYTES = 16 * 1024
MAX_BLOB_BYTES = 32 * 1024
MAX_ERROR_TEXT = 150  # what the decoders say may quote the peer

_KIND_OF = {message: kind for kind, message in KINDS.items()}


def encode(message: Message) -> bytes:
    """Return a message as one whole frame.

    Raises:
        ValueError: The body exceeds ``MAX_LINK_BODY`` or holds text that is not Unicode: a bug of the caller.
    """
    body = msgspec.msgpack.encode(message)
    if len(body) > MAX_LINK_BODY:
        raise ValueError(f"{type(message).__name__} of {len(body)} bytes, at most {MAX_LINK_BODY} fit a frame")
    return encode_frame(_KIND_OF[type(message)], body)


def decode(frame: Frame) -> Message:
    """Return the message a frame holds. Unknown fields are ignored; of repeated ones the last counts.

    Raises:
        ProtocolViolation: The kind is unknown, the body is not MessagePack, or a field breaks its bounds.
    """
    kind = KINDS.get(frame.kind)
    if kind is None:
        raise ProtocolViolation(f"unknown kind of message: {frame.kind}")
    try:
        fields = msgpack.unpackb(
            frame.body,
            raw=False,
            strict_map_key=True,
            ext_hook=_refuse_extension,
            max_array_len=MAX_ARRAY,
            max_map_len=MAX_MAP,
            max_str_len=MAX_TEXT_BYTES,
            max_bin_len=MAX_BLOB_BYTES,
            max_ext_len=0,
        )
        # Naming bytes as a built-in keeps msgspec from reading text as base64 where bytes are due.
        return msgspec.convert(fields, kind, strict=True, builtin_types=(bytes,))
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise ProtocolViolation(f"{kind.__name__}: {ascii(str(error))[:MAX_ERROR_TEXT]}") from error


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    """Refuse what ``max_ext_len=0`` lets through: an extension of no bytes."""
    raise ValueError(f"extension {code} of {len(data)} bytes")
