"""Which chunks of a content are held: one bit each.

Owns the bits and their form on the wire (most significant bit first, as in BitTorrent). Used by the download
machine, by the journal of a part file and by whoever tells peers what is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterator

SLICE_BYTES = 32 * 1024
"""Most bytes of one slice; a multiple of it starts each slice."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def mask_of(bits: bytes | bytearray) -> int:
    """Return the bits as an integer whose bit ``n`` is chunk ``n``."""
    return int.from_bytes(bits.translate(_REVERSED), "little")


class Bitfield:
    """A fixed number of bits, all clear at first.

    Attributes:
        size: Number of bits.
        count: Number of bits that are set.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self._bytes = bytearray((size + 7) // 8)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Bitfield:
        """Rebuild from ``to_bytes``.

        Raises:
            ProtocolViolation: The length does not fit the size, or a bit beyond the size is set.
        """
        field = cls(size)
        if len(data) != len(field._bytes):
            raise ProtocolViolation(f"bitfield of {len(data)} bytes for {size} chunks")
        if size % 8 and data[-1] & (0xFF >> size % 8):
            raise ProtocolViolation("bitfield has bits beyond its end")
        field._bytes[:] = data
        field.count = int.from_bytes(data, "big").bit_count()
        return field

    def to_bytes(self) -> bytes:
        """Return all bits, most significant first, the last byte padded with zeros."""
        return bytes(self._bytes)

    def set(self, index: int) -> bool:
        """Set one bit; return whether it was clear."""
        assert 0 <= index < self.size, "no such chunk"
        bit = 0x80 >> index % 8
        if self._bytes[index // 8] & bit:
            return False
        self._bytes[index // 8] |= bit
        self.count += 1
        return True

    def clear(self, index: int) -> bool:
        """Clear one bit; return whether it was set."""
        if not self.has(index):
            return False
        self._bytes[index // 8] &= ~(0x80 >> index % 8)
        self.count -= 1
        return True

    def has(self, index: int) -> bool:
        """Whether the bit is set."""
        assert 0 <= index < self.size, "no such chunk"
        return bool(self._bytes[index // 8] & 0x80 >> index % 8)

    @property
    def is_complete(self) -> bool:
        """Whether every bit is set; true of no bits at all."""
        return self.count == self.size

    @property
    def mask(self) -> int:
        """All bits as an integer whose bit ``n`` is chunk ``n``."""
        return mask_of(self._bytes)

    def missing(self) -> Iterator[tuple[int, int]]:
        """Yield the clear bits as ranges (first, count), in order."""
        rest = ~self.mask & ((1 << self.size) - 1)
        start = 0
        while rest:
            skipped = (rest & -rest).bit_length() - 1
            rest >>= skipped
            length = (~rest & rest + 1).bit_length() - 1
            yield start + skipped, length
            rest >>= length
            start += skipped + length

    def slices(self) -> Iterator[tuple[int, bytes]]:
        """Yield (first chunk, bits) as ``messages.Have`` carries them; slices without a set bit are left out."""
        for start in range(0, len(self._bytes), SLICE_BYTES):
            bits = bytes(self._bytes[start : start + SLICE_BYTES])
            if any(bits):
                yield start * 8, bits
