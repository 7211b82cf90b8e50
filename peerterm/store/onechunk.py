"""A file of one chunk while it is fetched: one open, one write, and it is what it will be.

Made by ``Destination.file`` for files inside a private part folder, where nobody sees one half written: it has its
final name from the start. Thousands of small files take a fraction of the time so.
"""

from __future__ import annotations

import os

from peerterm.store.partfile import FileMark, PartFile, Using, chunk_sum, finish_open
from peerterm.store.reading import storage_errors


class OneChunkFile(PartFile):
    """A ``PartFile`` that is finished by writing its only chunk."""

    def __init__(self, location: str, size: int, using: Using, mtime_ns: int, *, executable: bool) -> None:
        """Wire it up; use ``Destination.file``.

        Args:
            location: For messages.
            size: Bytes the file will have.
            using: Lends a descriptor of the file under its final name.
            mtime_ns: The time it gets.
            executable: Whether it may be run.
        """
        super().__init__(location, size, using, _nothing)
        self._mtime_ns = mtime_ns
        self._executable = executable
        self._sum = b""

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """Write and finish the file; see ``PartFile.write_chunk``.

        Only bytes that passed their check may come: once it is finished, others are a bug.
        """
        if index or len(data) != self.size:
            raise ValueError(f"{len(data)} bytes as chunk {index} of a file of {self.size}")
        found = chunk_sum(data)
        with self._changed:  # a second lane that brings the same bytes waits, and finds it finished
            if self._is_finished:
                if self._sum not in (b"", found):
                    raise ValueError("other bytes than those the file was finished with")
                return b""
            with storage_errors(self._location), self._using(create=True) as descriptor:
                done = os.pwrite(descriptor, data, 0)
                while done < self.size:
                    done += os.pwrite(descriptor, data[done:], done)
                self.mark = finish_open(descriptor, self.size, self._mtime_ns, executable=self._executable)
            self._is_finished, self._sum = True, found
        return found

    def finish(self, mtime_ns: int, executable: bool) -> FileMark:
        """See ``PartFile.finish``; writing may have done it."""
        return self.mark or super().finish(mtime_ns, executable)


def _nothing() -> None:
    pass
