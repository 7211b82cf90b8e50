"""Output to a terminal that may not read."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.output import CANCEL, MAX_QUEUED_BYTES, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAME = "x" * 10_000


class Ends:
    """Both ends of a terminal, and an output to it."""

    def __init__(self, encoding: str = "utf-8", *, is_plain: bool = False) -> None:
        self.reader, self.writer = pty.openpty()
        tty.setraw(self.writer)
        self.drained = threading.Event()
        self.output = Output(self.writer, encoding, self.drained.set, is_plain=is_plain)

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        data = b""
        while len(data) < size:
            data += os.read(self.reader, size - len(data))
        return data

    def fill(self) -> int:
        """Write until there is no room; return how much there was."""
        written = 0
        while self.output.write(FRAME):
            written += len(FRAME)
        return written


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Give a terminal of its own."""
    ends = Ends()
    yield ends
    ends.output.discard()
    ends.output.close(5)
    for fileno in (ends.reader, ends.writer):
        os.close(fileno)


def hold(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


def test_text_arrives_in_order(ends: Ends) -> None:
    """Whatever its length."""
    ends.output.write("ä" * 5000)
    ends.output.write("ö")

    assert ends.read(10_002).decode() == "ä" * 5000 + "ö"


@pytest.mark.parametrize(("encoding", "looks"), [("ascii", "|-+ zo? ?? *"), ("utf-8", "|-+ zoë 文 *")])
def test_plain_terminal_gets_what_looks_alike(encoding: str, looks: str) -> None:
    """Lines as lines; what cannot be sent at all as question marks, in as many cells."""
    ends = Ends(encoding, is_plain=True)
    ends.output.write("│─┐ zoë 文 ●")
    shown = ends.read(len(looks.encode())).decode()
    os.close(ends.reader)
    ends.output.close(5)
    os.close(ends.writer)

    assert shown == looks


def test_writer_is_never_held_up(ends: Ends) -> None:
    """A terminal that does not read: what there is no room for is refused at once, and it counts as stalled."""
    start = time.monotonic()
    room = ends.fill()
    took = time.monotonic() - start
    hold(lambda: ends.output.is_stalled)

    assert MAX_QUEUED_BYTES - len(FRAME) <= room < MAX_QUEUED_BYTES * 1.2
    assert took < 1
    assert not ends.drained.is_set()


def test_end_of_a_stall_is_told(ends: Ends) -> None:
    """Once everything was taken, and once for each stall that somebody noticed."""
    room = ends.fill()
    hold(lambda: ends.output.is_stalled)
    ends.read(room)

    assert ends.drained.wait(5)
    assert not ends.output.is_stalled
    ends.drained.clear()
    ends.output.write("more")
    ends.read(4)
    assert ends.output.drain(5)
    assert not ends.drained.is_set()


def test_one_text_larger_than_the_bound_is_taken(ends: Ends) -> None:
    """A frame of a vast screen must fit, or nothing would ever be shown."""
    assert ends.output.write("y" * (MAX_QUEUED_BYTES + 1))


def test_what_is_discarded_makes_room_for_the_last_words(ends: Ends) -> None:
    """Nothing of the terminal's own queue is in the way, and a sequence that was cut off is ended first."""
    ends.fill()
    assert not ends.output.drain(0.05)
    ends.output.discard()
    ends.output.write("bye")
    assert ends.output.drain(5)

    left = b""
    while select.select([ends.reader], [], [], 0)[0]:
        left += os.read(ends.reader, 65536)
    assert left.endswith(f"{CANCEL}bye".encode())
    assert len(left) < MAX_QUEUED_BYTES / 10


def test_terminal_that_is_gone_takes_nothing() -> None:
    """Nobody is held up and nothing is kept."""
    ends = Ends()
    os.close(ends.reader)
    ends.output.write(FRAME)
    assert ends.output.drain(5)

    assert not ends.output.write("more")
    ends.output.close(5)
    os.close(ends.writer)
