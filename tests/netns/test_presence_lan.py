"""How machines find each other when the network is not as simple as it should be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .lan import Lan, wait_until
from .trees import make_file, sha256

if TYPE_CHECKING:
    import subprocess

    from .lan import Host

MIB = 1 << 20
HERE = Path(__file__).parent
BEACON_SECONDS = 6.0
"""The longest time between two beacons of one engine."""


def start_all(lan: Lan, work: Path, *words: object) -> list[Host]:
    """Start an engine on every host and return when all see all."""
    hosts = [lan.host(number, work / f"host{number}").start(*words) for number in range(lan.hosts)]
    for host in hosts:
        host.run("peers", "--wait", len(hosts) - 1, "--timeout", "10")
    return hosts


def read_until(process: subprocess.Popen[str], line: str) -> None:
    """Read what a helper prints up to a line."""
    assert process.stdout
    assert any(text.strip() == line for text in process.stdout), f"ended without {line!r}"


def test_engine_started_before_its_network_finds_the_others(work: Path) -> None:
    """An engine whose interface is down at its start meets the others soon after it comes up."""
    with Lan(2) as lan:
        lan.ip(1, "link", "set", "e0", "down")
        early = lan.host(1, work / "host1").start()
        other = lan.host(0, work / "host0").start()
        watcher = early.watch()
        assert early.online() == set()
        lan.ip(1, "link", "set", "e0", "up")
        up_at = time.monotonic()
        watcher.wait_for("peer_joined", 10, name="host0")

        print(f"\nfound {time.monotonic() - up_at:.2f} s after the interface came up")
        assert other.online() == {"host1"}


def test_new_address_keeps_peer_and_transfer(work: Path) -> None:
    """A source that gets a new address is back as the same peer within 10 s, and the transfer from it goes on."""
    film = make_file(work / "share" / "film.mkv", 200 * MIB)
    with Lan(2, uplink="150mbit", has_ipv6=False) as lan:
        leech, seed = start_all(lan, work)
        seed.run("share", film)
        before = leech.json("peers")
        watcher = leech.watch()
        getting = leech.popen("get", "host1/film.mkv", "--json")
        wait_until(lambda: any(row["bytes"] > 20 * MIB for row in leech.json("transfers")), 30)
        new = lan.address(100)
        lan.ip(1, "addr", "del", f"{lan.address(1)}/24", "dev", "e0")
        lan.ip(1, "addr", "add", f"{new}/24", "brd", "+", "dev", "e0")
        changed_at = time.monotonic()
        moved = watcher.wait_for("peer_address_changed", 10, name="host1")
        seconds = time.monotonic() - changed_at
        out, err = getting.communicate(timeout=60)

        print(f"\nthe same peer at {moved['peer']['address']} after {seconds:.2f} s")
        assert moved["peer"]["peer_id"] == before[0]["peer_id"]
        assert len(leech.json("peers")) == 1
        assert getting.returncode == 0, err
        assert sha256(Path(json.loads(out)["path"])) == sha256(film)


def test_machine_on_two_lans_is_seen_by_both_and_joins_neither_to_the_other(work: Path) -> None:
    """Both LANs see the machine between them; its gossip makes nobody dial for ever what cannot be reached."""
    with Lan(2) as left, Lan(1) as right:
        right.adopt(left, 0)
        left.ip(1, "route", "add", "default", "via", left.address(0))  # so that a dial would leave
        middle = left.host(0, work / "middle", name="middle").start()
        one = left.host(1, work / "left", name="left", log_level="debug").start()
        two = right.host(0, work / "right", name="right", log_level="debug").start()
        for host, count in ((one, 1), (two, 1), (middle, 2)):
            host.run("peers", "--wait", count, "--timeout", "10")
        sniffer = one.popen("e0", script=HERE / "sniff.py")
        read_until(sniffer, "ready")
        seen_at = time.monotonic()
        wait_until(lambda: time.monotonic() - seen_at > 15, 16)
        sniffer.terminate()
        lines = sniffer.communicate()[0].splitlines()
        stray = [line for line in lines if line.startswith(f"tcp {right.address(0)} ")]

        print(f"\n{len(stray)} packets in 15 s towards the peer that cannot be reached")
        assert one.online() == {"middle"}
        assert two.online() == {"middle"}
        assert middle.online() == {"left", "right"}
        assert len(stray) <= 8  # one dial, whose SYN the kernel repeats
        assert one.log().count(f"host={right.address(0)}") <= 1


def test_lan_without_ipv4_works(work: Path) -> None:
    """With link-local IPv6 addresses only, machines find each other and fetch."""
    film = make_file(work / "share" / "film.mkv", 20 * MIB)
    with Lan(3, has_ipv4=False) as lan:
        hosts = start_all(lan, work)
        hosts[0].run("share", film)
        got = hosts[2].json("get", "host0/film.mkv")

        assert all(":" in peer["address"] for peer in hosts[2].json("peers"))
        assert sha256(Path(got["path"])) == sha256(film)


def test_named_peer_suffices_where_nothing_is_flooded(work: Path) -> None:
    """Where broadcast and multicast are dropped, --peer on one machine joins it to others, and those by gossip."""
    with Lan(4) as lan:
        lan.stop_flooding()
        hosts = [lan.host(number, work / f"host{number}") for number in range(4)]
        for host in hosts[1:]:
            host.start()
        waited_at = time.monotonic()
        wait_until(lambda: time.monotonic() - waited_at > BEACON_SECONDS, 7)
        assert [host.online() for host in hosts[1:]] == [set(), set(), set()]
        named = [word for number in (1, 2, 3) for word in ("--peer", f"{lan.address(number)}:47470")]
        hosts[0].start(*named)
        started_at = time.monotonic()
        for host in hosts:
            host.run("peers", "--wait", "3", "--timeout", "15")

        print(f"\nall see all {time.monotonic() - started_at:.2f} s after the one that names the others was ready")
        assert hosts[3].online() == {"host0", "host1", "host2"}


def test_restart_is_one_peer_that_restarted(work: Path) -> None:
    """An engine stopped or killed and started again is told as restarted, and stays one line in the list."""
    with Lan(2) as lan:
        watching, other = start_all(lan, work)
        stopped, killed = watching.watch(), watching.watch()
        other.stop()
        stopped.wait_for("peer_left", 5, name="host1")
        other.start()
        stopped.wait_for("peer_restarted", 10, name="host1")
        other.kill()
        other.start()
        wait_until(lambda: len(killed.seen("peer_restarted", name="host1")) == 2, 10)

        peers = watching.json("peers")
        assert [(peer["name"], peer["state"]) for peer in peers] == [("host1", "online")]


def test_new_name_is_told(work: Path) -> None:
    """An engine that comes back with another --name is told as renamed, with the old name."""
    with Lan(3) as lan:
        hosts = start_all(lan, work)
        watchers = [host.watch() for host in hosts[:2]]
        hosts[2].stop()
        hosts[2].start("--name", "workshop")
        events = [watcher.wait_for("peer_renamed", 10, name="workshop") for watcher in watchers]

        assert [event["old_name"] for event in events] == ["host2", "host2"]
        assert hosts[0].online() == {"host1", "workshop"}


def test_twelve_engines_see_each_other(work: Path) -> None:
    """Twelve engines started together all see all within two beacon periods."""
    with Lan(12) as lan:
        hosts = [lan.host(number, work / f"host{number}").start(wait=False) for number in range(12)]
        for host in hosts:
            host.run("status", "--wait", "30", "--no-start")
        ready_at = time.monotonic()
        for host in hosts:
            host.run("peers", "--wait", "11", "--timeout", 2 * BEACON_SECONDS)
        seconds = time.monotonic() - ready_at

        print(f"\nall twelve list the other eleven {seconds:.2f} s after the last was ready (12 commands included)")
        assert all(len(host.online()) == 11 for host in hosts[:3])
        assert seconds < 2 * BEACON_SECONDS


def test_engine_whose_port_is_taken_is_found_all_the_same(work: Path) -> None:
    """Where another program holds port 47470, TCP and UDP, the engine takes another and everyone finds it."""
    film = make_file(work / "share" / "film.mkv", 5 * MIB)
    with Lan(3) as lan:
        hosts = [lan.host(number, work / f"host{number}") for number in range(3)]
        occupant = hosts[0].popen(47470, script=HERE / "occupant.py")
        read_until(occupant, "ready")
        for host in hosts:
            host.start()
        for host in hosts:
            host.run("peers", "--wait", "2", "--timeout", "15")
        hosts[0].run("share", film)
        got = hosts[1].json("get", "host0/film.mkv")

        assert hosts[0].json("status")["port"] != 47470
        assert hosts[1].json("status")["port"] == 47470
        assert got["state"] == "done"


def test_two_profiles_on_one_host_see_each_other_and_everyone(work: Path) -> None:
    """Two engines of one machine, both on its interface, are two peers to everyone and to each other."""
    with Lan(2) as lan:
        first = lan.host(0, work / "first", name="first", interface="e0").start()
        second = lan.host(0, work / "second", name="second", interface="e0").start()
        other = lan.host(1, work / "other", name="other").start()
        for host in (first, second, other):
            host.run("peers", "--wait", "2", "--timeout", "15")

        assert first.online() == {"second", "other"}
        assert second.online() == {"first", "other"}
        assert other.online() == {"first", "second"}


def test_engines_on_loopback_say_nothing_to_the_network(work: Path) -> None:
    """Engines restricted to lo see each other; no datagram and no connection of theirs leaves by e0."""
    with Lan(2) as lan:
        other = lan.host(1, work / "other", name="other").start()
        alone = [lan.host(0, work / name, name=name, interface="lo") for name in ("first", "second")]
        sniffer = other.popen("e0", script=HERE / "sniff.py")
        inner = alone[0].popen("e0", script=HERE / "sniff.py")
        for process in (sniffer, inner):
            read_until(process, "ready")
        named = f"{lan.address(1)}:47470"
        alone[0].start("--peer", named)
        alone[1].start()
        for host in alone:
            host.run("peers", "--wait", "1", "--timeout", "10")
        started_at = time.monotonic()
        wait_until(lambda: time.monotonic() - started_at > 2 * BEACON_SECONDS, 13)
        alone[1].stop()
        for process in (sniffer, inner):
            process.terminate()
        heard = [line for line in sniffer.communicate()[0].splitlines() if line.startswith("udp")]

        assert alone[0].online() == set()
        assert other.json("peers") == []
        assert len(heard) >= 3  # the capture works: the other's own beacons are in it
        assert inner.communicate()[0] == ""
