"""Peers met before: where they were reached, what they called themselves, when they were last seen.

Only a memory for dialling them again; whom to trust is decided elsewhere. Called by the engine's peers service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.ids import PeerId

if TYPE_CHECKING:
    from peerterm.store.database import Database

MAX_ADDRESSES = 8
MAX_PEERS = 256


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A peer met before. ``addresses`` are newest first; ``last_seen`` is Unix time in seconds."""

    peer_id: PeerId
    name: str
    addresses: tuple[tuple[str, int], ...]
    trust: str
    last_seen: float


class PeerStore:
    """Keeps the peers that were online."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, peer_id: PeerId, name: str, host: str, port: int, now_unix: float) -> None:
        """Note that a peer was reached; the oldest addresses and the longest unseen peers make room.

        A peer whose trust the user settled stays.
        """
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall("SELECT addresses FROM peers WHERE id = ?", [peer_id])
            known = [tuple(address) for row in rows for address in json.loads(row[0])]
            addresses = list(dict.fromkeys([(host, port), *known]))[:MAX_ADDRESSES]
            upsert = """
                INSERT INTO peers (id, name, addresses, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?4)
                ON CONFLICT (id) DO UPDATE SET name = ?2, addresses = ?3, last_seen = ?4
            """
            await connection.execute(upsert, (peer_id, name, json.dumps(addresses), now_unix))
            trim = """
                DELETE FROM peers WHERE trust = 'new' AND id NOT IN (
                    SELECT id FROM peers ORDER BY trust = 'new', last_seen DESC, id LIMIT ?)
            """
            await connection.execute(trim, [MAX_PEERS])

    async def all(self) -> list[KnownPeer]:
        """Return all known peers, the last seen first."""
        sql = "SELECT id, name, addresses, trust, last_seen FROM peers ORDER BY last_seen DESC, id"
        return [
            KnownPeer(PeerId(peer_id), name, tuple((h, p) for h, p in json.loads(addresses)), trust, last_seen)
            for peer_id, name, addresses, trust, last_seen in await self._database.fetch_all(sql)
        ]
