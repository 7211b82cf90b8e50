"""The machine of offers: what follows from lines, wishes and transfers, on both sides, and after a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.core.lines import OFFER, direct
from peerterm.core.manifest import MAX_FILE_BYTES
from peerterm.core.offer import Cancel, Download, Draft, Drop, Fetch, Offer, Revoke, Save, Say
from peerterm.core.offers import KINDS, MAX_ENDED_OFFERS, MAX_OPEN_OFFERS, MAX_WAITING_OFFERS, Offers
from peerterm.errors import AmbiguousReference, EngineBusy, NotFound, UsageError
from tests.fakes.logs import LOG, made_item, made_line
from tests.fakes.offering import ANN, DIRECT, OWN, answer_line, made_offer, offer_line
from tests.fakes.talking import LAN, fake_id

if TYPE_CHECKING:
    from peerterm.core.offer import OfferState

THREE = (made_item("a.txt", 1), made_item("b.txt", 2), made_item("c", 3, kind="folder"))


def offered(*items: str) -> tuple[Offers, Offer]:
    """Return a machine to which peer 1 offered three items, or others."""
    machine = Offers(OWN)
    line = offer_line(1, 1, *([made_item(name) for name in items] or THREE))
    machine.heard(line)
    return machine, machine[line.hash]


def sent() -> tuple[Offers, Offer]:
    """Return a machine that offered peer 1 something."""
    machine = Offers(OWN)
    machine.draft(Draft("grant", ANN, (made_item(),)))
    line = offer_line(0)
    machine.heard(line)
    return machine, machine[line.hash]


def answered(machine: Offers, number: int, kind: str, offer: Offer) -> list[object]:
    """Let a line be heard by which a peer answers an offer."""
    return [*machine.heard(made_line(number, 9, kind=kind, about=offer.hash, conversation=DIRECT))]


def accepted(*numbers: int) -> tuple[Offers, Offer]:
    """Return a machine whose user accepted items of which the transfers run."""
    machine, offer = offered()
    machine.accept(offer.id, numbers, "/d")
    answered(machine, 0, "accept", offer)
    for fetch in machine[offer.hash].fetches:
        machine.fetching(offer.hash, fetch.number, f"t{fetch.number}")
    return machine, machine[offer.hash]


# What peers offer us


def test_what_a_peer_offers_is_kept() -> None:
    """Once, and nothing else happens."""
    machine = Offers(OWN)
    line = offer_line(1, 1, *THREE)
    [save] = machine.heard(line)

    assert save == Save(machine[line.hash])
    assert machine[line.hash] == made_offer(hash=line.hash, items=THREE, sent_at=line.sent_at)
    assert line.hash in machine
    assert [*machine] == [machine[line.hash]]
    assert machine.heard(line) == []


@pytest.mark.parametrize(
    "line",
    [
        made_line(1, conversation=DIRECT),
        replace(offer_line(1), conversation=LAN),
        replace(offer_line(1), items=()),
        answer_line(1, "accept", offer_line(1)),
    ],
)
def test_other_lines_are_passed_over(line: object) -> None:
    """Other kinds, rooms, offers of nothing, and answers to what is not known."""
    machine = Offers(OWN)

    assert machine.heard(line) == []  # type: ignore[arg-type]
    assert [*machine] == []


@pytest.mark.parametrize(
    "item",
    [
        made_item("../x"),
        made_item("a/b"),
        made_item(".."),
        made_item("x.peerterm-part"),
        made_item("a\0"),
        made_item("big", size=MAX_FILE_BYTES + 1),
    ],
)
def test_offer_that_cannot_be_taken_is_declined_by_itself(item: object) -> None:
    """Names that must not reach a disk and impossible sizes are not shown to the user at all."""
    machine = Offers(OWN)
    line = offer_line(1, 1, made_item(), item)  # type: ignore[arg-type]
    [say] = machine.heard(line)

    assert isinstance(say, Say)
    assert (say.peer, say.kind, say.about) == (ANN, "decline", line.hash)
    assert say.text.startswith("cannot take it: ")
    assert line.hash not in machine


def test_folder_may_be_larger_than_a_file() -> None:
    """Its size is that of all in it."""
    machine = Offers(OWN)
    [save] = machine.heard(offer_line(1, 1, made_item("f", kind="folder", size=MAX_FILE_BYTES + 1)))

    assert isinstance(save, Save)


def test_offer_too_many_is_declined_by_itself() -> None:
    """Of one peer; others may still offer, and so may that one when some are over."""
    machine = Offers(OWN)
    for seq in range(1, MAX_OPEN_OFFERS + 1):
        machine.heard(offer_line(1, seq))
    [said] = machine.heard(offer_line(1, MAX_OPEN_OFFERS + 1))
    [other] = machine.heard(offer_line(2, 1, conversation=direct(OWN, fake_id(2))))
    answered(machine, 0, "decline", next(iter(machine)))
    [again] = machine.heard(offer_line(1, MAX_OPEN_OFFERS + 2))

    assert isinstance(said, Say)
    assert said.kind == "decline"
    assert isinstance(other, Save)
    assert isinstance(again, Save)


def test_offers_of_many_peers_are_bounded_together() -> None:
    """However many keys somebody makes."""
    machine = Offers(OWN)
    effects = [
        effect
        for number in range(1, MAX_WAITING_OFFERS + 2)
        for effect in machine.heard(offer_line(number, 1, conversation=direct(OWN, fake_id(number))))
    ]

    assert len([*machine]) == MAX_WAITING_OFFERS
    assert [effect.text for effect in effects if isinstance(effect, Say)] == [
        f"cannot take it: {MAX_WAITING_OFFERS} offers wait for an answer already"
    ]


def test_accepting_says_so_before_anything_is_fetched() -> None:
    """What is wanted, and where to, is kept first; the line comes back as heard, then it is fetched."""
    machine, offer = offered()
    save, say = machine.accept(offer.id[:4], [], "/d")
    wanted = replace(offer, fetches=(Fetch(1), Fetch(2), Fetch(3)), directory="/d")

    assert save == Save(wanted)
    assert say == Say(ANN, "accept", offer.hash, "accepts a.txt and 2 more")
    taken = replace(wanted, state="accepted")
    assert answered(machine, 0, "accept", offer) == [Save(taken), Download(taken)]
    assert answered(machine, 0, "accept", offer) == []


def test_some_items_may_be_accepted() -> None:
    """By their numbers, each once, in the order of the offer."""
    machine, offer = offered()
    save, say = machine.accept(offer.id, [3, 2, 3], "/d")

    assert isinstance(save, Save)
    assert isinstance(say, Say)
    assert save.offer.fetches == (Fetch(2), Fetch(3))
    assert say.text == "accepts 2 of 3: b.txt and 1 more"


@pytest.mark.parametrize("numbers", [[0], [4], [1, 9]])
def test_item_that_is_not_there_cannot_be_accepted(numbers: list[int]) -> None:
    """Then nothing is accepted."""
    machine, offer = offered()
    with pytest.raises(UsageError, match="no item"):
        machine.accept(offer.id, numbers, "/d")

    assert machine[offer.hash] == offer


@pytest.mark.parametrize(("kind", "number"), [("accept", 0), ("decline", 0), ("withdraw", 1), ("landed", 0)])
def test_answered_offer_cannot_be_accepted(kind: str, number: int) -> None:
    """Nor twice, nor when the offerer withdrew it."""
    machine, offer = offered()
    answered(machine, number, kind, offer)
    with pytest.raises(UsageError, match="already"):
        machine.accept(offer.id, [], "/d")


def test_all_that_landed_is_told_once() -> None:
    """When the last accepted item is settled, if any has landed."""
    machine, offer = accepted(1, 2)
    [first] = machine.settled(offer.hash, 2, has_landed=False)
    save, say = machine.settled(offer.hash, 1, has_landed=True)

    assert isinstance(first, Save)
    assert isinstance(save, Save)
    assert save.offer.fetches == (Fetch(1, "t1", "landed"), Fetch(2, "t2", "given up"))
    assert say == Say(ANN, "landed", offer.hash, "has 1 of 3: a.txt")
    assert machine.settled(offer.hash, 2, has_landed=True) == []
    assert answered(machine, 0, "landed", offer) == [Save(replace(save.offer, state="landed"))]


def test_transfers_given_up_decline_the_offer() -> None:
    """If nothing has landed."""
    machine, offer = accepted(1)
    _, say = machine.settled(offer.hash, 1, has_landed=False)

    assert say == Say(ANN, "decline", offer.hash, "declines a.txt and 2 more")
    [save] = answered(machine, 0, "decline", offer)
    assert isinstance(save, Save)
    assert save.offer.state == "declined"


@pytest.mark.parametrize(("kind", "number", "state"), [("decline", 0, "declined"), ("withdraw", 1, "withdrawn")])
def test_ended_offer_gives_up_what_is_fetched(kind: str, number: int, state: str) -> None:
    """Whoever ended it; then nothing is said any more."""
    machine, offer = accepted(1, 2)
    machine.settled(offer.hash, 1, has_landed=True)
    save, cancel = answered(machine, number, kind, offer)

    assert isinstance(save, Save)
    assert save.offer.state == state
    assert cancel == Cancel(save.offer)
    [last] = machine.settled(offer.hash, 2, has_landed=False)
    assert isinstance(last, Save)


def test_declining_says_so() -> None:
    """And it is so once that line is kept."""
    machine, offer = offered()

    assert machine.decline(offer.id) == [Say(ANN, "decline", offer.hash, "declines a.txt and 2 more")]
    assert machine[offer.hash].state == "offered"
    answered(machine, 0, "decline", offer)
    with pytest.raises(UsageError, match="declined already"):
        machine.decline(offer.id)


# What we offer


def test_what_we_offer_bears_its_grant() -> None:
    """The draft becomes the offer when its line is kept; of two alike, one."""
    machine = Offers(OWN)
    drafts = [Draft("one", ANN, (made_item(),)), Draft("two", ANN, (made_item(),))]
    for draft in [Draft("other", fake_id(2), (made_item(),)), *drafts]:
        machine.draft(draft)
    line = offer_line(0)
    [save] = machine.heard(line)

    assert save == Save(made_offer(hash=line.hash, is_own=True, sent_at=line.sent_at, state="queued", grant="one"))
    assert machine.undo(drafts[0]) == []
    assert machine.undo(drafts[1]) == [Revoke("two", ANN)]


def test_offers_to_one_peer_are_bounded() -> None:
    """The peer would decline more; drafts count."""
    machine = Offers(OWN)
    for number in range(MAX_OPEN_OFFERS):
        machine.draft(Draft(str(number), ANN, (made_item(),)))
    machine.heard(offer_line(0))
    with pytest.raises(EngineBusy):
        machine.draft(Draft("one more", ANN, (made_item(),)))
    machine.draft(Draft("elsewhere", fake_id(2), (made_item(),)))


def test_offer_of_an_earlier_life_is_withdrawn() -> None:
    """The peer gave our line back to a new database: what it offered is not known any more."""
    line = offer_line(0)

    assert Offers(OWN).heard(line) == [Say(ANN, "withdraw", line.hash, "withdraws a.txt")]


def test_delivered_line_makes_it_offered() -> None:
    """Of this conversation and this log, up to this line."""
    machine, offer = sent()

    assert machine.delivered(fake_id(2), LOG, 1) == []
    assert machine.delivered(ANN, b"otherlog", 1) == []
    assert machine.delivered(ANN, LOG, 0) == []
    assert machine.delivered(ANN, LOG, 1) == [Save(replace(offer, state="offered"))]
    assert machine.delivered(ANN, LOG, 1) == []


def test_accepted_offer_stays_granted() -> None:
    """Until all is there."""
    machine, offer = sent()

    assert answered(machine, 1, "accept", offer) == [Save(replace(offer, state="accepted"))]
    assert answered(machine, 1, "landed", offer) == [Save(replace(offer, state="landed")), Revoke("grant", ANN)]


@pytest.mark.parametrize(("kind", "number", "state"), [("decline", 1, "declined"), ("withdraw", 0, "withdrawn")])
def test_grant_ends_with_the_offer(kind: str, number: int, state: OfferState) -> None:
    """At once, whoever ended it."""
    machine, offer = sent()

    assert answered(machine, number, kind, offer) == [Save(replace(offer, state=state)), Revoke("grant", ANN)]


def test_withdrawing_says_so() -> None:
    """And it is so once that line is kept."""
    machine, offer = sent()

    assert machine.withdraw(offer.id) == [Say(ANN, "withdraw", offer.hash, "withdraws a.txt")]
    answered(machine, 0, "withdraw", offer)
    with pytest.raises(UsageError, match="withdrawn already"):
        machine.withdraw(offer.id)


def test_nobody_answers_for_another() -> None:
    """The offerer cannot accept, the other cannot withdraw, and a third can do nothing."""
    machine, offer = sent()
    before = machine[offer.hash]

    assert answered(machine, 0, "accept", offer) == []
    assert answered(machine, 0, "landed", offer) == []
    assert answered(machine, 1, "withdraw", offer) == []
    assert answered(machine, 2, "decline", offer) == []
    assert machine[offer.hash] == before


def test_wishes_are_for_the_right_side() -> None:
    """What is our own cannot be accepted or declined, what is another's not withdrawn."""
    ours, own = sent()
    theirs, offer = offered()
    with pytest.raises(UsageError, match="your own"):
        ours.accept(own.id, [], "/d")
    with pytest.raises(UsageError, match="your own"):
        ours.decline(own.id)
    with pytest.raises(UsageError, match="not yours"):
        theirs.withdraw(offer.id)


# Finding and forgetting


def test_offer_is_found_by_the_start_of_its_id() -> None:
    """If that fits one."""
    one, other = made_offer(hash=b"\xab" * 32), made_offer(hash=b"\xac" * 32)
    machine = Offers(OWN, [one, other])

    assert machine.find("AB") == one
    for reference, error in (("a", AmbiguousReference), ("f", NotFound), ("", NotFound)):
        with pytest.raises(error):
            machine.find(reference)


def test_offers_that_are_over_are_forgotten() -> None:
    """Those made first, if there are too many; open ones and those with downloads never."""
    many = [
        made_offer(hash=bytes([1, *number.to_bytes(2)]) + bytes(29), sent_at=number, state="declined")
        for number in range(MAX_ENDED_OFFERS)
    ]
    first, last = made_offer(hash=b"\2" * 32, sent_at=-1), made_offer(hash=b"\3" * 32, sent_at=10**6)
    ending = made_offer(hash=b"\4" * 32, sent_at=-2, state="withdrawn", fetches=(Fetch(1, "t1"),))
    machine = Offers(OWN, [last, *reversed(many), first, ending])
    effects = answered(machine, 0, "decline", last)

    assert effects == [Save(replace(last, state="declined")), Drop(many[0])]
    assert [*machine][:2] == [ending, first]
    assert many[0].hash not in machine
    assert machine.latest(many[0]) == many[0]
    assert machine.latest(last).state == "declined"


# After a restart


def test_unfinished_business_is_resumed() -> None:
    """Downloads that had not begun begin, what was settled is told, what had to be given up is."""
    coming = made_offer(hash=b"\1" * 32, state="accepted", fetches=(Fetch(1),))
    here = made_offer(hash=b"\2" * 32, state="accepted", fetches=(Fetch(1, "t", "landed"),))
    ended = made_offer(hash=b"\3" * 32, state="withdrawn", fetches=(Fetch(1, "t"),))
    over = made_offer(hash=b"\4" * 32, state="declined")
    unanswered = made_offer(hash=b"\5" * 32)
    effects = Offers(OWN, [coming, here, ended, over, unanswered]).resume([])

    assert effects == [
        Download(coming),
        Download(here),
        Say(ANN, "landed", here.hash, "has a.txt"),
        Cancel(ended),
    ]


def test_only_grants_of_open_offers_stay() -> None:
    """A crash may have come between the end of an offer and that of its grant, or before its line was said."""
    own = {"is_own": True, "sent_at": 1}
    offers = [
        made_offer(hash=b"\1" * 32, state="queued", grant="queued", **own),
        made_offer(hash=b"\2" * 32, state="accepted", grant="accepted", **own),
        made_offer(hash=b"\3" * 32, state="landed", grant="landed", **own),
    ]
    machine = Offers(OWN, offers, [Draft("draft", ANN, (made_item(),))])
    granted = [("queued", ANN), ("accepted", ANN), ("landed", ANN), ("queued", fake_id(2))]

    assert machine.resume(granted) == [Revoke("landed", ANN), Revoke("queued", fake_id(2)), Revoke("draft", ANN)]
    assert machine.resume(granted[:2]) == []


def test_draft_whose_line_was_kept_is_an_offer_after_a_crash() -> None:
    """The line is heard again, and finds its grant."""
    machine = Offers(OWN, (), [Draft("grant", ANN, (made_item(),))])
    [save] = machine.heard(offer_line(0))

    assert isinstance(save, Save)
    assert save.offer.grant == "grant"
    assert machine.resume([("grant", ANN)]) == []


def test_kinds_are_those_of_offers() -> None:
    """What is heard of all lines."""
    assert KINDS == (OFFER, "accept", "decline", "withdraw", "landed")
