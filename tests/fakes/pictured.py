"""The network of the pictures in the documents: the content of ``peerterm demo``, in sizes as of real files."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from peerterm.api.views import ChunkMapView, EntryView, HolderView, SearchHit, ShareView, SourceView, StatusView
from peerterm.cli.demo_content import FILM, MODIFIED, SHARED
from peerterm.tui.links import link_to
from tests.fakes.browsable import BrowsableEngine
from tests.fakes.fake_engine import make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.fake_talk import LOBBY

if TYPE_CHECKING:
    from peerterm.api.views import PeerView, TransferView

SCALE = 100
"""How much larger files are here than in the demo."""

WORD = "light"
"""What is searched for."""

MIB = 2**20
ADDRESSES = {"anna": "192.168.1.21:47470", "ben": "192.168.1.34:47470", "carla": "192.168.1.52:47470"}
TRUST = {"anna": "verified", "ben": "known", "carla": "new"}


def id_of(name: str) -> str:
    """Return what stands for an id or a root in the pictures."""
    return hashlib.sha256(name.encode()).hexdigest()


class PicturedEngine(BrowsableEngine):
    """An engine in the middle of a working day; everything about it is fixed."""

    def __init__(self) -> None:
        super().__init__()
        self.known_peers = [_peer(name) for name in ADDRESSES]
        last_seen = time.time() - 3.5 * 3600  # shown as an age, in hours
        away = {"state": "offline", "last_seen": last_seen, "address": "192.168.1.5:47470", "trust": "known"}
        self.known_peers.append(make_peer("nas", peer_id=id_of("nas"), shares=4, bytes=2_840_000_000_000, **away))
        for name in ADDRESSES:
            self._list_shares(name)
        self.known_shares = SHARES
        self.known_transfers = TRANSFERS
        self.hits = _hits()

    def chatter(self) -> None:
        """Let something be said in the lobby, and to us."""
        anna, ben, carla, *_ = self.known_peers
        film = link_to(id_of(FILM), FILM.rpartition("/")[2], 886_600_000)
        said = ((anna, f"the film is up: {film}"), (ben, "is that the one with the lighthouse keeper?"))
        more = ((anna, "yes, the long cut"), (carla, "dora: do you come over tonight?"))
        for minute, (peer, text) in enumerate((*said, *more)):
            self.hear(LOBBY, peer, text, sent_at=MODIFIED + 60 * minute, kept_at=MODIFIED + 60 * minute)
        self.hear("", ben, "thank you for the pictures", sent_at=MODIFIED, kept_at=MODIFIED)

    def hand_over(self) -> None:
        """Let things be offered, to us and by us."""
        known = {"sent_at": float(MODIFIED), "bytes": 186_000_000}
        self.offered(make_offer("Summer 2024", "map.pdf", peer_id=id_of("anna"), peer_name="anna", **known))
        self.offered(make_offer("thesis.pdf", direction="out", peer_name="carla", state="landed", **known))

    def _list_shares(self, name: str) -> None:
        """Make every folder of a peer, which holds what lies below it."""
        below: dict[str, dict[str, list[int]]] = {}
        for path, size in SHARED[name].items():
            parts = path.split("/")
            for depth, part in enumerate(parts):
                below.setdefault("/".join(parts[:depth]), {}).setdefault(part, []).append(size * SCALE)
        for path, entries in below.items():
            self.folders[id_of(name), path] = [
                EntryView(
                    name=entry,
                    kind="folder" if f"{path}/{entry}".strip("/") in below else "file",
                    size=sum(sizes),
                    files=len(sizes),
                    root=id_of(f"{path}/{entry}"),
                    mtime=MODIFIED,
                )
                for entry, sizes in sorted(entries.items())
            ]

    async def status(self) -> StatusView:
        """Bear the name of a person."""
        return replace(await super().status(), name="dora")

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """Hold chunks all over a transfer, as one that has several sources does."""
        view = self._transfer(transfer)
        done = 100 * view.bytes // view.total
        parts = [100 if cell * 37 % 100 < done else cell * 53 % 70 for cell in range(cells)]
        chunks = -(-view.total // MIB)
        return ChunkMapView(transfer_id=view.transfer_id, chunks=chunks, held=view.bytes // MIB, cells=parts)


def _peer(name: str) -> PeerView:
    size = sum(SHARED[name].values()) * SCALE
    shares = len({path.partition("/")[0] for path in SHARED[name]})
    known = {"address": ADDRESSES[name], "trust": TRUST[name], "shares": shares, "bytes": size}
    return make_peer(name, peer_id=id_of(name), **known)


def _hits() -> list[SearchHit]:
    """Return the files that have ``WORD`` in their paths, each with everyone who has it."""
    holders: dict[str, list[HolderView]] = {}
    for name in ADDRESSES:
        for path in SHARED[name]:
            holders.setdefault(path, []).append(HolderView(peer_id=id_of(name), name=name))
    sizes = {path: size * SCALE for files in SHARED.values() for path, size in files.items()}
    return [
        SearchHit(
            name=path.rpartition("/")[2],
            path=path,
            kind="file",
            size=sizes[path],
            root=id_of(path),
            sha256=id_of(f"sha256 {path}"),
            mtime=MODIFIED,
            files=1,
            peers=peers,
        )
        for path, peers in holders.items()
        if WORD in path.casefold()
    ]


def _source(name: str, size: int, rate: float) -> SourceView:
    return SourceView(peer_id=id_of(name), name=name, bytes=size, rate=rate)


def _share(name: str, files: int, size: int, **fields: Any) -> ShareView:
    known: dict[str, Any] = {"state": "ready", "root": id_of(name), "sha256": ""}
    return ShareView(
        share_id=id_of(name)[:8],
        name=name,
        path=f"/home/dora/{name}",
        kind="folder",
        files=files,
        bytes=size,
        visibility="everyone",
        **known | fields,
    )


def _transfer(name: str, done: float, total: int, state: str, *sources: SourceView, **fields: Any) -> TransferView:
    rate = sum(source.rate for source in sources) if state == "running" else 0.0
    known: dict[str, Any] = {
        "transfer_id": id_of(name)[:8],
        "root": id_of(name),
        "state": state,
        "bytes": int(done * total),
        "total": total,
        "rate": rate,
        "eta": (1 - done) * total / rate if rate else None,
        "seconds": 14.0,
        "sources": list(sources),
        "path": f"/home/dora/Downloads/{name}",
    }
    return make_transfer(name, **known | fields)


SHARES = [
    _share("Pictures", 18_204, 96_400_000_000),
    _share("Recordings", 412, 61_700_000_000),
    _share("Thesis", 1_377, 2_210_000_000),
    _share("Videos", 96, 311_000_000_000, state="indexing", root="", done_bytes=193_000_000_000, eta=271.0),
]
_FILM_BYTES = SHARED["anna"][FILM] * SCALE
TRANSFERS = [
    _transfer("Signal fires.pdf", 1, 17_103_300, "done", _source("carla", 17_103_300, 0.0)),
    _transfer(
        *("Garden", 0.4, 37_000_000, "failed"),
        error="Garden: the folder cannot be written: Permission denied (choose another: -o DIR)",
        error_code="storage",
        kind="folder",
        files=5,
        done_files=2,
    ),
    _transfer(
        *(FILM.rpartition("/")[2], 0.62, _FILM_BYTES, "running"),
        _source("anna", 301 * MIB, 28_400_000.0),
        _source("ben", 195 * MIB, 18_300_000.0),
        root=id_of(FILM),
    ),
    _transfer(
        *("Networks", 0.18, 131_000_000, "running", _source("carla", 22 * MIB, 8_400_000.0)),
        kind="folder",
        files=7,
        done_files=1,
    ),
    _transfer("Harbour Lights", 0.33, 201_000_000, "paused", kind="folder", files=6, done_files=2),
    _transfer("Summer 2024", 0, 146_000_000, "queued", kind="folder", files=12),
    _transfer(
        *("to ben", 0.4, 524 * MIB, "running", _source("ben", 210 * MIB, 2_000_000.0)),
        direction="up",
        path="",
    ),
]
