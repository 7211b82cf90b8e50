"""Rate limits that hold while transfers run, and an uplink that is shared fairly."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

import pytest

from .lan import Lan
from .load import MIB, Meter, begin, elapse, meet, narrow, received, shape, until_received, view
from .trees import make_file

if TYPE_CHECKING:
    from pathlib import Path

    from .lan import Host

pytestmark = pytest.mark.endurance

SETTLE_SECONDS = 2.0
MEASURED_SECONDS = 5

TURNS_SECONDS = 2.0
"""How long a seed takes beyond that to find out whether turns are cheap."""

TURNS_MEASURED_SECONDS = 7
"""Long beside what the queues of the link hold, and over before the seed looks again."""

CHECKED_SECONDS = 25
"""Long enough for the seed to look once more whether a slow receiver takes what the other leaves."""


def steady(meter: Meter, *hosts: Host, seconds: int = MEASURED_SECONDS) -> list[list[float]]:
    """Let a change settle; return what then reaches each host in each second, in MiB."""
    elapse(SETTLE_SECONDS)
    measured = meter.rates(seconds, *(host.number for host in hosts))
    return [[each / MIB for each in rates] for rates in measured]


def show(what: str, rates: list[float], wanted: float) -> None:
    """Print measured rates."""
    steps = " ".join(f"{rate:.2f}" for rate in rates)
    print(f"{what}: {mean(rates):.2f} MiB/s, {mean(rates) / wanted - 1:+.1%} (by the second: {steps})")


def test_limits_hold_while_running(work: Path) -> None:
    """Limits of the engine, of one transfer and of the sender each hold within 5 %, 2 s after they are set."""
    film = make_file(work / "share" / "film.mkv", 800 * MIB)
    with Lan(2) as lan, Meter(lan, 1) as meter:
        shape(lan, 0, "400mbit")
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        before = received(lan, 1)
        transfer_id = begin(leech, seed.json("share", film)[0]["root"])
        until_received(lan, 1, 40 * MIB)
        print()

        leech.run("limit", "--down", "10MiB")
        (down,) = steady(meter, leech)
        show("limit --down 10MiB", down, 10)

        leech.run("limit", "--down", "6MiB", transfer_id)
        leech.run("limit", "--down", "0")
        (one,) = steady(meter, leech)
        show("limit --down 6MiB of the transfer", one, 6)
        assert view(leech, transfer_id)["limit"] == 6 * MIB

        seed.run("limit", "--up", "14MiB")
        leech.run("limit", "--down", "0", transfer_id)
        (up,) = steady(meter, leech)
        show("limit --up 14MiB of the sender", up, 14)

        seed.run("limit", "--up", "0")
        (free,) = steady(meter, leech)
        show("no limit", free, 400e6 / 8 / MIB)
        row = view(leech, transfer_id)
        print(
            f"the cable carried {(received(lan, 1) - before) / max(row['bytes'], 1):.3f} bytes for each of content"
        )

        for rates, wanted in ((down, 10), (one, 6), (up, 14)):
            assert abs(mean(rates) / wanted - 1) <= 0.05
        assert mean(free) > 20


def test_receivers_of_one_seed_get_equal_shares(work: Path) -> None:
    """Two receivers get the same of what a seed may send, or can, however much each one asks for."""
    sizes = (400 * MIB, 400 * MIB, 200 * MIB, 200 * MIB)
    films = [make_file(work / "share" / f"film {number}", size, number) for number, size in enumerate(sizes)]
    with Lan(3) as lan, Meter(lan, 1, 2) as meter:
        shape(lan, 0, "200mbit")
        seed, one, two = (lan.host(number, work / f"host{number}") for number in range(3))
        meet(seed, one, two)
        roots = [share["root"] for share in seed.json("share", *films)]
        begin(one, roots[0])
        begin(two, roots[1])
        elapse(TURNS_SECONDS)
        pairs = [("a link of 200 Mbit/s", steady(meter, one, two, seconds=TURNS_MEASURED_SECONDS))]
        seed.run("limit", "--up", "12MiB")
        pairs.append(("a limit of 12 MiB/s", steady(meter, one, two)))
        for root in roots[2:]:
            begin(two, root)
        pairs.append(("the same, one transfer against three", steady(meter, one, two)))

    print()
    for what, (first, second) in pairs:
        print(f"{what}: {mean(first):.2f} and {mean(second):.2f} MiB/s, {mean(first) / mean(second):.3f}")
    for _, (first, second) in pairs:
        assert abs(mean(first) / mean(second) - 1) <= 0.10
    assert sum(map(mean, pairs[0][1])) > 0.9 * 200e6 / 8 / MIB


def test_slow_receiver_costs_others_little(work: Path) -> None:
    """Beside a receiver behind a link of 10 Mbit/s another one gets nearly what it gets alone."""
    films = [
        make_file(work / "share" / f"film {number}", size, number)
        for number, size in enumerate((900 * MIB, 60 * MIB))
    ]
    with Lan(3) as lan, Meter(lan, 1, 2) as meter:
        shape(lan, 0, "200mbit")
        narrow(lan, 2, "10mbit")
        seed, fast, slow = (lan.host(number, work / f"host{number}") for number in range(3))
        meet(seed, fast, slow)
        roots = [share["root"] for share in seed.json("share", *films)]
        begin(fast, roots[0])
        (alone,) = steady(meter, fast)
        begin(slow, roots[1])
        (beside, narrowed) = steady(meter, fast, slow, seconds=CHECKED_SECONDS)

    print()
    show("beside a slow receiver", beside, mean(alone))
    show("the slow one", narrowed, 10e6 / 8 / MIB)
    assert mean(beside) >= 0.85 * mean(alone)
    assert mean(narrowed) >= 0.8 * 10e6 / 8 / MIB
