"""Both sides of an offer, whatever crosses on the way: in the end they agree, and nothing stays granted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.lines import NO_HASH, direct
from peerterm.core.offer import Cancel, Download, Draft, Revoke, Save, Say
from peerterm.core.offers import Offers
from peerterm.errors import UsageError
from tests.fakes.logs import LOG, made_item, made_line
from tests.fakes.talking import fake_id

if TYPE_CHECKING:
    from peerterm.core.lines import Item, Line
    from peerterm.core.offer import Effect, Offer

ITEMS = (made_item("a", 1), made_item("b", 2))
CONVERSATION = direct(fake_id(0), fake_id(1))

WISHES = ["accept", "accept one", "decline", "withdraw"]
EVENTS = ["land", "give up", "to 0", "to 0", "to 1", "to 1", "crash 0", "crash 1"]


@dataclass
class Side:
    """One machine, what it has on disk, and what it said that the other has not heard."""

    number: int
    granted: set[str] = field(default_factory=set)
    fetched: dict[int, str] = field(default_factory=dict)
    kept: dict[bytes, Offer] = field(default_factory=dict)
    said: list[Line] = field(default_factory=list)
    on_the_way: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = Offers(fake_id(self.number))

    def say(self, kind: str, about: bytes = b"", items: tuple[Item, ...] = ()) -> None:
        seq, prev = len(self.said) + 1, self.said[-1].hash if self.said else NO_HASH
        line = made_line(
            self.number, seq, prev, conversation=CONVERSATION, log=LOG, kind=kind, about=about, items=items
        )
        self.said.append(line)
        self.on_the_way.append(line)
        self.perform(self.machine.heard(line))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Save(offer):
                    self.kept[offer.hash] = offer
                case Say(_, kind, about, _):
                    self.say(kind, about)
                case Revoke(grant):
                    self.granted.discard(grant)
                case Download(offer):
                    for fetch in offer.unsettled:
                        if not fetch.transfer:
                            self.fetched[fetch.number] = "running"
                            self.perform(self.machine.fetching(offer.hash, fetch.number, f"t{fetch.number}"))
                case Cancel(offer):
                    for fetch in offer.unsettled:
                        self.fetched.pop(fetch.number, None)
                        self.perform(self.machine.settled(offer.hash, fetch.number, has_landed=False))

    def settle(self, outcome: str) -> None:
        running = [number for number, state in self.fetched.items() if state == "running"]
        if running:
            self.fetched[running[0]] = outcome
            [offer] = self.machine
            self.perform(self.machine.settled(offer.hash, running[0], has_landed=outcome == "landed"))

    def wish(self, name: str) -> None:
        for offer in self.machine:
            with suppress(UsageError):
                match name:
                    case "accept":
                        self.perform(self.machine.accept(offer.id, [], "/d"))
                    case "accept one":
                        self.perform(self.machine.accept(offer.id, [2], "/d"))
                    case "decline":
                        self.perform(self.machine.decline(offer.id))
                    case "withdraw":
                        self.perform(self.machine.withdraw(offer.id))

    def crash(self) -> None:
        self.machine = Offers(fake_id(self.number), self.kept.values())
        self.perform(self.machine.resume((grant, fake_id(1 - self.number)) for grant in self.granted))


@given(script=st.lists(st.sampled_from([*WISHES, *EVENTS]), max_size=30))
def test_both_sides_agree_in_the_end(script: list[str]) -> None:
    """Whatever was said while lines were on the way, and whoever crashed."""
    ann, ben = Side(0), Side(1)
    sides = [ann, ben]
    ann.granted.add("grant")
    ann.machine.draft(Draft("grant", fake_id(1), ITEMS))
    ann.say("offer", items=ITEMS)

    def deliver(receiver: Side) -> None:
        sender = sides[1 - receiver.number]
        if sender.on_the_way:
            receiver.perform(receiver.machine.heard(sender.on_the_way.pop(0)))

    for step in script:
        match step.split():
            case ["to", number]:
                deliver(sides[int(number)])
            case ["crash", number]:
                sides[int(number)].crash()
            case ["land"]:
                ben.settle("landed")
            case ["give", "up"]:
                ben.settle("given up")
            case ["withdraw"]:
                ann.wish(step)
            case _:
                ben.wish(step)
    while ann.on_the_way or ben.on_the_way or "running" in ben.fetched.values():
        deliver(ann)
        deliver(ben)
        ben.settle("landed")

    [sent], [got] = ann.machine, ben.machine
    is_unanswered = got.state == "offered"

    assert sent.state == ("queued" if is_unanswered else got.state)
    assert ann.granted == ({"grant"} if is_unanswered else set())
    assert not got.unsettled or is_unanswered
    assert (got.state == "landed") <= ("landed" in ben.fetched.values())
