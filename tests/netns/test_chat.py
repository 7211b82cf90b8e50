"""Conversations between real engines: through kills and absences, over a third one, and for who comes late."""

from __future__ import annotations

import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from .lan import Lan, run, wait_until
from .load import elapse, meet

if TYPE_CHECKING:
    from .lan import Host

TALKER = Path(__file__).parent / "talker.py"
RELAY = Path(__file__).parent / "relay.py"

MESSAGES = 1000
KILLS = 10
LONGEST_RUN = 4.0
"""Seconds between the start of an engine and its next kill, at most."""
TALK_SECONDS = 0.035
"""Least time for each message, so that the talking outlasts the kills."""

ASKED = 20
MORE = 250
LATE_LINES = 200
"""So many lines of each log get to somebody who was not there when they were said."""


class Listener:
    """What ``chat follow --json`` prints on a host, from the first message; it ends with the LAN at the latest."""

    def __init__(self, host: Host, where: str) -> None:
        self._out = host.home / f"said-{len(host.lan.processes)}"
        self._err = self._out.with_suffix(".err")
        command = host.command("chat", "follow", where, "-n", 1000, "--json")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            process = subprocess.Popen(command, env=host.environment, stdout=out, stderr=err, text=True)
        host.lan.processes.append(process)

    def received(self) -> list[dict[str, Any]]:
        """Return what others said so far, in the order in which it was printed."""
        lines = map(json.loads, self._out.read_text().rpartition("\n")[0].splitlines())
        return [line for line in lines if line["state"] == "received"]

    def texts(self) -> list[str]:
        """Return the texts of those."""
        return [line["text"] for line in self.received()]

    def talk(self) -> str:
        """Return what it said to people."""
        return self._err.read_text()


def ids(host: Host) -> dict[str, str]:
    """Return the peer ids that a host knows, by name."""
    return {peer["name"]: peer["peer_id"] for peer in host.json("peers")}


def said(host: Host, where: str) -> list[dict[str, Any]]:
    """Return all that a host keeps of a conversation."""
    lines: list[dict[str, Any]] = []
    while page := host.json("chat", "log", where, "-n", 1000, "--before", lines[0]["id"] if lines else ""):
        lines = page + lines
    return lines


def states(host: Host, where: str) -> set[str]:
    """Return how far the messages of a conversation got."""
    return {line["state"] for line in said(host, where)}


def talk(host: Host, where: str, prefix: str, count: int, seconds: float) -> subprocess.Popen[str]:
    """Let a host say many things."""
    return host.popen(where, prefix, count, seconds, script=TALKER)


def end_of(talker: subprocess.Popen[str]) -> str:
    """Wait until all is said; return what the talker printed."""
    out, err = talker.communicate(timeout=120)
    assert talker.returncode == 0, err
    return out.strip()


def firewall(lan: Lan, one: int, other: int) -> None:
    """Let two hosts drop whatever comes from each other."""
    for host, peer in ((one, other), (other, one)):
        rules = (
            "add table inet wall",
            "add chain inet wall in { type filter hook input priority 0; }",
            f"add rule inet wall in ip saddr {lan.address(peer)} drop",
        )
        run("ip", "netns", "exec", lan.namespace(host), "nft", "; ".join(rules))


@pytest.mark.endurance
def test_two_thousand_messages_through_twenty_kills(work: Path) -> None:
    """1,000 messages each way, each engine killed 10 times meanwhile: all arrive, once, in their sender's order."""
    with Lan(2) as lan:
        hosts = [lan.host(number, work / f"host{number}") for number in range(2)]
        meet(*hosts)
        others = [ids(hosts[0])["host1"], ids(hosts[1])["host0"]]
        listeners = [Listener(host, other) for host, other in zip(hosts, others, strict=True)]
        talkers = [
            talk(host, other, f"from {host.number}:", MESSAGES, TALK_SECONDS)
            for host, other in zip(hosts, others, strict=True)
        ]
        began = time.monotonic()

        def kill_often(host: Host) -> None:
            moments = Random(f"host {host.number}")
            for _ in range(KILLS):
                elapse(moments.uniform(0.1, LONGEST_RUN))
                assert host.process
                assert host.process.poll() is None, host.log()
                host.kill()
                host.start()

        with ThreadPoolExecutor() as threads:
            list(threads.map(kill_often, hosts))
        killing = time.monotonic() - began
        losses = [end_of(talker) for talker in talkers]
        talking = time.monotonic() - began
        expected = [[f"from {number}: {each}" for each in range(1, MESSAGES + 1)] for number in (1, 0)]
        for listener in listeners:
            wait_until(lambda one=listener: len(one.texts()) >= MESSAGES, 60, "all are there")  # type: ignore[misc]
        settled = time.monotonic() - began - talking

        print(f"\n{MESSAGES} messages each way in {talking:.0f} s, {KILLS} kills of each engine in {killing:.0f} s")
        print(f"killed while it took a message: {', '.join(losses)} times; all there {settled:.2f} s after")
        assert killing < talking, "the talking was to last longer than the kills"
        for host, other, listener, texts in zip(hosts, others, listeners, expected, strict=True):
            wait_until(lambda at=host, to=other: states(at, to) == {"received", "delivered"}, 20)  # type: ignore[misc]
            kept = said(host, other)
            assert listener.texts() == texts
            assert [line["text"] for line in kept if line["state"] == "received"] == texts
            assert len(kept) == 2 * MESSAGES
            assert 0 < listener.talk().count("the engine is back") <= KILLS  # some runs are too short to be noticed


def test_what_waits_for_a_peer_is_there_as_soon_as_both_are_online(work: Path) -> None:
    """What was said to a peer that was away gets there within 2 s, though both engines restarted since."""
    with Lan(2) as lan:
        here, there = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(here, there)
        there.stop()
        texts = ["are you there?", "two lines\nof text", "call me"]
        at_once = [here.json("chat", "send", "host1", text)["state"] for text in texts]
        here.stop()
        here.start()
        at_once.append(here.json("chat", "send", "host1", "said after the restart")["state"])
        watcher = here.watch()
        there.start()
        watcher.wait_for("peer_joined", 15)
        online_at = time.monotonic()
        wait_until(lambda: len(watcher.seen("messages_moved")) > 0, 10, "delivered")
        delivered = time.monotonic() - online_at
        wait_until(lambda: len(said(there, "host0")) == len(at_once), 10, "all are there")
        kept = said(there, "host0")
        there.run("chat", "read", "host0")
        wait_until(lambda: states(here, "host1") == {"read"}, 10, "read")

        print(f"\n{len(kept)} queued messages delivered {delivered:.2f} s after both were online")
        assert set(at_once) == {"queued"}
        assert [line["text"] for line in kept] == [*texts, "said after the restart"]
        assert delivered < 2


def test_a_room_holds_together_over_a_third(work: Path) -> None:
    """A and C cannot reach each other: through B they talk in 0.5 s; D comes late and gets the last 200 lines."""
    with Lan(4, has_ipv6=False) as lan:
        firewall(lan, 0, 2)
        a, b, c, late = (lan.host(number, work / f"host{number}", name="abcd"[number]) for number in range(4))
        for host in (a, b, c):
            host.start()
        b.run("peers", "--wait", 2, "--timeout", 15)
        wait_until(lambda: a.online() == {"b"} and c.online() == {"b"}, 15)
        at_a, at_c = Listener(a, "#lan"), Listener(c, "#lan")
        for talker in (talk(a, "#lan", "a", ASKED, 0.25), talk(c, "#lan", "c", ASKED, 0.25)):
            end_of(talker)
        wait_until(lambda: len(at_a.texts()) == len(at_c.texts()) == ASKED, 10, "both heard all")
        lags = [[line["kept_at"] - line["sent_at"] for line in each.received()] for each in (at_a, at_c)]
        print(f"\nC to A took {max(lags[0]):.3f} s at most, A to C {max(lags[1]):.3f} s ({ASKED} each, through B)")
        assert at_a.texts() == [f"c {number}" for number in range(1, ASKED + 1)]
        assert at_c.texts() == [f"a {number}" for number in range(1, ASKED + 1)]
        assert {line["sender_name"] for line in at_c.received()} == {"a"}
        assert max(map(max, lags)) < 0.5

        end_of(talk(a, "#lan", "more", MORE, 0))
        wait_until(lambda: len(at_c.texts()) == ASKED + MORE, 30, "C has all of it")
        a.stop()
        late.start()
        late.run("peers", "--wait", 2, "--timeout", 15)
        online_at = time.monotonic()
        wait_until(lambda: len(said(late, "#lan")) >= LATE_LINES + ASKED, 10, "the last lines")
        seconds = time.monotonic() - online_at
        print(
            f"D, which came when A was gone, had A's last {LATE_LINES} lines {seconds:.2f} s after it met B and C"
        )
        kept = [line["text"] for line in said(late, "#lan")]
        assert [text for text in kept if not text.startswith("c")] == [
            f"more {number}" for number in range(MORE - LATE_LINES + 1, MORE + 1)
        ]
        assert [text for text in kept if text.startswith("c")] == [f"c {number}" for number in range(1, ASKED + 1)]


def test_relay_that_alters_forges_and_replays_is_refused(work: Path) -> None:
    """What A says reaches C over a hostile B, as A said it and once; B's lies are shown nowhere, and noted."""
    with Lan(3, has_ipv6=False) as lan:
        firewall(lan, 0, 2)
        a, b, c = (lan.host(number, work / f"host{number}", name="abc"[number]) for number in range(3))
        a.start()
        c.start()
        b.start(script=RELAY)
        b.run("peers", "--wait", 2, "--timeout", 15)
        wait_until(lambda: a.online() == {"b"} and c.online() == {"b"}, 15)
        for host in (b, c):
            host.run("chat", "join", "#other")
        at_c, elsewhere = Listener(c, "#lan"), Listener(c, "#other")
        end_of(talk(a, "#lan", "a", ASKED, 0.25))
        wait_until(lambda: len(at_c.texts()) >= ASKED, 10, "C heard all")
        b.run("chat", "send", "#lan", "the end")
        wait_until(lambda: "the end" in at_c.texts(), 10, "C heard the end")
        kept = [(line["sender_name"], line["text"]) for line in said(c, "#lan")]
        log = (c.home / "profile" / "peerterm.log").read_text()
        refused = re.findall(r"line refused peer=(\w+) author=(\w+) reason='([a-z ]+)'", log)
        b_id, a_id = ids(c)["b"], a.json("id")["peer_id"]

        print(f"\n{ASKED} lines over a relay that lies: all there, once; refused {refused}")
        assert kept == [*(("a", f"a {number}") for number in range(1, ASKED + 1)), ("b", "the end")]
        assert at_c.texts() == [text for _, text in kept]
        assert elsewhere.texts() == []
        assert said(c, "#other") == []
        assert {reason for _, _, reason in refused} >= {"forged", "replayed"}
        assert {(peer, author) for peer, author, _ in refused} == {(b_id[:8], a_id[:8])}
        assert len(refused) <= 4, "each is noted once"
