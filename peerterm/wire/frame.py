"""Frames: a length, a kind and a body. The only framing of control links and of the control socket."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from peerterm.errors import ProtocolViolation

HEADER = Struct("!IB")  # body bytes, kind

MAX_LINK_BODY = 64 * 1024
"""Largest body on an open control link, in bytes."""

MAX_HELLO_BODY = 4 * 1024
"""Largest body before both HELLOs have come, in bytes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``kind`` is 0 to 255; what it means is the reader's business."""

    kind: int
    body: bytes


def encode_frame(kind: int, body: bytes) -> bytes:
    """Return the frame's bytes. The caller keeps ``body`` within the reader's bound."""
    return HEADER.pack(len(body), kind) + body


class FrameDecoder:
    """Cuts a byte stream into frames.

    Invariant: holds at most one incomplete frame of at most ``max_body`` bytes and what came in the same call.
    """

    def __init__(self, *, max_body: int) -> None:
        self._buffer = bytearray()
        self.max_body = max_body

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream; return the frames they complete, in order.

        Raises:
            ProtocolViolation: A frame announces more than ``max_body`` bytes. The stream is lost: close it.
        """
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= HEADER.size:
            size, kind = HEADER.unpack_from(self._buffer)
            if size > self.max_body:  # refused before waiting for it
                raise ProtocolViolation(f"frame of {size} bytes, at most {self.max_body} are allowed")
            end = HEADER.size + size
            if len(self._buffer) < end:
                break
            frames.append(Frame(kind, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames

    @property
    def has_partial(self) -> bool:
        """Whether part of a frame waits for its rest."""
        return bool(self._buffer)
