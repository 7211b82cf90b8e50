"""What clients see of one download: bounded, whoever claims to have it, and true about its time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.api.views import ENDED
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import PeerId, Root, TransferId
from peerterm.core.life import Life, State
from peerterm.engine import transfer as module
from peerterm.engine.order import Order, Surroundings
from peerterm.engine.transfer import Transfer
from peerterm.engine.transfer_view import MAX_SOURCES
from peerterm.wire.messages import HaveUpdate
from tests.fakes.engines import MIB, noise, running, until_online
from tests.fakes.fake_peer import fake_peer
from tests.fakes.fetching import finished, transfer_when

if TYPE_CHECKING:
    from peerterm.engine.attempt import Attempt

pytestmark = pytest.mark.usefixtures("settled")

CROWD = [PeerId(f"{number:064x}") for number in range(3 * MAX_SOURCES)]


def fake_attempt() -> Attempt:
    """Return an attempt with a crowd of sources, each of which gave more than the one before."""
    sources = {
        peer: SimpleNamespace(verified_bytes=number, strikes=0, is_present=True)
        for number, peer in enumerate(CROWD)
    }
    machine = SimpleNamespace(sources=sources, wasted_bytes=0)
    exchange = SimpleNamespace(rate=0.0, rate_of=lambda _: 0.0, is_over=False)
    fetching = SimpleNamespace(machine=machine, exchange=exchange)
    return cast("Attempt", SimpleNamespace(fetching=fetching, local_bytes=0))


@pytest.fixture
def transfer() -> Transfer:
    """Return a download that runs."""
    entry = CatalogEntry(("film.mkv",), "file", 1, 1, Root(b"r" * 32))
    order = Order(TransferId("01234567"), "anna/film.mkv", entry, Path("/downloads"))
    return Transfer(order, cast("Surroundings", SimpleNamespace(name_of=str)), Life(State.RUNNING))


def test_clients_know_which_states_are_the_end() -> None:
    """The contract with clients and the life of a transfer agree on them."""
    assert {state for state in State if Life(state).is_over} == ENDED


async def test_crowd_of_sources_is_not_listed(transfer: Transfer) -> None:
    """Of more than anybody can use, those that gave most are shown, in the order in which they came."""
    transfer.attempt = fake_attempt()

    assert [source.peer_id for source in transfer.view().sources] == CROWD[-MAX_SOURCES:]


async def test_crowd_of_sources_is_not_remembered(transfer: Transfer) -> None:
    """Attempt after attempt, what is kept of them has an end."""
    transfer._add_up(fake_attempt())
    transfer._add_up(fake_attempt())

    assert list(transfer.tally.sources) == list(transfer.tally.strikes) == CROWD[-MAX_SOURCES:]
    assert transfer.tally.sources[CROWD[-1]] == 2 * (len(CROWD) - 1)


async def test_time_without_a_source_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the rate of a download is that of its source, however long it was away."""
    monkeypatch.setattr(module, "CONNECTING_SECONDS", 0.0)
    async with running(tmp_path, "ben") as ben, fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        root = peer.offer(noise(2 * MIB))
        peer.haves[root] = []
        began = time.monotonic()
        started = await ben.get("mallory/film.mkv")
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "waiting")
        alone_at = time.monotonic()
        await asyncio.sleep(1.5)
        alone = time.monotonic() - alone_at
        del peer.haves[root]
        peer.link.send(HaveUpdate(root=root, complete=True))
        done = await finished(ben, started.transfer_id)
        in_all = time.monotonic() - began

    assert done.state == "done"
    assert 0 < done.seconds < in_all - alone + 0.75
