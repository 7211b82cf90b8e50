"""Runs peerterm on a disk with a fault that comes and goes.

The file that the environment variable ``FAULT`` names holds, while there is a fault, the name of a call of ``os``
and a folder: that call then fails with EIO for everything below the folder.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peerterm.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT = Path(os.environ["FAULT"])
CALLS = ("fsync", "fdatasync", "pwrite", "pwritev", "ftruncate")


def is_faulty(call: str, descriptor: int) -> bool:
    """Return whether this call is to fail for this open file."""
    try:
        failing, _, folder = FAULT.read_text().partition(" ")
    except FileNotFoundError:
        return False
    return failing == call and os.readlink(f"/proc/self/fd/{descriptor}").startswith(folder)


def faulty(call: str) -> Callable[..., Any]:
    """Return a call of ``os`` that fails when it is to."""
    honest = getattr(os, call)

    def wrapped(descriptor: int, *arguments: Any) -> Any:
        if is_faulty(call, descriptor):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return honest(descriptor, *arguments)

    return wrapped


for name in CALLS:
    setattr(os, name, faulty(name))
sys.exit(main())
