"""Of whom the lines that are missing of one conversation are asked, and what becomes of the answers.

One pull a member at a time, and each log of one member only; who does not keep its word rests. Logs stand in line:
those asked for go to its end, and nobody takes what one further ahead waits for. Part of ``core.talk``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.buckets import TokenBucket
from peerterm.core.talk_messages import MAX_PULLED_LINES, MAX_WANTS, Ask, Head, Pull, Want

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from random import Random

    from peerterm.core.conversation import Conversation
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import LogId
    from peerterm.core.members import Members

PULL_SECONDS = 5.0
"""How long a member may take to answer a pull."""

FIRST_REST_SECONDS = 0.5
MAX_REST_SECONDS = 30.0
"""How long a member that gave nothing of what it claimed is not asked, doubling from the first to the longest."""

TRUSTED_FAILURES = 3
"""Failures in a row after which a gap is not left open for what a member claims to hold of it."""

PULLED_PER_SECOND = 256.0
PULLED_BURST = 512
"""How many lines of one conversation are asked for, so that a flood leaves room for the others."""

PACE_SECONDS = 0.1
"""Step of waiting when more lines are asked for than that."""

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Flight:
    pull: Pull
    claims: tuple[Head, ...]  # what each want relies on
    due: float


@dataclass(slots=True)
class _Rest:
    failures: int = 0
    until: float = 0.0


class Pulls:
    """The pulls of one conversation that are under way, and who rests."""

    def __init__(self, conversation: Conversation, members: Members, rng: Random) -> None:
        self._conversation = conversation
        self._members = members
        self._rng = rng
        self._flights: dict[PeerId, _Flight] = {}
        self._rests: dict[PeerId, _Rest] = {}
        self._bucket = TokenBucket(PULLED_PER_SECOND, PULLED_BURST)
        self._plan_at = NEVER

    def deadline(self) -> float:
        """Return when ``tick`` is due."""
        return min([self._plan_at, *(flight.due for flight in self._flights.values())])

    def look(self, now: float) -> None:
        """Note that more may be asked for than before: ``tick`` is due, once for all that is noted till then."""
        self._plan_at = min(self._plan_at, now)

    def tick(self, now: float) -> list[Ask]:
        """Give up what takes too long, and ask for what is missing."""
        for peer in [peer for peer, flight in self._flights.items() if flight.due <= now]:
            self.failed(peer, self._flights[peer].pull, now)
        return self.plan(now)

    def plan(self, now: float) -> list[Ask]:
        """Ask for what is missing and may be asked for now."""
        self._plan_at = NEVER
        asked = {want.log_id for flight in self._flights.values() for want in flight.pull.wants}
        chosen: dict[PeerId, list[tuple[Want, Head]]] = {}
        for log_id in [log_id for log_id in self._members.behind if log_id not in asked]:
            holders = self._holders(log_id, now)
            free = [each for each in holders if len(chosen.get(each[0], ())) < MAX_WANTS]
            if free:
                peer, want, claim = self._rng.choice(free)
                chosen.setdefault(peer, []).append((want, claim))
        asks: list[Ask] = []
        for peer, wants in chosen.items():
            if (ask := self._ask(peer, wants, now)) is None:
                break
            asks.append(ask)
        return asks

    def awaits(self, peer: PeerId, pull: Pull) -> bool:
        """Whether the answer to a pull is waited for."""
        flight = self._flights.get(peer)
        return flight is not None and flight.pull == pull

    def settle(self, peer: PeerId, served: AbstractSet[LogId], now: float, *, more: bool) -> None:
        """End a pull with what came of it.

        Args:
            peer: Who answered.
            served: The logs of which something came that we could use or have by now.
            now: The time.
            more: The answer was cut at its bounds: what is missing says nothing.
        """
        flight = self._flights.pop(peer)
        if served:
            self._rests.pop(peer, None)
        else:
            self._rest(peer, now)
        for claim in flight.claims:
            if claim.log_id in served:
                self._members.behind.move_to_end(claim.log_id)  # those that the answer had no room for go before
            elif not (served and more):
                self._members.disprove(peer, claim)

    def failed(self, peer: PeerId, pull: Pull, now: float) -> None:
        """End a pull that was not answered."""
        if self.awaits(peer, pull):
            del self._flights[peer]
            self._rest(peer, now)

    def remove(self, peer: PeerId) -> None:
        """Forget a member that left."""
        self._flights.pop(peer, None)
        self._rests.pop(peer, None)

    # Details

    def _holders(self, log_id: LogId, now: float) -> list[tuple[PeerId, Want, Head]]:
        """Return who may be asked for a log now, for what, and relying on which claim."""
        seq = self._conversation.seq(log_id)
        claims = [(peer, claim) for peer, claim in self._members.claims(log_id) if claim.seq > seq]
        if not claims or not self._conversation.wants(log_id):
            del self._members.behind[log_id]
            return []
        if seq:
            claims = self._nearest(claims, seq + 1)
        ready: list[tuple[PeerId, Want, Head]] = []
        for peer, claim in claims:
            rest = self._rests.get(peer)
            if rest is not None and rest.until > now:
                self.look(rest.until)
            elif peer not in self._flights:
                start = max(claim.first, seq + 1 if seq else self._members.earliest(claim.seq))
                ready.append((peer, Want(log_id, start), claim))
        return ready

    def _nearest(self, claims: list[tuple[PeerId, Head]], wanted: int) -> list[tuple[PeerId, Head]]:
        """Return who holds the line wanted; if nobody does, who holds the one soonest after it."""
        trusted = [each for each in claims if self._failures(each[0]) < TRUSTED_FAILURES] or claims
        nearest = max(wanted, min(claim.first for _, claim in trusted))
        return [(peer, claim) for peer, claim in claims if max(claim.first, wanted) == nearest]

    def _ask(self, peer: PeerId, wants: list[tuple[Want, Head]], now: float) -> Ask | None:
        lines = sum(claim.seq - want.start + 1 for want, claim in wants)
        if not self._bucket.take(now, min(lines, MAX_PULLED_LINES)):
            self.look(now + PACE_SECONDS)
            return None
        pull = Pull(self._conversation.id, tuple(want for want, _ in wants))
        self._flights[peer] = _Flight(pull, tuple(claim for _, claim in wants), now + PULL_SECONDS)
        for want in pull.wants:
            self._members.behind.move_to_end(want.log_id)
        return Ask(peer, pull)

    def _rest(self, peer: PeerId, now: float) -> None:
        rest = self._rests.setdefault(peer, _Rest())
        rest.until = now + min(FIRST_REST_SECONDS * 2**rest.failures, MAX_REST_SECONDS)
        rest.failures = min(rest.failures + 1, 16)

    def _failures(self, peer: PeerId) -> int:
        return self._rests[peer].failures if peer in self._rests else 0
