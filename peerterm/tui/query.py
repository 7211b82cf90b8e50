"""The line a search is typed in: words, and terms such as ``type:video size:>10M size:<2G``; and the lines before.

Pure. ``SearchPane`` reads its line with it, and its dialogs change the line through it.
"""

from __future__ import annotations

import re

from peerterm.api.views import SearchQuery
from peerterm.config_values import BadValue, amount
from peerterm.core.catalog import QUERY_KINDS
from peerterm.errors import UsageError

MAX_HISTORY = 100
"""Most lines that are remembered."""

LINK = "peerterm:"
_ROOT = re.compile(r"[0-9a-f]{64}")

SIZE_HINT = "write size:>10M, size:<2G or size:10M..2G"
_BOUND = re.compile(r"(?P<side>[<>])=?(?P<size>.+)")


def parse_line(line: str) -> SearchQuery:
    """Read a line: every term that is no ``type:`` or ``size:`` is a word to look for; of a link its root.

    A type may be shortened as long as it is clear; of several types the last one counts, of several sizes all do.
    ``>`` and ``<`` include the size itself.

    Raises:
        UsageError: There is no word, no such type or size, or the link is none to a content.
    """
    words: list[str] = []
    kind = "any"
    least, most = 0, None
    for term in line.split():
        value = term.partition(":")[2]
        if _is_filter(term, "type"):
            kind = _kind(value)
        elif _is_filter(term, "size"):
            low, high = _sizes(value)
            least = max(least, low)
            most = high if most is None or (high is not None and high < most) else most
        else:
            words.append(_root_in(term))
    if most is not None and least > most:
        raise UsageError("no size lies between the bounds", SIZE_HINT)
    if not words:
        raise UsageError("type a word of the name or path", "a type or a size alone asks for too much")
    return SearchQuery(text=" ".join(words), kind=kind, min_size=least, max_size=most)


def values_of(line: str, name: str) -> list[str]:
    """Return what a line says behind ``name:``, in its order."""
    return [term.partition(":")[2] for term in line.split() if _is_filter(term, name)]


def with_values(line: str, name: str, values: list[str]) -> str:
    """Return a line whose ``name:`` terms are these instead, at its end; none takes them away."""
    kept = [term for term in line.split() if not _is_filter(term, name)]
    return " ".join([*kept, *(f"{name}:{value}" for value in values)])


def letters(query: SearchQuery) -> int:
    """Count what of the words was typed, blanks apart."""
    return sum(map(len, query.text.split()))


def _root_in(term: str) -> str:
    """Return what a word stands for: of a link the content's root, which a search finds as it finds words."""
    if not term.startswith(LINK):
        return term
    root = term.removeprefix(LINK).partition("?")[0]
    if not _ROOT.fullmatch(root):
        raise UsageError("this link is not one to a content", "a peerterm: link names a root of 64 hex digits")
    return root


def _is_filter(term: str, name: str) -> bool:
    return term.lower().startswith(f"{name}:")


def _kind(value: str) -> str:
    meant = [kind for kind in QUERY_KINDS if kind.startswith(value.lower())] if value else []
    if value.lower() in QUERY_KINDS:
        return value.lower()
    if len(meant) != 1:
        raise UsageError(f"type:{value} is no type", f"use one of {', '.join(QUERY_KINDS)}")
    return meant[0]


def _sizes(value: str) -> tuple[int, int | None]:
    low, dots, high = value.partition("..")
    bound = _BOUND.fullmatch(value)
    try:
        if dots:
            return amount(low), amount(high)
        if bound is not None:
            size = amount(bound["size"])
            return (size, None) if bound["side"] == ">" else (0, size)
    except BadValue as error:
        raise UsageError(f"size:{value}: a size {error}", SIZE_HINT) from error
    raise UsageError(f"size:{value} says neither least nor most", SIZE_HINT)


class History:
    """Lines that were searched for, gone through one by one; what was being typed comes after the newest."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """Remember a line as the newest one."""
        line = " ".join(line.split())
        if line:
            others = [known for known in self._lines if known != line]
            self._lines = [*others[1 - MAX_HISTORY :], line]
        self._at = len(self._lines)

    def older(self, typed: str) -> str | None:
        """Return the line before; ``None`` at the oldest. ``typed`` is kept to come back to."""
        if self._at == len(self._lines):
            self._draft = typed
        while self._at > 0:
            self._at -= 1
            if self._lines[self._at] != typed:
                return self._lines[self._at]
        return None

    def newer(self) -> str | None:
        """Return the line after, at last what was being typed; ``None`` behind that."""
        if self._at == len(self._lines):
            return None
        self._at += 1
        return self._lines[self._at] if self._at < len(self._lines) else self._draft
