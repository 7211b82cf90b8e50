"""How much is held of contents that lie one behind the other, in equal parts of all their bytes. Pure.

Used to show a transfer; decides nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield


class ChunkMap:
    """Adds up contents in their order.

    Args:
        total: Bytes of all contents together.
        parts: Number of equal parts, at least 1; fewer if there are fewer bytes.
    """

    def __init__(self, total: int, parts: int) -> None:
        count = max(min(parts, total), 1)
        self._edges = [total * part // count for part in range(count + 1)]
        self._held = [0] * count
        self._part = 0
        self._at = 0

    def add(self, size: int, held: Bitfield | None = None) -> None:
        """Take the next content: of a size, with what is held of it; ``None`` is nothing."""
        bits = held.to_bytes() if held and held.count else b""
        self._take(size, bits)

    def add_whole(self, size: int) -> None:
        """Take the next content, all of which is held."""
        self._take(size, None)

    def _take(self, size: int, bits: bytes | None) -> None:
        start, end = self._at, self._at + size
        assert end <= self._edges[-1], "more than there is in all"
        while self._at < end:
            upto = min(end, self._edges[self._part + 1])
            if bits is None:
                self._held[self._part] += upto - self._at
            elif bits:
                self._held[self._part] += _held_between(bits, self._at - start, upto - start)
            self._at = upto
            if upto == self._edges[self._part + 1] and self._part + 1 < len(self._held):
                self._part += 1

    @property
    def percents(self) -> list[int]:
        """Percent held of each part; 100 only where all is held, as it is of nothing."""
        sizes = [after - before for before, after in pairwise(self._edges)]
        return [held * 100 // size if size else 100 for held, size in zip(self._held, sizes, strict=True)]


def _held_between(bits: bytes, start: int, end: int) -> int:
    """Count the bytes held from one offset of a content up to another, which is beyond it."""
    first, last = start // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
    whole = _count(bits, first, last + 1) * CHUNK_BYTES
    before = (start - first * CHUNK_BYTES) * _count(bits, first, first + 1)
    after = ((last + 1) * CHUNK_BYTES - end) * _count(bits, last, last + 1)
    return whole - before - after


def _count(bits: bytes, first: int, end: int) -> int:
    """Count the bits that are set from one up to another; the first is the highest of the first byte."""
    number = int.from_bytes(bits[first // 8 : -(-end // 8)], "big") >> -end % 8
    return (number & ((1 << end - first) - 1)).bit_count()
