"""The names of things: who, what content, which share, which transfer."""

from __future__ import annotations

from typing import NewType

PeerId = NewType("PeerId", str)
"""SHA-256 of a device's public key info, as 64 lower-case hex digits. Names never identify a peer."""

Root = NewType("Root", bytes)
"""Identity of one content (a file, or a folder's listing): 32 bytes that commit to its size and every chunk."""

ShareId = NewType("ShareId", str)
"""Names one share on its own machine: 8 hex digits."""

TransferId = NewType("TransferId", str)
"""Names one transfer on its own machine: 8 hex digits."""

HASH_BYTES = 32
