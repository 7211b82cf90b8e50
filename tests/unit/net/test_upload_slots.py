"""Upload slots on the real clock."""

from __future__ import annotations

import threading

from peerterm.core.ids import PeerId
from peerterm.net.upload_slots import UploadSlots

ANN, BOB = (PeerId(letter * 64) for letter in "ab")


def test_limit_counts_peers() -> None:
    """A second peer waits until there is a second slot."""
    slots = UploadSlots(1)

    assert [slots.take(ANN), slots.take(ANN), slots.take(BOB)] == [True, True, False]

    slots.set_limit(2)
    slots.done(ANN)
    slots.done(ANN)

    assert slots.take(BOB)
    assert slots.holders == {ANN, BOB}


def test_threads_never_share_a_slot() -> None:
    """However many lanes ask at once, no more peers are served than there are slots."""
    slots = UploadSlots(3)
    served: set[PeerId] = set()

    def lane(peer: PeerId) -> None:
        for _ in range(200):
            if slots.take(peer):
                served.add(peer)
                slots.done(peer)

    threads = [threading.Thread(target=lane, args=(PeerId(f"{number:064x}"),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(served) == len(slots.holders) == 3
