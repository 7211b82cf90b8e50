"""The machine of all offers: who offers what to whom, what became of it, and what follows from that.

An offer and every answer to it are lines of a direct conversation, so each arrives once, signed, whoever was
offline. Of answers that cross both sides take the same one for the last word, for states only rise. Owns no
conversation, no file and no transfer. Driven by ``engine.sending``, which feeds in every line that is kept and
performs the effects in the order in which they come back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from peerterm.core.lines import OFFER, is_room, other_of
from peerterm.core.manifest import MAX_FILE_BYTES
from peerterm.core.names import landing_name
from peerterm.core.offer import (
    AnswerKind,
    Cancel,
    Download,
    Drop,
    Fetch,
    Offer,
    OfferState,
    Revoke,
    Save,
    Say,
    title,
)
from peerterm.errors import AmbiguousReference, EngineBusy, InvalidName, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import Line
    from peerterm.core.offer import Draft, Effect

MAX_OPEN_OFFERS = 64
"""Most open offers of one peer to us, and of us to one peer; of others, further ones are declined by themselves."""

MAX_WAITING_OFFERS = 256
"""Most open offers to us, of all peers; further ones are declined by themselves."""

MAX_ENDED_OFFERS = 500
"""Most offers kept that are over; then those made first go."""

KINDS = (OFFER, *get_args(AnswerKind))
"""The kinds of lines that concern offers."""

_RANKS: dict[OfferState, int] = {state: rank for rank, state in enumerate(get_args(OfferState))}
_MEANING: dict[str, OfferState] = {
    "accept": "accepted",
    "decline": "declined",
    "withdraw": "withdrawn",
    "landed": "landed",
}
_VERBS: dict[AnswerKind, str] = {
    "accept": "accepts",
    "decline": "declines",
    "withdraw": "withdraws",
    "landed": "has",
}


class Offers:
    """All offers of one device.

    Args:
        own: Ourselves.
        known: Those of earlier runs, in any order.
        drafts: Likewise.
    """

    def __init__(self, own: PeerId, known: Iterable[Offer] = (), drafts: Iterable[Draft] = ()) -> None:
        self._own = own
        self._offers = {offer.hash: offer for offer in sorted(known, key=lambda offer: offer.sent_at)}
        self._drafts = list(drafts)

    def __iter__(self) -> Iterator[Offer]:
        """Yield all, as they are at this moment, those that came first in front."""
        return iter(list(self._offers.values()))

    def __getitem__(self, offer_hash: bytes) -> Offer:
        return self._offers[offer_hash]

    def __contains__(self, offer_hash: bytes) -> bool:
        return offer_hash in self._offers

    def latest(self, offer: Offer) -> Offer:
        """Return an offer as it is now, or as it was if it is forgotten."""
        return self._offers.get(offer.hash, offer)

    def find(self, reference: str) -> Offer:
        """Return the offer of an id or unique prefix.

        Raises:
            NotFound: There is none.
            AmbiguousReference: There are several.
        """
        found = [offer for offer in self if reference and offer.id.startswith(reference.lower())]
        if not found:
            raise NotFound(f"no offer {reference!r}", "peerterm inbox --all lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} offers", "use more of the id")
        return found[0]

    def resume(self, granted: Iterable[tuple[str, PeerId]]) -> list[Effect]:
        """Return what an earlier run may have left undone. Called once, when all lines of that run were heard.

        Args:
            granted: The grants in force.
        """
        needed = {(offer.grant, offer.peer) for offer in self if offer.is_open}
        given = dict.fromkeys([*granted, *((draft.grant, draft.peer) for draft in self._drafts)])
        self._drafts.clear()
        effects: list[Effect] = [Revoke(*each) for each in given if each not in needed]
        for offer in self:
            if offer.state == "accepted" and not offer.is_own:
                effects += [Download(offer), *self._settle(offer)]
            elif not offer.is_open and offer.unsettled:
                effects.append(Cancel(offer))
        return effects

    # What our user wishes

    def draft(self, draft: Draft) -> None:
        """Take it that an offer is about to be made: its line comes with ``heard``.

        Raises:
            EngineBusy: Too many to that peer are open.
        """
        drafts = sum(1 for each in self._drafts if each.peer == draft.peer)
        if self._open(draft.peer, is_own=True) + drafts >= MAX_OPEN_OFFERS:
            raise EngineBusy(f"{MAX_OPEN_OFFERS} offers to that peer are open", "peerterm withdraw takes one back")
        self._drafts.append(draft)

    def undo(self, draft: Draft) -> list[Effect]:
        """Take it that no line of a draft was said; nothing if one was."""
        if draft not in self._drafts:
            return []
        self._drafts.remove(draft)
        return [Revoke(draft.grant, draft.peer)]

    def accept(self, reference: str, numbers: Sequence[int], directory: str) -> list[Effect]:
        """Take some items of an offer, or all.

        Args:
            reference: Its id or unique prefix.
            numbers: Of the items, from 1; none is all.
            directory: Where to.

        Raises:
            UsageError: It is not ours to accept, is answered already, or has no such item.
        """
        offer = self.find(reference)
        if offer.is_own:
            raise UsageError(f"{offer.name}: that offer is your own", "only the other can accept it")
        if offer.state != "offered":
            is_coming = offer.state == "accepted"
            hint = "peerterm transfers shows how far it is" if is_coming else "ask for it to be sent again"
            raise UsageError(f"{offer.name}: {_stated(offer)} already", hint)
        count = len(offer.items)
        if wrong := [number for number in numbers if not 1 <= number <= count]:
            raise UsageError(f"{offer.name}: there is no item {wrong[0]}", f"they are numbered from 1 to {count}")
        chosen = sorted(set(numbers)) or list(range(1, count + 1))
        offer = replace(offer, fetches=tuple(map(Fetch, chosen)), directory=directory)
        return [*self._keep(offer), _answer(offer, "accept", _part(offer, chosen))]

    def decline(self, reference: str) -> list[Effect]:
        """Refuse an offer, or give up what was accepted of it; raises as ``accept``."""
        offer = self.find(reference)
        if offer.is_own:
            raise UsageError(f"{offer.name}: that offer is your own", f"peerterm withdraw {offer.id}")
        return _end(offer, "decline")

    def withdraw(self, reference: str) -> list[Effect]:
        """Take an offer of ours back; raises as ``accept``."""
        offer = self.find(reference)
        if not offer.is_own:
            raise UsageError(f"{offer.name}: that offer is not yours", f"peerterm decline {offer.id}")
        return _end(offer, "withdraw")

    # What happens

    def heard(self, line: Line) -> list[Effect]:
        """Take a line that is kept, ours or the other's, more than once if need be."""
        if line.kind not in KINDS or is_room(line.conversation):
            return []
        if line.kind == OFFER:
            is_new = line.hash not in self._offers and bool(line.items)
            return self._offered(line) if is_new else []
        offer = self._offers.get(line.about)
        if offer is None or line.author not in (self._own, offer.peer):
            return []
        is_offerer = (line.author == self._own) == offer.is_own
        return self._raise(offer, _MEANING[line.kind]) if is_offerer == (line.kind == "withdraw") else []

    def delivered(self, peer: PeerId, log: bytes, seq: int) -> list[Effect]:
        """Take that a peer has our lines of a log of the conversation with it, up to ``seq``."""
        waiting = [each for each in self if each.state == "queued" and (each.peer, each.log) == (peer, log)]
        return [effect for each in waiting if each.seq <= seq for effect in self._raise(each, "offered")]

    def fetching(self, offer_hash: bytes, number: int, transfer: str) -> list[Effect]:
        """Take that a transfer fetches an accepted item."""
        return self._keep(self._offers[offer_hash].with_fetch(Fetch(number, transfer)))

    def settled(self, offer_hash: bytes, number: int, *, has_landed: bool) -> list[Effect]:
        """Take that an accepted item is here, or will not come. What is settled stays so."""
        offer = self._offers[offer_hash]
        for fetch in offer.unsettled:
            if fetch.number == number:
                offer = offer.with_fetch(fetch._replace(outcome="landed" if has_landed else "given up"))
                return [*self._keep(offer), *self._settle(offer)]
        return []

    def _settle(self, offer: Offer) -> list[Effect]:
        """Tell the offerer once nothing more is to come of what was accepted."""
        if offer.state != "accepted" or offer.unsettled:
            return []
        landed = [each.number for each in offer.fetches if each.outcome == "landed"]
        return [_answer(offer, "landed", _part(offer, landed)) if landed else _answer(offer, "decline")]

    def _offered(self, line: Line) -> list[Effect]:
        is_own = line.author == self._own
        offer = Offer(
            hash=line.hash,
            peer=other_of(line.conversation, self._own),
            is_own=is_own,
            log=line.log,
            seq=line.seq,
            sent_at=line.sent_at,
            items=line.items,
            state="queued" if is_own else "offered",
        )
        if not is_own:
            objection = self._objection(offer)
            said = Say(offer.peer, "decline", offer.hash, f"cannot take it: {objection}")
            return [said] if objection else self._keep(offer)
        for draft in self._drafts:
            if (draft.peer, draft.items) == (offer.peer, offer.items):
                self._drafts.remove(draft)
                return self._keep(replace(offer, grant=draft.grant))
        return [_answer(offer, "withdraw")]  # of an earlier life: what it offered is not known any more

    def _objection(self, offer: Offer) -> str:
        """Return why an offer cannot be accepted, whatever our user would say; empty if it can."""
        waiting = [each.peer for each in self if each.is_open and not each.is_own]
        if len(waiting) >= MAX_WAITING_OFFERS or waiting.count(offer.peer) >= MAX_OPEN_OFFERS:
            return f"{len(waiting)} offers wait for an answer already"
        for item in offer.items:
            try:
                landing_name(item.name)
            except InvalidName as error:
                return error.message
            if item.kind == "file" and item.size > MAX_FILE_BYTES:
                return f"{item.name} is too large"
        return ""

    def _raise(self, offer: Offer, state: OfferState) -> list[Effect]:
        """Let an offer's state rise, if it does."""
        if _RANKS[state] <= _RANKS[offer.state]:
            return []
        was_open = offer.is_open
        offer = replace(offer, state=state)
        effects = self._keep(offer)
        if offer.is_own:
            has_ended = was_open and not offer.is_open
            return [*effects, Revoke(offer.grant, offer.peer)] if has_ended else effects
        if state == "accepted":
            return [*effects, Download(offer)]
        return [*effects, Cancel(offer)] if offer.unsettled else effects

    def _keep(self, offer: Offer) -> list[Effect]:
        self._offers[offer.hash] = offer
        ended = [each for each in self if not (each.is_open or each.unsettled)]
        effects: list[Effect] = [Save(offer)]
        for old in ended[: max(len(ended) - MAX_ENDED_OFFERS, 0)]:
            del self._offers[old.hash]
            effects.append(Drop(old))
        return effects

    def _open(self, peer: PeerId, *, is_own: bool) -> int:
        return sum(1 for each in self if each.is_open and (each.peer, each.is_own) == (peer, is_own))


def _end(offer: Offer, kind: AnswerKind) -> list[Effect]:
    if not offer.is_open:
        raise UsageError(f"{offer.name}: {_stated(offer)} already", "there is nothing more to do")
    return [_answer(offer, kind)]


def _answer(offer: Offer, kind: AnswerKind, what: str = "") -> Say:
    return Say(offer.peer, kind, offer.hash, f"{_VERBS[kind]} {what or offer.name}")


def _part(offer: Offer, numbers: Sequence[int]) -> str:
    """Return what some of an offer's items are called."""
    count = len(offer.items)
    named = title([offer.items[number - 1] for number in numbers])
    return offer.name if len(numbers) == count else f"{len(numbers)} of {count}: {named}"


def _stated(offer: Offer) -> str:
    return "it has landed" if offer.state == "landed" else f"it is {offer.state}"
