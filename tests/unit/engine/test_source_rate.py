"""What a transfer says of the speed of its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import MIB, network, noise, shared, write
from tests.fakes.fetching import transfer_when

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.api.views import TransferView

pytestmark = pytest.mark.usefixtures("settled")

LIMIT = 4 * MIB


def both_give(view: TransferView) -> bool:
    return len(view.sources) == 2 and all(source.rate for source in view.sources)


async def test_rates_of_the_sources_are_what_comes_of_them(tmp_path: Path) -> None:
    """Also under a limit, where each could give more: together they are the rate of the transfer."""
    async with network(tmp_path, "anna", "ben", "carl") as (anna, ben, carl):
        for engine, folder in ((anna, "a"), (carl, "c")):
            await shared(engine, write(tmp_path / folder / "film.mkv", noise(16 * MIB)))
        await ben.limit(down=LIMIT)
        started = await ben.get("anna/film.mkv")
        view = await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= 5 * MIB and both_give(view))

    rates = [source.rate for source in view.sources]
    assert sum(rates) == pytest.approx(view.rate, rel=0.05)
    assert sum(rates) < 1.5 * LIMIT
