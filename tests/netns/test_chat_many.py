"""Thirty engines on thirty hosts in one room: how long a message takes to all, and how often it is sent."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from contextlib import AsyncExitStack, aclosing
from random import Random
from statistics import mean, median
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.api.events import MessageAdded
from peerterm.control.client import RemoteEngine
from peerterm.core.circle import FANOUT
from peerterm.paths import Paths

from .lan import Lan, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from .lan import Host

HOSTS = 30
MESSAGES = 20
PAUSE_SECONDS = 0.5
MOST_SECONDS = 1.0
EXTRA_SENDS = 4
"""How often a host sends a message at most besides ``FANOUT`` pushes: to those who ask for what they missed."""

SENT = re.compile(r"line sent peer=\w+ author=(\w+) log=(\w+) seq=(\d+)")
START_SECONDS = 120


async def followed(engine: RemoteEngine, heard: dict[str, list[float]]) -> None:
    """Note when each message of others came, until cancelled."""
    async with aclosing(cast("AsyncGenerator[object, None]", engine.events())) as events:
        async for event in events:
            if isinstance(event, MessageAdded) and event.message.state == "received":
                heard.setdefault(event.message.text, []).append(time.perf_counter())


async def spoken(hosts: list[Host]) -> list[float]:
    """Let hosts at random say something; return how long each message took until the last of the others had it."""
    rng = Random(30)
    heard: dict[str, list[float]] = {}
    seconds = []
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(
                await RemoteEngine.connect(Paths.resolve(None, host.environment).socket)
            )
            for host in hosts
        ]
        following = [asyncio.create_task(followed(engine, heard)) for engine in engines]
        for number in range(MESSAGES):
            await asyncio.sleep(PAUSE_SECONDS)
            text, began = f"message {number}", time.perf_counter()
            await rng.choice(engines).say("#lan", text)
            async with asyncio.timeout(10):
                while len(heard.get(text, ())) < HOSTS - 1:
                    await asyncio.sleep(0.01)
            seconds.append(heard[text][-1] - began)
        for task in following:
            task.cancel()
        await asyncio.wait(following)
    assert {len(times) for times in heard.values()} == {HOSTS - 1}
    return seconds


def sends_of(host: Host) -> Counter[tuple[str, ...]]:
    """Return how often a host sent each message, pushed or asked for, as it says itself."""
    return Counter(SENT.findall((host.home / "profile" / "peerterm.log").read_text()))


@pytest.mark.endurance
def test_message_reaches_thirty_hosts_within_a_second(work: Path) -> None:
    """And no host sends it more than a few times, however many there are."""
    with Lan(HOSTS) as lan:
        hosts = [lan.host(number, work / f"host{number}", log_level="debug") for number in range(HOSTS)]
        began = time.monotonic()
        for host in hosts:
            host.start(wait=False)
        for host in hosts:
            host.run("peers", "--wait", HOSTS - 1, "--timeout", START_SECONDS, timeout=2 * START_SECONDS)
        wait_until(lambda: len(hosts[0].json("chat", "rooms")[0]["members"]) == HOSTS - 1, 30, "all are members")
        together = time.monotonic() - began
        seconds = asyncio.run(spoken(hosts))
        sends = [sends_of(host) for host in hosts]

    counts = [each for sent in sends for each in sent.values()]
    total = mean(sum(sent.values()) for sent in sends) / MESSAGES
    print(f"\n{HOSTS} engines on one machine, all linked {together:.0f} s after the first was started")
    print(f"{MESSAGES} messages reached all: median {median(seconds):.3f} s, at most {max(seconds):.3f} s")
    print(f"a host sends a message {total:.2f} times, at most {max(counts)}")
    assert len({message for sent in sends for message in sent}) == MESSAGES
    assert max(seconds) < MOST_SECONDS
    assert max(counts) <= FANOUT + EXTRA_SENDS
