"""Peers that talk on a virtual clock: the real machine, the real messages, links that fail, a store in memory."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from peerterm.core.lines import ConversationId, Line, author_of, direct
from peerterm.core.talk import Talk
from peerterm.core.talk_messages import (
    Ask,
    Effect,
    Enter,
    Forget,
    Keep,
    Kept,
    Mark,
    Pull,
    Push,
    Renew,
    Saved,
    Send,
    Show,
    Supply,
    Told,
)
from peerterm.errors import PeertermError
from peerterm.wire.codec import decode, encode
from peerterm.wire.frame import FrameDecoder
from peerterm.wire.messages import Message, TalkPullAnswer, TalkPullRequest
from peerterm.wire.talk import from_wire, pull_from_wire, pull_to_wire, pulled_from_wire, pulled_to_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import LogId
    from peerterm.core.talk_messages import Want

LAN = ConversationId("#lan")
NEVER = float("inf")


def fake_key(number: int) -> bytes:
    """Return the public key of a peer."""
    return hashlib.sha256(b"key %d" % number).digest()


def fake_id(number: int) -> PeerId:
    """Return the id of a peer."""
    return author_of(fake_key(number))


def fake_signature(key: bytes, data: bytes) -> bytes:
    """Stand in for Ed25519, which is too slow for thousands of lines."""
    return hashlib.sha512(b"secret" + key + data).digest()


def fake_verify(key: bytes, signature: bytes, data: bytes) -> bool:
    return signature == fake_signature(key, data)


def over_the_wire(message: Message) -> Message:
    """Return what the other side reads."""
    [frame] = FrameDecoder(max_body=64 * 1024).feed(encode(message))
    return decode(frame)


class MemoryStore:
    """Keeps what the machine says must be kept."""

    def __init__(self, log: bytes) -> None:
        self.log = log
        self.rooms: dict[ConversationId, None] = {}
        self.lines: list[Line] = []
        self.marks: list[Mark] = []

    def perform(self, effect: Effect) -> None:
        match effect:
            case Keep(line):
                self.lines.append(line)
            case Forget(conversation, log_id, first):
                old = [each for each in self.lines if each.conversation == conversation and each.log_id == log_id]
                self.lines = [each for each in self.lines if each not in old or each.seq >= first]
            case Mark():
                self.marks.append(effect)
            case Renew(log):
                self.log = log
            case Enter(room, is_member=True):
                self.rooms[room] = None
            case Enter(room):
                self.rooms.pop(room, None)

    def saved(self) -> Saved:
        kept = tuple(Kept(line.conversation, line.log_id, line.seq, line.hash, line.kind) for line in self.lines)
        return Saved(self.log, tuple(self.rooms), kept, tuple(self.marks))

    def wanted(self, conversation: ConversationId, wants: Iterable[Want]) -> list[Line]:
        logs: dict[LogId, list[Line]] = defaultdict(list)
        for line in self.lines:
            if line.conversation == conversation:
                logs[line.log_id].append(line)
        return [line for want in wants for line in logs[want.log_id] if line.seq >= want.start]


@dataclass
class TalkingPeer:
    """One peer. ``tamper`` may change what it tells others."""

    network: TalkNetwork
    number: int
    tamper: Callable[[Told], list[Told]] | None = None
    effects: list[Effect] = field(default_factory=list)
    sent_lines: Counter[bytes] = field(default_factory=Counter)  # how often each line went out, by its hash
    told: Counter[str] = field(default_factory=Counter)  # how many messages of each kind went out
    heard_at: dict[bytes, float] = field(default_factory=dict)
    crash_in: int | None = None  # so many effects are performed yet, then the peer is killed and starts anew
    _wake_at: float = NEVER

    def __post_init__(self) -> None:
        self.key = fake_key(self.number)
        self.id = author_of(self.key)
        self.store = MemoryStore(Random(self.number).randbytes(8))
        self.start()

    def start(self) -> None:
        """Begin with what the store has, as after a crash."""
        self.talk = Talk(
            self.store.saved(),
            key=self.key,
            name=f"peer {self.number}",
            rng=Random(self.network.rng.random()),
            sign=lambda data: fake_signature(self.key, data),
            verify=fake_verify,
        )

    def join(self, room: ConversationId = LAN) -> None:
        self.perform(self.talk.joined(room, self.network.now))

    def say(self, text: str, conversation: ConversationId = LAN) -> Line:
        now = self.network.now
        effects = self.talk.said(conversation, text, sent_at=int(now * 1000), now=now)
        self.perform(effects)
        assert isinstance(effects[0], Keep)
        return effects[0].line

    def crash(self, effects: int) -> None:
        """Be killed after so many further effects, in the middle of whatever it is."""
        self.crash_in = effects

    def to(self, other: TalkingPeer) -> ConversationId:
        return direct(self.id, other.id)

    def heard(self, peer: PeerId, message: Told) -> None:
        self.perform(self.talk.heard(peer, message, self.network.now))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if self.crash_in is not None:
                self.crash_in -= 1
                if self.crash_in == -1:
                    self.network.at(self.network.now, lambda: self.network.restart(self.number))
                if self.crash_in < 0:
                    return
            self.effects.append(effect)
            self.store.perform(effect)
            match effect:
                case Show(line):
                    self.heard_at.setdefault(line.hash, self.network.now)
                case Send(peer, message):
                    self.send(peer, message)
                case Ask(peer, pull):
                    self.network.ask(self, peer, pull)
        deadline = self.talk.deadline()
        if deadline is not None and not self.network.now <= self._wake_at <= deadline:
            self._wake_at = max(deadline, self.network.now)
            self.network.at(self._wake_at, self.wake)

    def send(self, peer: PeerId, message: Told) -> None:
        for told in [message] if self.tamper is None else self.tamper(message):
            self.told[type(told).__name__] += 1
            if isinstance(told, Push):
                self.sent_lines[told.line.hash] += 1
            self.network.deliver(self, peer, told)

    def wake(self) -> None:
        self._wake_at = NEVER
        self.perform(self.talk.tick(self.network.now))

    def lines(self, conversation: ConversationId = LAN) -> dict[LogId, list[str]]:
        """Return the texts kept of each log, in the order in which they were kept."""
        logs: dict[LogId, list[str]] = {}
        for line in self.store.lines:
            if line.conversation == conversation:
                logs.setdefault(line.log_id, []).append(line.text)
        return logs

    def shown(self, kind: type[Effect]) -> list[Effect]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


class TalkNetwork:
    """The virtual clock, the peers, and the links between them.

    A link keeps the order of what goes one way, and loses what is on the way when it ends.
    """

    def __init__(self, size: int, *, latency: float = 0.02, seed: int = 1) -> None:
        self.rng = Random(seed)
        self.now = 1000.0
        self.latency = latency
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._links: dict[frozenset[PeerId], int] = {}
        self.peers = [TalkingPeer(self, number) for number in range(size)]
        self.by_id = {peer.id: peer for peer in self.peers}

    def at(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (when, next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self._agenda and self._agenda[0][0] <= until:
            when, _, action = heappop(self._agenda)
            self.now = max(self.now, when)
            action()
        self.now = until

    def link(self, one: int, other: int) -> None:
        a, b = self.peers[one], self.peers[other]
        if frozenset((a.id, b.id)) not in self._links:
            self._links[frozenset((a.id, b.id))] = next(self._order)
            a.perform(a.talk.link_opened(b.id, self.now))
            b.perform(b.talk.link_opened(a.id, self.now))

    def cut(self, one: int, other: int) -> None:
        a, b = self.peers[one], self.peers[other]
        if self._links.pop(frozenset((a.id, b.id)), None) is not None:
            a.perform(a.talk.link_closed(b.id, self.now))
            b.perform(b.talk.link_closed(a.id, self.now))

    def mesh(self) -> None:
        for one in range(len(self.peers)):
            for other in range(one):
                self.link(one, other)

    def restart(self, number: int) -> None:
        """Kill a peer and start it anew; its links are gone, and come back."""
        peer = self.peers[number]
        peer.crash_in = None
        neighbours = [
            index for index, other in enumerate(self.peers) if frozenset((peer.id, other.id)) in self._links
        ]
        for other in neighbours:
            del self._links[frozenset((peer.id, self.peers[other].id))]
            self.peers[other].perform(self.peers[other].talk.link_closed(peer.id, self.now))
        peer.start()
        for other in neighbours:
            self.link(number, other)

    def over(self, one: PeerId, other: PeerId, action: Callable[[], None]) -> None:
        """Do something at the other end, if the link lasts so long."""
        link = self._links.get(frozenset((one, other)))
        if link is not None:
            self.at(
                self.now + self.latency,
                lambda: action() if self._links.get(frozenset((one, other))) == link else None,
            )

    def deliver(self, sender: TalkingPeer, to: PeerId, message: Told) -> None:
        receiver = self.by_id[to]
        told = from_wire(over_the_wire(to_wire(message)), receiver.id, sender.id)
        assert told is not None
        self.over(sender.id, to, lambda: receiver.heard(sender.id, told))

    def ask(self, asker: TalkingPeer, to: PeerId, pull: Pull) -> None:
        request = over_the_wire(pull_to_wire(pull))
        assert isinstance(request, TalkPullRequest)
        self.over(asker.id, to, lambda: self._answer(self.by_id[to], asker, pull, request))

    def _answer(self, peer: TalkingPeer, asker: TalkingPeer, pull: Pull, request: TalkPullRequest) -> None:
        try:
            effects = peer.talk.asked(asker.id, pull_from_wire(request, peer.id, asker.id), self.now)
        except PeertermError:
            failed = lambda: asker.perform(asker.talk.unanswered(peer.id, pull, self.now))  # noqa: E731
            self.over(peer.id, asker.id, failed)
            return
        peer.perform(effects)
        supply = effects[-1]
        assert isinstance(supply, Supply)
        lines = peer.store.wanted(supply.conversation, supply.wants)
        if peer.tamper is not None:
            changed = [told for line in lines for told in peer.tamper(Push(line, 0))]
            lines = [told.line for told in changed if isinstance(told, Push)]
        answer = over_the_wire(pulled_to_wire(1, lines))
        assert isinstance(answer, TalkPullAnswer)
        pulled = pulled_from_wire(answer, pull)
        peer.sent_lines.update(line.hash for line in pulled.lines)
        peer.told["Pulled"] += 1
        self.over(peer.id, asker.id, lambda: asker.perform(asker.talk.answered(peer.id, pull, pulled, self.now)))
