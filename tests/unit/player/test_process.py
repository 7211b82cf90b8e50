"""peerterm.player.process: players end, and what they said is known."""

from __future__ import annotations

import asyncio
import os
import sys

import psutil
import pytest

from peerterm.errors import PeertermError
from peerterm.player import process as module
from peerterm.player.process import MAX_LAST_WORDS_BYTES, ending, running

STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(2, b"ready\\n")
signal.pause()
"""


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


async def heard(player: module.PlayerProcess, words: str) -> None:
    async with asyncio.timeout(10):
        while player.last_words() != words:
            await asyncio.sleep(0.01)


async def test_status_and_last_words_are_reported() -> None:
    """The last line of stderr is kept, safe to show, however much came before."""
    script = "import sys; sys.stderr.write('x' * 500_000 + '\\nlast\\x1b[31m words\\n'); sys.exit(3)"
    async with running(python(script)) as player:
        status = await player.wait()
        words = player.last_words()

    assert status == 3
    assert words == "last[31m words"


async def test_line_that_lost_its_start_is_not_shown() -> None:
    """A line longer than what is kept could show half a secret."""
    script = f"import sys; sys.stderr.write('x' * {MAX_LAST_WORDS_BYTES + 1})"
    async with running(python(script)) as player:
        await player.wait()

        assert player.last_words() == ""


async def test_polite_player_ends_when_asked() -> None:
    """Leaving the context sends the polite signal first; stopping twice does nothing more."""
    async with running(python("import signal; signal.pause()")) as player:
        await player.stop()
        await player.stop()

        assert await player.wait() == -15


async def test_stubborn_player_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that ignores the polite signal is killed after a bound."""
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    async with running(python(STUBBORN)) as player:
        await heard(player, "ready")
        await player.stop()

        assert await player.wait() == -9


async def test_cancelled_stop_kills() -> None:
    """Who has no time to wait for the end leaves nothing behind either."""
    async with running(python(STUBBORN)) as player:
        await heard(player, "ready")
        stopping = asyncio.create_task(player.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])

        assert await player.wait() == -9


async def test_what_a_player_started_ends_with_it() -> None:
    """A wrapper's child is not left behind when the wrapper is stopped."""
    wrapper = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    async with running([*python(wrapper), STUBBORN]) as player:
        await heard(player, "ready")
        children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=10)
    for child in alive:
        child.kill()  # it would wait for ever

    assert len(children) == 2
    assert not alive


async def test_player_that_leaves_others_behind_has_ended() -> None:
    """A launcher's end is not missed because what it launched still holds its stderr."""
    launcher = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, file=sys.stderr)"
    async with asyncio.timeout(10):
        async with running(python(launcher)) as player:
            status = await player.wait()
            words = player.last_words()
    psutil.Process(int(words)).kill()

    assert status == 0


async def test_player_has_no_proxy_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees neither the user's proxies nor our terminal, and leads a session of its own."""
    monkeypatch.setenv("HTTP_Proxy", "http://example.org")
    script = (
        "import os, sys; names = {name.lower() for name in os.environ}; "
        "print('http_proxy' in names, os.environ['no_proxy'], os.isatty(0), os.getsid(0), file=sys.stderr)"
    )
    async with running(python(script)) as player:
        await player.wait()
        words = player.last_words().split()

    assert words[:3] == ["False", "127.0.0.1,::1,localhost", "False"]
    assert int(words[3]) != os.getsid(0)


@pytest.mark.parametrize("command", [["/nowhere/mpv"], ["/"], [sys.executable, "\0"]])
async def test_what_cannot_be_started_is_an_error(command: list[str]) -> None:
    """The program is named."""
    with pytest.raises(PeertermError, match="cannot be started"):
        async with running(command):
            pass


def test_signal_is_named() -> None:
    """A signal is the reason only if nothing better is known."""
    assert ending(-9, "").message == "ended by SIGKILL"
    assert ending(-9, "crashed").message == "crashed"
    assert ending(0, "").message == ""
