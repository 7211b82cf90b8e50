"""A small pool of open files, so that many threads share few descriptors and none is closed under a reader.

Used by one transfer's ``Destination``. A thread has a descriptor to itself while it uses it; a file that two
threads use at once is open twice.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from peerterm.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator


class OpenFiles:
    """Keeps up to ``limit`` descriptors open between two uses; the least recently used is closed first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: deque[tuple[Hashable, int]] = deque()
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def using(self, key: Hashable, opener: Callable[[], int]) -> Iterator[int]:
        """Lend a descriptor of the file ``key``, from ``opener`` if none is idle.

        Raises:
            StorageError: The pool is closed.
            OSError: From ``opener``, or from closing another file.
        """
        descriptor = self._take(key, opener)
        try:
            yield descriptor
        finally:
            self._give_back(key, descriptor)

    def close(self, *others: int) -> None:
        """Close what is idle now and what is lent as it comes back, and ``others`` once; open nothing any more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._limit = 0
            self._shrink()
            for descriptor in others:
                os.close(descriptor)

    def _take(self, key: Hashable, opener: Callable[[], int]) -> int:
        with self._lock:  # held while opening, so that nothing is opened from a folder that is being closed
            if self._closed:
                raise StorageError("the transfer is closed")
            for place, (idle_key, descriptor) in enumerate(self._idle):
                if idle_key == key:
                    del self._idle[place]
                    return descriptor
            return opener()

    def _give_back(self, key: Hashable, descriptor: int) -> None:
        with self._lock:
            self._idle.append((key, descriptor))
            self._shrink()

    def _shrink(self) -> None:
        while len(self._idle) > self._limit:
            os.close(self._idle.popleft()[1])
