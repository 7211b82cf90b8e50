"""Threads that send for peers as fast as something lets them, until a test has seen enough."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.ids import PeerId

PATIENCE = 20.0


class Senders:
    """Runs threads while its ``with`` block runs, and counts what each peer is sent.

    Args:
        release: Lets everybody through who waits to send; called at the end.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self.is_over = threading.Event()
        self._release = release
        self._sent: Counter[PeerId] = Counter()
        self._grown = threading.Condition()
        self._threads: list[threading.Thread] = []

    def start(self, peer: PeerId, send: Callable[[], int]) -> None:
        """Let a thread send for a peer over and over; ``send`` returns how much it sent."""
        thread = threading.Thread(target=self._run, args=(peer, send))
        self._threads.append(thread)
        thread.start()

    def _run(self, peer: PeerId, send: Callable[[], int]) -> None:
        while not self.is_over.is_set():
            sent = send()
            with self._grown:
                self._sent[peer] += sent
                self._grown.notify_all()

    def next(self, amount: int) -> Counter[PeerId]:
        """Wait until so much was sent from now on, and return what of it each peer was sent."""
        with self._grown:
            before = self._sent.copy()
            is_sent = self._grown.wait_for(lambda: self._sent.total() - before.total() >= amount, PATIENCE)
            assert is_sent, f"only {self._sent - before} in {PATIENCE} seconds"
            return self._sent - before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self._release()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
