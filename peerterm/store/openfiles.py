"""A small pool of open files, so that many threads share few descriptors and none is closed under a reader.

Used by one transfer's ``Destination``. A thread has a descriptor to itself while it uses it; a file that two
threads use at once is open twice.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import ExitStack, contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from peerterm.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator


class OpenFiles:
    """Keeps up to ``limit`` descriptors open between two uses; the least recently used is closed first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: deque[tuple[Hashable, int]] = deque()
        self._lock = Condition()
        self._lent = 0
        self._is_stopped = False

    @contextmanager
    def using(self, key: Hashable, opener: Callable[[], int]) -> Iterator[int]:
        """Lend a descriptor of the file ``key``, from ``opener`` if none is idle.

        Raises:
            StorageError: The pool is stopped or closed.
            OSError: From ``opener``, or from closing another file.
        """
        descriptor = self._take(key, opener)
        try:
            yield descriptor
        finally:
            self._give_back(key, descriptor)

    def stop(self) -> None:
        """Open and lend nothing any more, and wait until all that is lent came back."""
        with self._lock:
            self._is_stopped = True
            self._lock.wait_for(lambda: not self._lent)

    def close(self, *others: int) -> None:
        """Open nothing any more, wait until all that is lent came back, then close everything and ``others``.

        Raises:
            OSError: From closing one; the others are closed all the same.
        """
        self.stop()
        with ExitStack() as closing:
            for descriptor in others:
                closing.callback(os.close, descriptor)
            while self._idle:
                closing.callback(os.close, self._idle.popleft()[1])

    def _take(self, key: Hashable, opener: Callable[[], int]) -> int:
        with self._lock:  # held while opening, so that nothing is opened from a folder that is being closed
            if self._is_stopped:
                raise StorageError("the transfer is closed")
            idle = next((entry for entry in self._idle if entry[0] == key), None)
            if idle:
                self._idle.remove(idle)
            descriptor = idle[1] if idle else opener()
            self._lent += 1
            return descriptor

    def _give_back(self, key: Hashable, descriptor: int) -> None:
        with self._lock:
            self._lent -= 1
            self._idle.append((key, descriptor))
            self._shrink()
            self._lock.notify_all()

    def _shrink(self) -> None:
        while len(self._idle) > self._limit:
            os.close(self._idle.popleft()[1])
