"""Which bytes an HTTP request wants: its Range header and its conditions (RFC 9110, sections 13 and 14).

Text in, a value out; nothing here fails, whatever the text. One range at most is served: several are refused
without looking at them. Called by ``net.media_http``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

MAX_DIGITS = 19
"""A number of more digits lies beyond the end of any file, and is not converted."""

_BEYOND = 10**MAX_DIGITS
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_TAGS = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file that is not empty.

    Attributes:
        start: Its first byte.
        stop: The byte after its last.
    """

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """Write it as the Content-Range header of a file of ``size`` bytes; there the last byte counts in."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class Verdict(Enum):
    """What a request gets if it is not one range."""

    WHOLE = auto()
    UNSATISFIABLE = auto()


def parse_range(header: str | None, size: int) -> ByteRange | Verdict:
    """Return what a Range header asks of a file.

    Args:
        header: ``None`` if there was none. ``bytes=a-b``, ``a-`` and ``-n`` are served; several ranges, and one
            that begins after the end, are unsatisfiable; any other text counts as no header.
        size: The file's bytes.
    """
    unit, _, spec = (header or "").partition("=")
    if unit.lower() != "bytes":
        return Verdict.WHOLE
    if "," in spec:
        return Verdict.UNSATISFIABLE
    found = _SPEC.fullmatch(spec.strip(" \t"))
    if found is None or found[0] == "-":
        return Verdict.WHOLE
    if not found[1]:
        return _last_bytes(_number(found[2]), size)
    start = _number(found[1])
    if start >= size:
        return Verdict.UNSATISFIABLE
    stop = min(_number(found[2]) + 1, size) if found[2] else size
    return ByteRange(start, stop) if start < stop else Verdict.WHOLE


def _last_bytes(count: int, size: int) -> ByteRange | Verdict:
    if not count:
        return Verdict.UNSATISFIABLE
    return ByteRange(max(0, size - count), size) if size else Verdict.WHOLE


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= MAX_DIGITS else _BEYOND


def if_range_holds(header: str | None, tag: str) -> bool:
    """Tell whether an If-Range header, if any, lets the Range header count.

    Args:
        header: An entity tag, or a date, which never holds since no file is served with one.
        tag: The file's own, strong, with its quotes.
    """
    return header is None or header.strip(" \t") == tag


def names_tag(header: str | None, tag: str) -> bool:
    """Tell whether an If-None-Match header names the file: by its tag, strong or weak, or by ``*``."""
    if header is None:
        return False
    return header.strip(" \t") == "*" or any(found[1] == tag for found in _TAGS.finditer(header))
