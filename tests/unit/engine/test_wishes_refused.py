"""Wishes that are refused at the door: what no download could live with never becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.config_values import MAX_RATE_BYTES
from peerterm.errors import InvalidPath, UsageError
from tests.fakes.engines import noise, shared, write
from tests.fakes.fetching import downloads_of
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from peerterm.api.views import LimitsView
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


@pytest.mark.parametrize("pattern", ["!", "\\", "a\\"])
async def test_pattern_that_is_none_is_named(pair: tuple[Engine, Engine], tmp_path: Path, pattern: str) -> None:
    """Nothing is queued that would fail for ever."""
    anna, ben = pair
    write(tmp_path / "album" / "a", noise(10))
    await shared(anna, tmp_path / "album")
    with pytest.raises(UsageError) as refused:
        await ben.get("anna/album", only=["*.flac", pattern])

    assert repr(pattern) in refused.value.message
    assert await downloads_of(ben) == []


@pytest.mark.parametrize("name", ["\udcff", "\0"])
async def test_folder_that_nobody_can_note_is_refused(
    pair: tuple[Engine, Engine], tmp_path: Path, name: str
) -> None:
    """A path that is no UTF-8 is named as its bytes are, so that it can be shown."""
    _, ben = pair
    with pytest.raises(InvalidPath) as refused:
        await ben.get("anna/film.mkv", f"{tmp_path}/{name}")

    assert refused.value.message.isascii()
    assert await downloads_of(ben) == []


@pytest.mark.parametrize("way", ["down", "up"])
async def test_limit_beyond_any_network_is_refused(pair: tuple[Engine, Engine], way: str) -> None:
    """For the engine and for one transfer; what no database can keep would end the engine."""
    anna, ben = pair

    def limit(transfer: str, rate: int) -> Awaitable[LimitsView]:
        return ben.limit(transfer, down=rate) if way == "down" else ben.limit(transfer, up=rate)

    with gated(anna, 0):
        started = await ben.get("anna/film.mkv")
        for transfer, rate in (("", MAX_RATE_BYTES + 1), ("", 2**63), (started.transfer_id, 2**63)):
            with pytest.raises(UsageError):
                await limit(transfer, rate)
        most = await limit("", MAX_RATE_BYTES)

    assert getattr(most, way) == MAX_RATE_BYTES
