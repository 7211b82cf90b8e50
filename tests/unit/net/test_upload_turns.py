"""Turns with real threads, on the real clock."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from peerterm.core import turns as core_turns
from peerterm.core.ids import PeerId
from peerterm.net.upload_turns import RECHECK_SECONDS, UploadTurns

ANN, BOB = (PeerId(letter * 64) for letter in "ab")
SLICE = 256 * 1024


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make measurements short."""
    for name in ("SETTLE_SECONDS", "MEASURE_SECONDS"):
        monkeypatch.setattr(core_turns, name, 0.05)
    monkeypatch.setattr(core_turns, "MEASURE_BYTES", SLICE)


class Link:
    """One wire that a thread for each peer uses; how often a peer finds it free is its weight."""

    def __init__(self, turns: UploadTurns) -> None:
        self.turns = turns
        self.sent: Counter[PeerId] = Counter()
        self._wire = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, peer: PeerId, pause: float) -> None:
        """Send slices for a peer that lets the wire rest for so long after each."""
        thread = threading.Thread(target=self._run, args=(peer, pause))
        self._threads.append(thread)
        thread.start()

    def _run(self, peer: PeerId, pause: float) -> None:
        with self.turns.answering(peer):
            while not self._stop.is_set():
                self.turns.acquire(peer, SLICE)
                with self._wire:
                    time.sleep(0.0005)
                self.sent[peer] += 1
                self._stop.wait(pause)

    def run(self, seconds: float) -> Counter[PeerId]:
        """Return how many slices each peer is sent from now on."""
        before = self.sent.copy()
        time.sleep(seconds)
        return self.sent - before

    def stop(self) -> None:
        self._stop.set()
        self.turns.close()
        for thread in self._threads:
            thread.join(5)

        assert not any(thread.is_alive() for thread in self._threads)


@pytest.mark.usefixtures("quick")
def test_peer_that_stands_still_holds_nobody_back() -> None:
    """An answer under way that never goes on costs the others a moment, and no more."""
    link = Link(UploadTurns())
    with link.turns.answering(BOB):
        link.start(ANN, 0.0)
        first = link.run(1.0)
        second = link.run(1.0)
        link.stop()

    assert first[ANN] > 100
    assert second[ANN] > 100


@pytest.mark.usefixtures("quick")
def test_threads_keep_turns() -> None:
    """Of two peers on one wire the one that leaves it no rest gets no more, unless the wire would be idle."""
    link = Link(UploadTurns())
    link.start(ANN, 0.0)
    link.start(BOB, 0.0)
    link.run(0.5)
    sent = link.run(1.0)
    link.stop()

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
