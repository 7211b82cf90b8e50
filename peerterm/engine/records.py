"""Between a download and its record in the store. Called by ``engine.transfers``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import PeerId
from peerterm.core.life import Life, PauseReason, State
from peerterm.engine.order import Order
from peerterm.engine.references import HashReference, parse_reference
from peerterm.engine.transfer import Transfer
from peerterm.errors import PeertermError, StorageError, by_code
from peerterm.store.transfers import TransferRecord

if TYPE_CHECKING:
    from peerterm.api.views import EntryKind
    from peerterm.engine.order import Surroundings


def to_record(transfer: Transfer, position: int) -> TransferRecord:
    """Return what is kept of a transfer; ``position`` is its place in the queue."""
    view, order = transfer.view(), transfer.order
    return TransferRecord(
        id=order.transfer_id,
        direction="down",
        name=view.name,
        kind=view.kind,
        root=order.entry.root,
        reference=order.reference,
        directory=str(order.directory),
        state=view.state,
        size=view.total,
        bytes=view.bytes,
        path=view.path,
        error=transfer.error.message if transfer.error else "",
        error_code=view.error_code,
        sources=[{"peer_id": each.peer_id, "bytes": each.bytes, "strikes": each.strikes} for each in view.sources],
        part=transfer.part,
        part_inode=transfer.part_inode,
        priority=transfer.priority,
        position=position,
        limit=transfer.limit,
        only=list(order.only),
        is_private=order.is_private,
        files=view.files,
        done_files=view.done_files,
        seconds=view.seconds,
        local_bytes=view.local_bytes,
        wasted_bytes=view.wasted_bytes,
        started_at=transfer.started_at,
        ended_at=transfer.ended_at,
    )


def from_record(record: TransferRecord, around: Surroundings) -> Transfer:
    """Return a transfer as an earlier engine left it."""
    assert record.root, "a download has a root"
    kind: EntryKind = "folder" if record.kind == "folder" else "file"
    order = Order(
        record.id,
        record.reference,
        CatalogEntry((record.name,), kind, record.size, record.files, record.root, is_private=record.is_private),
        Path(record.directory),
        sha256=flat_sha256_of(record.reference),
        only=tuple(record.only),
    )
    error = by_code().get(record.error_code, PeertermError)(record.error) if record.error_code else None
    is_disks = record.state == State.PAUSED and isinstance(error, StorageError)
    life = Life(State(record.state), PauseReason.DISK if is_disks else None)
    transfer = Transfer(order, around, life, priority=record.priority, limit=record.limit)
    transfer.part, transfer.part_inode, transfer.path = record.part, record.part_inode, record.path
    transfer.bytes, transfer.landed_files = record.bytes, record.done_files
    transfer.started_at, transfer.ended_at = record.started_at, record.ended_at
    transfer.error = error if life.state is not State.DONE else None
    tally = transfer.tally
    tally.seconds, tally.local_bytes, tally.wasted_bytes = record.seconds, record.local_bytes, record.wasted_bytes
    tally.sources = {PeerId(source["peer_id"]): source["bytes"] for source in record.sources}
    tally.strikes = {PeerId(source["peer_id"]): source.get("strikes", 0) for source in record.sources}
    return transfer


def flat_sha256_of(reference: str) -> bytes | None:
    """Return the flat SHA-256 that a reference asks for; ``None`` if it names a content otherwise."""
    parsed = parse_reference(reference)
    is_flat = isinstance(parsed, HashReference) and parsed.by == "sha256"
    return bytes.fromhex(parsed.prefix) if is_flat and isinstance(parsed, HashReference) else None
