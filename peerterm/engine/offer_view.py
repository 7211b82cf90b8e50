"""An offer as clients see it. Called by ``engine.sending``; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.api.views import OfferItemView, OfferView
from peerterm.core.ids import TransferId
from peerterm.core.life import State

if TYPE_CHECKING:
    from peerterm.api.views import OfferState
    from peerterm.core.offer import Offer
    from peerterm.engine.transfer import Transfer
    from peerterm.engine.transfers import Transfers


def view_of(offer: Offer, peer_name: str, transfers: Transfers) -> OfferView:
    """Return an offer as clients see it; ``peer_name`` is what the other calls itself."""
    ids = [TransferId(fetch.transfer) for fetch in offer.unsettled]
    coming = [transfers[transfer_id] for transfer_id in ids if transfer_id in transfers]
    failed = [transfer for transfer in coming if transfer.life.state is State.FAILED]
    has_failed = offer.state == "accepted" and bool(failed) and len(failed) == len(coming)
    state: OfferState = "failed" if has_failed else offer.state
    return OfferView(
        offer_id=offer.id,
        direction="out" if offer.is_own else "in",
        peer_id=offer.peer,
        peer_name=peer_name,
        name=offer.name,
        items=[
            OfferItemView(name=item.name, kind=item.kind, root=item.root.hex(), size=item.size, files=item.files)
            for item in offer.items
        ],
        files=sum(item.files for item in offer.items),
        bytes=sum(item.size for item in offer.items),
        state=state,
        sent_at=offer.sent_at / 1000,
        transfer_ids=[fetch.transfer for fetch in offer.fetches if fetch.transfer],
        directory=offer.directory,
        error=_error(offer, peer_name, failed),
    )


def _error(offer: Offer, peer_name: str, failed: list[Transfer]) -> str:
    """Say what went wrong, and what to do."""
    if offer.state == "withdrawn" and not offer.is_own:
        return f"{peer_name} withdrew it; to get it all the same, ask for it to be sent again"
    return "; ".join(
        f"{each.order.name}: {each.error.message} (to try again: peerterm retry {each.order.transfer_id})"
        for each in failed
        if each.error
    )
