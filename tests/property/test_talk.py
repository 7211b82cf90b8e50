"""Conversations under failing links, crashes and hostile relays: in the end all hold the same, each line once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.lines import NO_HASH, ConversationId
from peerterm.core.talk_messages import (
    Ask,
    Fork,
    Head,
    Heads,
    Keep,
    Leave,
    Pull,
    Pulled,
    Push,
    Read,
    Refused,
    Show,
    Want,
)
from peerterm.errors import EngineBusy, NotFound
from tests.fakes.logs import LOG, log_id, made_line, made_log
from tests.fakes.talk_machine import DIRECT, say, talk
from tests.fakes.talking import LAN, TalkingPeer, TalkNetwork, fake_id, fake_key, fake_signature, fake_verify

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import Line, LogId
    from peerterm.core.talk import Talk
    from peerterm.core.talk_messages import Effect, Told

numbers = st.integers(0, 4)
actions = st.lists(  # what is named more than once happens more often
    st.one_of(
        st.tuples(st.just("say"), numbers, st.integers(1, 12)),
        st.tuples(st.just("say"), numbers, st.integers(1, 12)),
        st.tuples(st.just("say"), numbers, st.integers(1, 12)),
        st.tuples(st.just("whisper"), numbers, numbers),
        st.tuples(st.just("link"), numbers, numbers),
        st.tuples(st.just("link"), numbers, numbers),
        st.tuples(st.just("link"), numbers, numbers),
        st.tuples(st.just("cut"), numbers, numbers),
        st.tuples(st.just("crash"), numbers, st.integers(0, 6)),
        st.tuples(st.just("leave"), numbers, st.just(0)),
        st.tuples(st.just("join"), numbers, st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([0, 0, 1, 3, 30]), st.sampled_from([0, 10, 25])),
        st.tuples(st.just("wait"), st.sampled_from([0, 0, 1, 3, 30]), st.sampled_from([0, 10, 25])),
        st.tuples(st.just("wait"), st.sampled_from([0, 0, 1, 3, 30]), st.sampled_from([0, 10, 25])),
    ),
    min_size=30,
    max_size=80,
)


def act(network: TalkNetwork, action: tuple[str, int, int]) -> None:  # noqa: C901 - a case each
    name, one, other = action
    size = len(network.peers)
    peer = network.peers[one % size]
    match name:
        case "say" if LAN in peer.talk.rooms() and peer.crash_in is None:
            for number in range(other):
                if peer.crash_in is None:
                    peer.say(f"{network.now:.3f} {number}")
        case "whisper" if one % size != other % size and peer.crash_in is None:
            peer.say(f"psst {network.now}", peer.to(network.peers[other % size]))
        case "link" if one % size != other % size:
            network.link(one % size, other % size)
        case "cut" if one % size != other % size:
            network.cut(one % size, other % size)
        case "crash":
            peer.crash(other)
        case "leave" if peer.crash_in is None:
            peer.perform(peer.talk.left(LAN))
        case "join" if peer.crash_in is None:
            peer.join()
        case "wait":
            network.run(one + other / 1000)


def connect(network: TalkNetwork, rng: Random) -> None:
    """Link all in some connected graph, and let all be members; some before they are linked, some after."""
    size = len(network.peers)
    for one, other in combinations(range(size), 2):
        if rng.random() < 0.5:
            network.cut(one, other)
    for number, peer in enumerate(network.peers):
        if peer.crash_in is not None or rng.random() < 0.3:
            network.restart(number)
        if rng.random() < 0.5:
            peer.join()
    for number in range(1, size):
        network.link(number, rng.randrange(number))
    network.run(rng.choice([0, 0.01, 1]))
    for peer in network.peers:
        peer.join()


def kept(peer: TalkingPeer, conversation: ConversationId) -> list[Line]:
    return [line for line in peer.store.lines if line.conversation == conversation]


def check_order(peer: TalkingPeer, conversation: ConversationId) -> None:
    """Each log is held from its first line on, each line once, each naming the one before it."""
    last: dict[object, tuple[int, bytes]] = {}
    for line in kept(peer, conversation):
        seq, last_hash = last.get(line.log_id, (0, NO_HASH))
        assert (line.seq, line.prev) == (seq + 1, last_hash)
        last[line.log_id] = (line.seq, line.hash)


@given(size=st.integers(2, 5), script=actions, seed=st.integers(0, 2**32))
def test_all_hold_the_same_in_the_end(size: int, script: list[tuple[str, int, int]], seed: int) -> None:
    """Whatever failed meanwhile: once linked somehow, all hold every line, once, in its author's order."""
    network = TalkNetwork(size, seed=seed)
    for peer in network.peers:
        if seed % (peer.number + 2):
            peer.join()
    for action in script:
        act(network, action)
    connect(network, Random(seed))
    network.run(seed % 3)
    for peer in network.peers:
        peer.say("at last")
    network.run(60)

    first = network.peers[0].lines()
    said = {line.hash for peer in network.peers for line in kept(peer, LAN) if line.author == peer.id}
    for peer in network.peers:
        assert peer.lines() == first
        assert {line.hash for line in kept(peer, LAN)} == said
        check_order(peer, LAN)
        shown = [effect.line.hash for effect in peer.effects if isinstance(effect, Show)]
        assert len(shown) == len(set(shown))
        assert not [effect for effect in peer.effects if isinstance(effect, Fork | Refused)]


@given(size=st.integers(2, 4), script=actions, seed=st.integers(0, 2**32))
def test_whispers_reach_the_other_and_nobody_else(size: int, script: list[tuple[str, int, int]], seed: int) -> None:
    """A direct line arrives once and in order when the two are linked; third peers never see it."""
    network = TalkNetwork(size, seed=seed)
    for action in script:
        act(network, action)
    connect(network, Random(seed))
    network.mesh()
    network.run(60)

    for one, other in combinations(network.peers, 2):
        conversation = one.to(other)
        assert one.lines(conversation) == other.lines(conversation)
        for peer in network.peers:
            check_order(peer, conversation)
            assert peer in (one, other) or not kept(peer, conversation)


def alter(line: Line, rng: Random) -> Line:
    """Change a line in some way, with or without another signature."""
    mallory = fake_key(99)
    changed = rng.choice(
        [
            replace(line, text=line.text + "!"),
            replace(line, seq=line.seq + 1),
            replace(line, sent_at=line.sent_at + 1),
            replace(line, prev=bytes(31) + b"\1"),
            replace(line, log=b"otherlog"),
            replace(line, kind="me"),
            replace(line, signature=bytes(64)),
            replace(line, key=fake_key(0)),
        ]
    )
    if rng.random() < 0.3:
        changed = replace(changed, signature=fake_signature(mallory, changed.signed))
    return changed


@given(texts=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=30), seed=st.integers(0, 2**32))
def test_hostile_relay_changes_nothing(texts: list[str], seed: int) -> None:
    """B alters, replays, reorders and withholds what A says to C: C holds what A said, in order, and no more.

    D is a second way; it comes later.
    """
    network = TalkNetwork(4, seed=seed)
    rng = Random(seed)
    heard: list[Told] = []

    def tamper(message: Told) -> list[Told]:
        if isinstance(message, Heads):
            return [message]
        heard.append(message)
        told = rng.sample(heard, min(len(heard), 3))
        return [
            Push(alter(each.line, rng), 8) if isinstance(each, Push) and rng.random() < 0.7 else each
            for each in told
        ]

    for peer in network.peers:
        peer.join()
    network.peers[1].tamper = tamper
    network.link(0, 1)
    network.link(1, 2)
    network.run(1)
    lines = [network.peers[0].say(text.encode(errors="replace").decode()) for text in texts]
    network.run(20)
    said = [line.text for line in lines]
    got = [effect.line.text for effect in network.peers[2].effects if isinstance(effect, Keep)]

    assert said[: len(got)] == got

    network.link(0, 3)
    network.link(3, 2)
    network.run(90)

    for peer in network.peers:
        assert list(peer.lines().values()) == [said]
        assert not [effect for effect in peer.effects if isinstance(effect, Fork)]
    assert all(
        report.peer == network.peers[1].id
        for peer in network.peers
        for report in peer.effects
        if isinstance(report, Refused)
    )


def test_forging_relay_is_reported() -> None:
    """The one that passed on a line which its author never signed is named, once."""
    network = TalkNetwork(3)
    for peer in network.peers:
        peer.join()
    network.peers[1].tamper = lambda told: (
        [Push(replace(told.line, text="I owe you a beer"), told.hops)] if isinstance(told, Push) else [told]
    )
    network.link(0, 1)
    network.link(1, 2)
    network.run(1)
    for number in range(3):
        network.peers[0].say(f"I owe you nothing {number}")
    network.run(20)

    assert network.peers[2].lines() == {}
    assert [report for report in network.peers[2].effects if isinstance(report, Refused)] == [
        Refused(network.peers[1].id, LAN, network.peers[0].id, "forged")
    ]


authors = st.integers(0, 4)
logs = st.sampled_from([LOG, b"otherlog"])
log_ids = st.builds(log_id, authors, logs)
seqs = st.integers(1, 12) | st.sampled_from([2**63 - 1, 300])
rooms = st.sampled_from([LAN, ConversationId("#other"), ConversationId("#Bad one")])
genuine = st.builds(
    lambda number, log, seq, room: made_log(seq, number, log=log, conversation=room)[-1],
    authors,
    logs,
    st.integers(1, 6),
    rooms,
)
lines = st.one_of(
    genuine,
    st.builds(lambda line, text: replace(line, text=text), genuine, st.text(min_size=1, max_size=3)),
    st.builds(lambda number, seq, text: made_line(number, seq, text=text), authors, seqs, st.text(min_size=1)),
)
told = st.one_of(
    st.builds(Heads, rooms, st.lists(st.builds(Head, log_ids, seqs, seqs), max_size=4).map(tuple)),
    st.builds(Push, lines, st.integers(0, 8)),
    st.builds(Read, st.just(DIRECT), logs, seqs),
    st.builds(Leave, rooms),
)
inputs = st.lists(
    st.tuples(
        st.integers(1, 3).map(fake_id),
        st.sampled_from([0.0, 0.01, 0.3, 6.0]),
        st.one_of(
            told,
            st.builds(Pulled, st.lists(lines, max_size=5).map(tuple), st.booleans()),
            st.builds(Pull, rooms, st.lists(st.builds(Want, log_ids, seqs), min_size=1, max_size=3).map(tuple)),
            st.sampled_from(["open", "close", "fail", "say", "leave", "join"]),
        ),
    ),
    max_size=60,
)


def feed(machine: Talk, peer: PeerId, now: float, given_input: object, asks: list[Ask]) -> list[Effect]:
    """Give the machine one input; answers go to the oldest pull of that peer."""
    pull = next((ask.pull for ask in asks if ask.peer == peer), Pull(LAN, ()))
    match given_input:
        case "open":
            return machine.link_opened(peer, now)
        case "close":
            return machine.link_closed(peer, now)
        case "fail":
            return machine.unanswered(peer, pull, now)
        case "say" if LAN in machine.rooms():
            return say(machine, now=now)
        case "leave":
            return machine.left(LAN)
        case "join":
            return machine.joined(LAN, now)
        case Pulled():
            return machine.answered(peer, pull, given_input, now)
        case Pull():
            with suppress(EngineBusy, NotFound):
                return machine.asked(peer, given_input, now)
        case Heads() | Push() | Read() | Leave():
            return machine.heard(peer, given_input, now)
    return []


@given(script=inputs)
def test_nothing_a_peer_says_breaks_the_machine(script: list[tuple[PeerId, float, object]]) -> None:
    """Whatever comes in whatever order: what is kept is genuine and without gaps, and the machine never spins."""
    machine = talk("#lan")
    now = 0.0
    asks: list[Ask] = []
    held: dict[LogId, Line] = {}
    for peer, pause, given_input in script:
        now += pause
        effects = [*feed(machine, peer, now, given_input, asks), *machine.tick(now)]
        asks = [*(effect for effect in effects if isinstance(effect, Ask)), *asks]
        for line in [
            effect.line for effect in effects if isinstance(effect, Keep) and effect.line.conversation == LAN
        ]:
            before = held.get(line.log_id)
            assert line.is_genuine(fake_verify)
            assert before is None or line.prev == before.hash or line.seq > before.seq + 1
            held[line.log_id] = line
        deadline = machine.deadline()
        assert deadline is None or deadline > now
