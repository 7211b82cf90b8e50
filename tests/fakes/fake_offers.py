"""The offers of the fake engine: what is sent is kept in memory, and gets as far as a test says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from peerterm.api.events import OfferChanged, OfferIndexing
from peerterm.api.views import OfferItemView, OfferView
from peerterm.errors import InvalidPath, UsageError
from tests.fakes.fake_base import FakeBase, pick


def make_offer(*names: str, **fields: Any) -> OfferView:
    """Return an offer of files, made to us."""
    items = [
        OfferItemView(name=name, kind="file", root=f"{number:064x}", size=1000, files=1)
        for number, name in enumerate(names)
    ]
    known: dict[str, Any] = {
        "offer_id": f"{sum('/'.join(names).encode(errors='replace')):016x}",
        "direction": "in",
        "peer_id": "b2" * 32,
        "peer_name": "ben",
        "name": names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
        "items": items,
        "files": len(items),
        "bytes": 1000 * len(items),
        "state": "offered",
        "sent_at": 1_600_000_000.0,
    }
    return OfferView(**known | fields)


class FakeOffers(FakeBase):
    """Set what is offered by ``offered``.

    Attributes:
        known_offers: Every offer, oldest first.
        answers: States that an offer goes through once it was sent or accepted, one at each turn of the loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known_offers: list[OfferView] = []
        self.answers: list[dict[str, Any]] = []

    # What a test lets happen

    def offered(self, offer: OfferView) -> OfferView:
        """Let there be an offer, or one with this id be another."""
        self.known_offers = [
            *(known for known in self.known_offers if known.offer_id != offer.offer_id),
            offer,
        ]
        self.announce(OfferChanged(offer=offer))
        return offer

    # What clients ask for; see ``EngineApi``

    async def send(self, peers: list[str], paths: list[str]) -> list[OfferView]:
        """See ``EngineApi``."""
        self.asked.append(("send", peers, paths))
        recipients = [pick(self.known_peers, peer, lambda x: (x.peer_id, x.name)) for peer in peers]
        for path in paths:
            if not Path(path).exists():
                raise InvalidPath(f"{path}: no such file or folder", "check the spelling")
            self.announce(OfferIndexing(path=path, files=1, bytes=1000, done_bytes=500, eta=1.0))
        made = []
        for number, peer in enumerate(recipients):
            view = make_offer(
                *(Path(path).name for path in paths),
                offer_id=f"{number:x}" * 16,
                direction="out",
                peer_id=peer.peer_id,
                peer_name=peer.name,
                state="offered" if peer.state == "online" else "queued",
            )
            made.append(self.offered(view))
            self.start(self._answer(view))
        return made

    async def offers(self) -> list[OfferView]:
        """See ``EngineApi``."""
        return list(self.known_offers)

    async def accept(self, offer: str, directory: str = "", items: list[int] | None = None) -> OfferView:
        """See ``EngineApi``."""
        self.asked.append(("accept", offer, directory, items))
        view = self._open(offer, "in")
        chosen = items or range(1, len(view.items) + 1)
        ids = [f"{number:08x}" for number in chosen]
        view = self.offered(replace(view, state="accepted", transfer_ids=ids, directory=directory or "/downloads"))
        self.start(self._answer(view))
        return view

    async def decline(self, offer: str) -> OfferView:
        """See ``EngineApi``."""
        return self.offered(replace(self._open(offer, "in"), state="declined"))

    async def withdraw(self, offer: str) -> OfferView:
        """See ``EngineApi``."""
        return self.offered(replace(self._open(offer, "out"), state="withdrawn"))

    def _open(self, reference: str, direction: str) -> OfferView:
        view: OfferView = pick(self.known_offers, reference, lambda x: (x.offer_id,))
        if view.direction != direction:
            raise UsageError(f"{view.name}: that offer is not of that kind")
        if view.state not in ("queued", "offered", "accepted"):
            raise UsageError(f"{view.name}: it is {view.state} already", "ask for it to be sent again")
        return view

    async def _answer(self, view: OfferView) -> None:
        for fields in self.answers:
            view = self.offered(replace(view, **fields))
