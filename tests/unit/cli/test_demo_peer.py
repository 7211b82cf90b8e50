"""An engine of the demo, as far as it differs from any other: it goes with the demo, and one fetches something."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from peerterm.cli import daemon, demo_peer
from peerterm.errors import PortTaken, UsageError
from tests.fakes.fake_engine import make_peer, make_transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from peerterm.cli.common import Common
    from tests.fakes.fake_engine import FakeEngine
    from tests.fakes.serving import ServedEngine

JOIN_SECONDS = 30.0
REFERENCE = "you/Postcards"


@pytest.fixture
def lifeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return what the demo holds of the engine's stdin."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        yield writer


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which temporary folders are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def make_home(room: Path, name: str, *, demo: str = "peerterm-1234") -> Path:
    """Make a profile of the demo."""
    home = room / demo / name
    (home / "shared").mkdir(parents=True)
    return home


def test_engine_that_has_not_joined_yet_goes_with_the_demo(lifeline: int, room: Path) -> None:
    """It does not wait for its time, and the last one removes the folder around it."""
    homes = [make_home(room, "anna"), make_home(room, "ben")]
    os.close(lifeline)
    codes = [demo_peer.main(homes[0], JOIN_SECONDS, "")]
    is_shared = homes[1].exists()
    codes.append(demo_peer.main(homes[1], JOIN_SECONDS, ""))

    assert codes == [0, 0]
    assert is_shared
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("where", ["album", "peerterm-1234/deeper/album"])
def test_folder_that_is_not_the_demos_is_left_alone(lifeline: int, room: Path, where: str) -> None:
    """Whatever it is told, it removes what the demo has made and nothing else."""
    home = room / where
    home.mkdir(parents=True)
    os.close(lifeline)
    code = demo_peer.main(home, JOIN_SECONDS, "")

    assert code == UsageError.exit_code
    assert home.is_dir()


def test_engine_that_cannot_start_says_why(
    lifeline: int, room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder stays for the demo, which reads it there."""

    def run(common: Common, flags: Mapping[str, object]) -> int:
        raise PortTaken("port 1 is taken", "choose another")

    monkeypatch.setattr(daemon, "run", run)
    monkeypatch.setattr(demo_peer, "_end_with_demo", lambda: None)
    home = make_home(room, "anna")
    code = demo_peer.main(home, 0, "")
    os.close(lifeline)

    assert code == PortTaken.exit_code
    assert "port 1 is taken" in capsys.readouterr().err
    assert home.exists()


def test_newcomer_fetches_when_somebody_has_it(fake: FakeEngine, serving: ServedEngine, home: Path) -> None:
    """It asks whenever something happens, until it is fetched."""

    def appear() -> None:
        fake.progress[REFERENCE] = [make_transfer("Postcards", state="done")]
        fake.peer_joined(make_peer("you"))

    async def work() -> None:
        fetching = asyncio.create_task(demo_peer._fetch(home, REFERENCE))
        while ("get", REFERENCE, "", None) not in fake.asked:
            await asyncio.sleep(0)
        serving.do(appear)
        await asyncio.wait_for(fetching, 5)

    asyncio.run(work())

    assert [transfer.name for transfer in fake.known_transfers] == ["Postcards"]


def test_newcomer_gives_up_with_its_engine(fake: FakeEngine, serving: ServedEngine, home: Path) -> None:
    """What nobody had is not fetched, and that is no error."""

    async def work() -> None:
        fetching = asyncio.create_task(demo_peer._fetch(home, REFERENCE))
        while not fake.asked:
            await asyncio.sleep(0)
        serving.stop()
        await asyncio.wait_for(fetching, 5)

    asyncio.run(work())

    assert fake.known_transfers == []
