"""A peer that never stops talking: history stays bounded, and whoever else says something is heard at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.conversation import MAX_HISTORY

from .lan import Lan, wait_until
from .load import elapse, meet
from .test_chat import Listener, end_of, said, talk

if TYPE_CHECKING:
    from pathlib import Path

FLOOD = 10_000
ASKED = 40
PACE_SECONDS = 0.25


def test_flood_of_one_peer_leaves_other_conversations_alone(work: Path) -> None:
    """10,000 lines in the lobby; meanwhile another peer talks with the same listener, in a room and alone."""
    with Lan(3) as lan:
        flooder, friend, listener = (lan.host(number, work / f"host{number}") for number in range(3))
        meet(flooder, friend, listener)
        for host in (friend, listener):
            host.run("chat", "join", "#films")
        direct, room = Listener(listener, "host1"), Listener(listener, "#films")
        flood = talk(flooder, "#lan", "flood", FLOOD, 0)
        wait_until(lambda: said(listener, "#lan"), 20, "it has begun")
        talkers = [talk(friend, where, where, ASKED, PACE_SECONDS) for where in ("host2", "#films")]
        for talker in talkers:
            end_of(talker)
        went_on = flood.poll() is None
        wait_until(lambda: len(direct.texts()) == len(room.texts()) == ASKED, 10, "all of it is heard")
        end_of(flood)
        wait_until(lambda: said(listener, "#lan")[-1]["text"] == f"flood {FLOOD}", 120, "the end of the flood")
        elapse(0.5)
        kept = said(listener, "#lan")

        delays = [line["kept_at"] - line["sent_at"] for line in (*direct.received(), *room.received())]
        print(f"\n{FLOOD} lines of one peer: {len(kept)} kept; beside them others were heard after", end=" ")
        print(f"{sorted(delays)[len(delays) // 2]:.3f} s, at most {max(delays):.3f} s")
        assert went_on, "the flood was to outlast the talk"
        assert direct.texts() == [f"host2 {number}" for number in range(1, ASKED + 1)]
        assert room.texts() == [f"#films {number}" for number in range(1, ASKED + 1)]
        assert len(kept) <= MAX_HISTORY
        assert max(delays) < 1
