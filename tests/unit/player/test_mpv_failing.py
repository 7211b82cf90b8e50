"""peerterm.player.mpv: programs that are no mpv, and an mpv that has gone mad."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from peerterm.errors import PeertermError
from peerterm.player import mpv, process
from peerterm.player.base import Item
from peerterm.player.mpv import Mpv

if TYPE_CHECKING:
    from pathlib import Path

ITEM = Item("http://127.0.0.1:1/token/film.mkv", "film")

OBEDIENT = """
import json, signal, socket, sys, time
end = socket.socket(fileno=int(sys.argv[-1].rpartition("/")[2]))
lines = end.makefile("r")
def answer(line):
    number = json.loads(line)["request_id"]
    end.sendall(json.dumps({"request_id": number, "error": "success", "data": {"playlist_entry_id": 1}}).encode())
    end.sendall(b"\\n")
for _ in range(7):
    answer(lines.readline())
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what never comes."""
    monkeypatch.setattr(mpv, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)


def script(tmp_path: Path, text: str) -> Mpv:
    path = tmp_path / "mpv"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return Mpv(str(path))


async def test_missing_program_is_an_error(tmp_path: Path) -> None:
    """A program that is not there any more is named."""
    with pytest.raises(PeertermError, match=r"gone/mpv cannot be started: .*No such file"):
        async with Mpv(str(tmp_path / "gone" / "mpv")).play(ITEM):
            pass


async def test_program_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    """What it said last is the reason, and its status is not taken for a film that was played."""
    with pytest.raises(PeertermError, match="mpv did not start to play: option not found"):
        async with script(tmp_path, "import sys; sys.exit('option not found')").play(ITEM):
            pass


async def test_mpv_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """Neither hanging up nor asking ends it, so it is killed, after a bound."""
    deaf = OBEDIENT + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nanswer(lines.readline())\ntime.sleep(60)\n"
    async with script(tmp_path, deaf).play(ITEM) as playback:
        await playback.pause()  # from now on it ignores the polite signal
        await playback.stop()
        ending = await playback.wait()

    assert ending.status == -9
    assert not [child for child in psutil.Process().children() if "mpv" in child.cmdline()[-1]]


@pytest.mark.parametrize("said", ["not json\\n", "[1]\\n", "{}\\n", "[" * 9000 + "\\n", "x" * 70_000])
async def test_mpv_that_talks_nonsense_is_ended(tmp_path: Path, said: str) -> None:
    """A program that breaks the protocol is stopped, and the ending says why."""
    mad = f"{OBEDIENT}end.sendall(b'{said}')\ntime.sleep(60)\n"
    async with asyncio.timeout(10):
        async with script(tmp_path, mad).play(ITEM) as playback:
            ending = await playback.wait()

    assert ending.status == -15
    assert ending.message.startswith("mpv said ")
