"""Beacons between real network namespaces, whose interfaces come, go and change."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="namespaces need root and iproute2"
)

NODE = """
import asyncio, signal, sys
from random import Random
from peerterm.core.ids import PeerId
from peerterm.net.beacons import Beacons
from peerterm.net.interfaces import list_addresses
from peerterm.wire.beacon import Beacon, encode_beacon

own, only = sys.argv[1], tuple(sys.argv[2:])

def tell(*words):
    print(*words, flush=True)

async def main():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await Beacons(
        lambda: list_addresses(only),
        on_beacon=lambda beacon, host: tell(beacon.kind.name, beacon.peer_id[-1], host.partition("%")[0]),
        make_beacon=lambda kind: encode_beacon(Beacon(PeerId(own.zfill(64)), bytes(8), 1, 1, kind)),
        on_addresses_changed=lambda addresses: tell("addresses", *(a.host for a in addresses if not a.is_ipv6)),
        rng=Random(1),
    ).run()

try:
    asyncio.run(main())
except asyncio.CancelledError:
    tell("closed")
"""

ROOT = Path(__file__).parents[2]
numbers = count()


def ip(*words: str) -> None:
    """Run one command of iproute2."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Net:
    """Two namespaces, each with one end of a wire that is up and has an address."""

    def __init__(self) -> None:
        self.name = f"ptpres{os.getpid()}n{next(numbers)}"
        self.left, self.right = f"{self.name}l", f"{self.name}r"
        for space in (self.left, self.right):
            ip("netns", "add", space)

    def wire(self, name: str, subnet: str) -> None:
        """Join the two by a wire; its ends have the addresses .1 and .2."""
        ip("link", "add", name, "netns", self.left, "type", "veth", "peer", "name", name, "netns", self.right)
        for space, host in ((self.left, f"{subnet}.1"), (self.right, f"{subnet}.2")):
            ip("-n", space, "addr", "add", f"{host}/24", "dev", name)
            ip("-n", space, "link", "set", name, "up")

    def close(self) -> None:
        """Remove the namespaces, and the wires with them."""
        for space in (self.left, self.right):
            ip("netns", "del", space)


@pytest.fixture
def net() -> Iterator[Net]:
    """Return two namespaces, joined by nothing yet."""
    made = Net()
    yield made
    made.close()


class Node:
    """A process that announces and hears in one namespace, and says what it hears."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def until(self, line: str) -> list[str]:
        """Read what the process says up to a line; return all of it."""
        assert self.process.stdout is not None
        said: list[str] = []
        try:
            async with asyncio.timeout(15):
                while line not in said:
                    text = await self.process.stdout.readline()
                    assert text, f"ended after {said}"
                    said.append(text.decode().strip())
        except TimeoutError:
            pytest.fail(f"{line!r} is not in {said}")
        return said


@asynccontextmanager
async def node(space: str, own: str, *only: str) -> AsyncIterator[Node]:
    """Run a node in a namespace until the block ends, then stop it cleanly."""
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", space, sys.executable, "-c", NODE, own, *only),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    running = Node(process)
    try:
        yield running
        process.terminate()
        await running.until("closed")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_two_machines_hear_each_other_and_the_bye(net: Net) -> None:
    """Beacons cross the wire both ways, over both families, and so does the bye of a clean stop."""
    net.wire("w0", "10.77.0")
    async with node(net.left, "a") as left:
        async with node(net.right, "b") as right:
            await left.until("HELLO b 10.77.0.2")
            await right.until("HELLO a 10.77.0.1")
            while not any(line.startswith("HELLO a fe80:") for line in await right.until("HELLO a 10.77.0.1")):
                pass
        said = await left.until("BYE b 10.77.0.2")

    assert "BYE a 10.77.0.1" not in said


async def test_two_engines_of_one_machine_hear_each_other(net: Net) -> None:
    """Without loopback they meet over the wire's address, as both share the port."""
    net.wire("w0", "10.77.0")
    async with node(net.left, "a") as one, node(net.left, "b") as two:
        await one.until("HELLO b 10.77.0.1")
        said = await two.until("HELLO a 10.77.0.1")

    assert said[0] == "addresses 10.77.0.1"


async def test_machine_without_network_finds_it_later(net: Net) -> None:
    """Started before there is any interface, an engine is heard soon after one comes up."""
    async with node(net.left, "a") as left:
        await left.until("addresses")
        net.wire("w0", "10.77.0")
        async with node(net.right, "b") as right:
            await left.until("addresses 10.77.0.1")
            await left.until("HELLO b 10.77.0.2")
            said = await right.until("HELLO a 10.77.0.1")

    assert said


async def test_new_address_is_announced(net: Net) -> None:
    """After its address changed a machine is heard from the new one."""
    net.wire("w0", "10.77.0")
    async with node(net.left, "a") as left, node(net.right, "b") as right:
        await left.until("HELLO b 10.77.0.2")
        ip("-n", net.right, "addr", "del", "10.77.0.2/24", "dev", "w0")
        ip("-n", net.right, "addr", "add", "10.77.0.9/24", "dev", "w0")
        await right.until("addresses 10.77.0.9")
        await left.until("HELLO b 10.77.0.9")
        said = await right.until("HELLO a 10.77.0.1")

    assert "HELLO b 10.77.0.2" not in said


async def test_interface_goes_and_comes_back(net: Net) -> None:
    """An interface that is unplugged and plugged in again is used again, even one that was asked for by name."""
    net.wire("w0", "10.77.0")
    async with node(net.left, "a", "w0") as left, node(net.right, "b", "w0") as right:
        await left.until("HELLO b 10.77.0.2")
        ip("-n", net.left, "link", "del", "w0")
        await left.until("addresses")
        await right.until("addresses")
        net.wire("w0", "10.77.0")
        await left.until("HELLO b 10.77.0.2")
        said = await right.until("HELLO a 10.77.0.1")

    assert said[-1] == "HELLO a 10.77.0.1"


async def test_restriction_holds_on_a_machine_with_two_networks(net: Net) -> None:
    """An engine restricted to one wire neither hears nor is heard over the other."""
    net.wire("w0", "10.77.0")
    net.wire("w1", "10.77.1")
    async with AsyncExitStack() as stack:
        left = await stack.enter_async_context(node(net.left, "a", "w0"))
        await stack.enter_async_context(node(net.right, "b", "w1"))
        both = await stack.enter_async_context(node(net.right, "c"))
        heard_by_left = await left.until("HELLO c 10.77.0.2") + await left.until("HELLO c 10.77.0.2")
        heard_by_both = await both.until("HELLO a 10.77.0.1")

    assert not any(line.startswith("HELLO b") for line in heard_by_left)
    assert not any(line.endswith(("10.77.1.1", "10.77.1.2")) for line in heard_by_left)
    assert "HELLO a 10.77.1.1" not in heard_by_both
