"""Turns with real threads, on the real clock."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.core import turns as core_turns
from peerterm.core.ids import PeerId
from peerterm.net.upload_turns import RECHECK_SECONDS, UploadTurns
from tests.fakes.senders import Senders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANN, BOB = (PeerId(letter * 64) for letter in "ab")
SLICE = 256 * 1024


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make measurements short."""
    for name in ("SETTLE_SECONDS", "MEASURE_SECONDS"):
        monkeypatch.setattr(core_turns, name, 0.05)
    monkeypatch.setattr(core_turns, "MEASURE_BYTES", SLICE)


@contextmanager
def one_wire(turns: UploadTurns, *lanes: PeerId) -> Iterator[Senders]:
    """Let each lane send slices to its peer over one wire, which is busy for half a millisecond with each."""
    wire = threading.Lock()
    with ExitStack() as answers, Senders(turns.close) as senders:

        def sender(peer: PeerId) -> Callable[[], int]:
            def send() -> int:
                turns.acquire(peer, SLICE)
                with wire:
                    senders.is_over.wait(0.0005)
                return 1

            return send

        for peer in lanes:
            answers.enter_context(turns.answering(peer))
            senders.start(peer, sender(peer))
        yield senders


@pytest.mark.usefixtures("quick")
def test_peer_that_stands_still_holds_nobody_back() -> None:
    """An answer under way that never goes on costs the others a moment, and no more."""
    turns = UploadTurns()
    start = time.monotonic()
    with turns.answering(BOB), one_wire(turns, ANN) as senders:
        senders.next(1000)
    seconds = time.monotonic() - start

    assert seconds < 5


@pytest.mark.usefixtures("quick")
def test_threads_keep_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two peers on one wire the one with more lanes gets no more, as long as turns are not found too dear."""
    monkeypatch.setattr(core_turns.Turns, "_is_too_dear", lambda *_: False)
    with one_wire(UploadTurns(), ANN, ANN, ANN, BOB) as senders:
        senders.next(800)
        sent = senders.next(1500)

    assert sent[ANN] == pytest.approx(sent[BOB], rel=0.2)


def test_close_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once closed, nobody waits for anybody."""
    monkeypatch.setattr(core_turns.Turns, "take", lambda *_: False)
    turns = UploadTurns()
    with turns.answering(ANN), turns.answering(BOB):
        thread = threading.Thread(target=turns.acquire, args=(ANN, SLICE))
        thread.start()
        thread.join(2 * RECHECK_SECONDS)

        assert thread.is_alive()

        turns.close()
        thread.join(5)

        assert not thread.is_alive()


def test_one_alone_takes_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one peer nothing is asked, counted or waited for."""
    asked: list[PeerId] = []

    def take(_: object, peer: PeerId, *__: object) -> bool:
        asked.append(peer)
        return True

    monkeypatch.setattr(core_turns.Turns, "take", take)
    turns = UploadTurns()
    with turns.answering(ANN):
        turns.acquire(ANN, SLICE)

    assert not asked

    with turns.answering(BOB):
        turns.acquire(BOB, SLICE)

    assert asked == [BOB]
