"""``peerterm demo``: what it offers, how its engines are set up, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from peerterm.cli import demo_content, demo_network
from peerterm.config import NodeSettings, Settings
from peerterm.control.launch import attach
from peerterm.core.addresses import is_loopback
from peerterm.errors import ConfigError, ControlError, StorageError
from peerterm.net.beacons import DISCOVERY_PORT
from peerterm.tui import program, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peerterm.api.views import StatusView
    from peerterm.paths import Paths

ROOT = Path(__file__).parents[3]


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the engines of a demo."""
    return psutil.Process(process.pid).children()


def ended(processes: list[psutil.Process], seconds: float = 15) -> bool:
    """Whether all of them are gone in time."""
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder that takes temporary files, which has a short path and is empty."""
    with tempfile.TemporaryDirectory(prefix="ptdemo-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def demo(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """Start a demo without a screen, in an environment that would have it share this folder as ``mine``."""
    monkeypatch.setenv("PEERTERM_SHARE", str(temporary))
    monkeypatch.setenv("PEERTERM_NAME", "mine")
    monkeypatch.chdir(ROOT)
    process = subprocess.Popen(
        [sys.executable, "-m", "peerterm", "demo", "--no-ui", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def engines_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Return what the demo says of its engines."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    found: list[dict[str, Any]] = json.loads(line)
    return found


@pytest.fixture
def keep_signals() -> Iterator[None]:
    """Give this process its signal handlers back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_content_is_the_same_at_every_run(tmp_path: Path) -> None:
    """Bytes and times of change depend on nothing."""
    for run in ("first", "second"):
        for name in demo_content.SHARED:
            demo_content.write(tmp_path / run / name, name)

    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    assert {path.stat().st_mtime for path in tmp_path.rglob("*.jpg")} == {demo_content.MODIFIED}


def test_film_is_at_two_machines_and_all_else_at_one(tmp_path: Path) -> None:
    """So that a download has two sources, and a search several answers."""
    found = [digest for name in demo_content.SHARED for digest in _written(tmp_path / name, name).items()]
    holders = {digest: sum(other == digest for _, other in found) for _, digest in found}
    films = {path for path, digest in found if holders[digest] > 1}

    assert films == {demo_content.FILM}
    assert max(holders.values()) == 2


def _written(folder: Path, name: str) -> dict[str, str]:
    demo_content.write(folder, name)
    return digests(folder)


def test_machines_speak_to_each_other_alone(temporary: Path) -> None:
    """Loopback only, on ports of their own, and the same one for beacons; nothing else is shared."""
    with demo_network.network() as machines:
        settings = {each.name: Settings.load(each.home / "config.toml") for each in machines}
        for each in machines:
            each.process.kill()

        interfaces = psutil.net_if_addrs()
        spoken = {name for found in settings.values() for name in found.node.interfaces}
        assert all(
            is_loopback(x.address) for name in spoken for x in interfaces[name] if x.family.name == "AF_INET"
        )
        assert all(found.node.interfaces for found in settings.values())
        assert len({found.node.discovery_port for found in settings.values()}) == 1
        assert len({found.node.port for found in settings.values()}) == len(settings)
        assert all(temporary in path.parents for found in settings.values() for path in found.files.share)
    assert list(temporary.iterdir()) == []


def test_discovery_port_is_that_of_the_protocol() -> None:
    """Unless it is set, engines meet where the protocol says."""
    assert NodeSettings().discovery_port == DISCOVERY_PORT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_ends_everything(demo: subprocess.Popen[str], temporary: Path, number: signal.Signals) -> None:
    """No process and no file is left, nothing of the user's settings was taken, and the exit code tells why."""
    engines = engines_of(demo)
    processes = children(demo)
    demo.send_signal(number)
    code = demo.wait(15)

    assert [engine["name"] for engine in engines] == list(demo_content.SHARED)
    assert len(processes) == len(engines)
    assert code == 128 + number
    assert ended(processes, 0)
    assert list(temporary.iterdir()) == []


def test_engines_end_when_the_demo_is_killed(demo: subprocess.Popen[str], temporary: Path) -> None:
    """Nobody tells them, and they leave nothing."""
    engines_of(demo)
    processes = children(demo)
    demo.kill()

    assert ended(processes)
    assert list(temporary.iterdir()) == []


def test_killed_engine_does_not_keep_its_files(demo: subprocess.Popen[str], temporary: Path) -> None:
    """The demo removes what an engine could not."""
    engines_of(demo)
    processes = children(demo)
    processes[0].kill()
    demo.terminate()
    demo.wait(15)

    assert ended(processes, 0)
    assert list(temporary.iterdir()) == []


async def test_demo_says_why_an_engine_does_not_start(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process said last is part of the error."""
    monkeypatch.setattr(demo_network, "_loopback", lambda: "none7")

    with demo_network.network() as machines, pytest.raises(ControlError, match="none7"):
        await machines[0].until_ready()
    assert list(temporary.iterdir()) == []


def test_long_temporary_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets would not fit into it, and would be left elsewhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    with demo_network.network() as machines:
        sockets = [machine.paths.socket for machine in machines]

    assert all(len(str(socket)) < 100 and socket.is_relative_to("/tmp/") for socket in sockets)
    assert not any(machine.home.parent.exists() for machine in machines)


def test_full_disk_is_told(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it; what was written is removed."""

    def write(folder: Path, name: str) -> list[Path]:
        (folder / name).mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo_content, "write", write)

    with pytest.raises(StorageError, match="No space left") as raised, demo_network.network():
        pass
    assert "TMPDIR" in raised.value.hint
    assert list(temporary.iterdir()) == []


def test_machine_without_loopback_is_told(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose interfaces are all down."""
    monkeypatch.setattr(psutil, "net_if_addrs", dict)

    with pytest.raises(ConfigError, match="no loopback"), demo_network.network():
        pass
    assert list(temporary.iterdir()) == []


def test_demo_wants_a_terminal(run: Callable[..., Any], temporary: Path) -> None:
    """Without one it says what to do, and starts nothing."""
    done = run("demo")

    assert done.code == 2
    assert "peerterm demo --no-ui" in done.err
    assert os.listdir(temporary) == []


def test_program_is_shown_on_an_engine_that_runs(
    run: Callable[..., Any], temporary: Path, keep_signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not start another; its exit code is the verb's."""
    seen: list[StatusView] = []

    def show(paths: Paths, *, may_start: bool, engine_stays: bool) -> int:
        assert not may_start
        assert not engine_stays
        seen.append(asyncio.run(_status(paths)))
        return 129

    monkeypatch.setattr(terminal, "has_screen", lambda: True)
    monkeypatch.setattr(program, "run", show)
    done = run("demo")

    assert done.code == 129
    assert [(status.name, status.state) for status in seen] == [("you", "ready")]
    assert list(temporary.iterdir()) == []


async def _status(paths: Paths) -> StatusView:
    async with await attach(paths, start=False) as engine:
        return await engine.status()


def test_engines_are_named_for_people(
    keep_signals: None,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line for each, with what a further command needs to reach it; then the demo waits for a signal."""
    monkeypatch.setattr(signal, "pause", lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        run("demo", "--no-ui")
    said = capsys.readouterr()

    assert ended.value.code == 128 + signal.SIGTERM
    assert [line.split()[0] for line in said.out.splitlines()] == list(demo_content.SHARED)
    assert all(f"--profile {temporary}" in line for line in said.out.splitlines())
    assert "nobody else" in said.err
    assert list(temporary.iterdir()) == []


def test_engine_that_does_not_end_is_killed(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo waits for it only so long."""
    monkeypatch.setattr(demo_network, "END_SECONDS", 0.0)
    with demo_network.network() as machines:
        for machine in machines:
            machine.process.send_signal(signal.SIGSTOP)

    assert {machine.process.returncode for machine in machines} == {-signal.SIGKILL}
    assert list(temporary.iterdir()) == []
