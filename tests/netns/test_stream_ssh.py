"""``stream --via``: a real SSH server on one machine, real ``ssh`` and mpv on another, and nothing left of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import peerterm
from tests.fakes.pty_screen import XTERM, Screen
from tests.fakes.streamed import program, searched_first, song

from .lan import Lan, run, wait_until
from .trees import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator


SSH_PORT = 2222
CTRL_C = "\x03"
SSHD, SSH, MPV = "/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/mpv"


class Pair:
    """A server with an engine, an SSH server and songs; and a laptop without an engine, which has mpv."""

    def __init__(self, lan: Lan, work: Path, *, options: str = "") -> None:
        self.server = lan.host(0, work / "server").start()
        self.laptop = lan.host(1, work / "laptop")
        self.songs = work / "songs"
        self.songs.mkdir()
        for name in ("1.wav", "2.wav"):
            (self.songs / name).write_bytes(bytes(song(name, 1)._content))
        self.root = self.server.json("share", self.songs)[0]["root"]
        self.via = f"ssh://root@{lan.address(0)}:{SSH_PORT}"
        self._work = work
        self._serve(lan, options)
        self._equip()

    def _serve(self, lan: Lan, options: str) -> None:
        """Let the server be reached by key; peerterm is where it looks for programs."""
        for name in ("user", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._work / f"{name}_key")
        path = Path(peerterm.__file__).parents[1]
        there = program(self._work / "there", "peerterm", f'exec {sys.executable} -m peerterm "$@"').parent
        home = self.server.environment["PEERTERM_HOME"]
        config = self._work / "sshd_config"
        config.write_text(
            f"Port {SSH_PORT}\nListenAddress {lan.address(0)}\nHostKey {self._work}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self._work}/user_key.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"SetEnv PATH={there}:/usr/bin:/bin PEERTERM_HOME={home} PYTHONPATH={path}\n{options}"
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # it insists, though nothing is put there
        process = subprocess.Popen([*self.server.inside(), SSHD, "-D", "-e", "-f", str(config)], text=True)
        lan.processes.append(process)
        listening = [*self.server.inside(), "ss", "-Hltn", f"sport = :{SSH_PORT}"]
        wait_until(lambda: run(*listening).stdout, 10, "sshd")

    def _equip(self) -> None:
        """Give the laptop an ``ssh`` that knows key and server, and an mpv that neither shows nor sounds."""
        config = self._work / "ssh_config"
        config.write_text(
            f"IdentityFile {self._work}/user_key\nIdentitiesOnly yes\nStrictHostKeyChecking no\n"
            "UserKnownHostsFile /dev/null\nLogLevel ERROR\n"
        )
        here = self._work / "here"
        program(here, "ssh", f'exec {SSH} -F {config} "$@"')
        program(here, "mpv", f'exec {MPV} "$@" --vo=null --ao=null')
        self.environment = self.laptop.environment | {"PATH": searched_first(here), "TMPDIR": str(self._work)}

    def command(self, *words: str) -> list[str]:
        """Return the command that streams from the laptop."""
        return self.laptop.command("stream", "--via", self.via, self.root, *words)

    def stream(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Stream from the laptop, to the end."""
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def left(self) -> list[str]:
        """Return what still runs on the laptop, by the name of its program."""
        pids = run("ip", "netns", "pids", self.laptop.lan.namespace(1)).stdout.split()
        return [Path(os.readlink(f"/proc/{pid}/exe")).name for pid in pids if Path(f"/proc/{pid}/exe").exists()]

    def streams(self) -> list[Any]:
        """Return the open streams of the server."""
        found: list[Any] = self.server.json("streams", "--no-start")
        return found


@pytest.fixture
def lan() -> Iterator[Lan]:
    """Return a network of two machines."""
    if missing := [name for name in (SSHD, SSH, MPV) if not shutil.which(name)]:
        assert not os.environ.get("CI"), f"CI must have {missing}"
        pytest.skip(f"needs {missing}")
    with Lan(2) as lan:
        yield lan


def test_album_of_another_machine_is_played_by_mpv_here(lan: Lan, work: Path) -> None:
    """The laptop has no engine and needs none; stream, connection and player are gone at the end."""
    pair = Pair(lan, work)

    done = pair.stream("--json")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {name: json.loads(done.stdout)[name] for name in ("name", "player", "status")} == {
        "name": "songs", "player": "mpv", "status": 0,
    }  # fmt: skip
    assert pair.streams() == []
    assert pair.left() == []
    assert not Path(pair.laptop.environment["PEERTERM_HOME"], "run", "control.sock").exists()


def test_address_leads_there_until_interrupted(lan: Lan, work: Path) -> None:
    """Any program of the laptop reads the very bytes; Ctrl+C, which every program hears, leaves nothing behind."""
    pair = Pair(lan, work)
    with Screen(pair.command("--print-url"), pair.environment | XTERM) as screen:
        screen.wait_for("to end it: Ctrl+C", seconds=20)
        urls = [line.strip() for line in screen.text.splitlines() if line.startswith("http://127.0.0.1:")]
        for number, url in enumerate(urls, 1):
            run(*pair.laptop.inside(), "curl", "-sS", "-o", work / f"{number}.wav", url)
        (stream,) = pair.streams()
        screen.send(CTRL_C)
        code = screen.end(10)

    assert code == 130
    assert urls == [item["url"] for item in stream["items"]]
    assert [sha256(work / f"{number}.wav") for number in (1, 2)] == [
        sha256(pair.songs / f"{number}.wav") for number in (1, 2)
    ]
    assert pair.streams() == []
    wait_until(lambda: pair.left() == [], 5, "the end of everything")


def test_interrupt_ends_the_player_here_and_the_stream_there(lan: Lan, work: Path) -> None:
    """While mpv plays; the terminal shows where it is until then."""
    pair = Pair(lan, work)
    (pair.songs / "3.wav").write_bytes(bytes(song("3.wav", 60)._content))
    pair.root = pair.server.json("rescan")[0]["root"]
    with Screen(pair.command(), pair.environment | XTERM) as screen:
        screen.wait_for("3.wav", "of 1:00", seconds=20)
        playing = pair.left()
        screen.send(CTRL_C)
        code = screen.end(10)

    assert code == 130
    assert "mpv" in playing
    assert pair.streams() == []
    wait_until(lambda: pair.left() == [], 5, "the end of everything")


def test_interrupt_at_the_password_leaves_the_terminal_as_it_was(lan: Lan, work: Path) -> None:
    """``ssh`` asks on the terminal, which shows what is typed again afterwards."""
    pair = Pair(lan, work, options="PubkeyAuthentication no\nPasswordAuthentication yes\n")
    with Screen(pair.command(), pair.environment | XTERM) as screen:
        screen.wait_for("password:", seconds=20)
        asked = screen.is_cooked
        screen.send(CTRL_C)
        code = screen.end(10)

        assert not asked
        assert screen.is_cooked
    assert code == 130
    assert pair.streams() == []
    wait_until(lambda: pair.left() == [], 5, "the end of everything")


def test_killed_verb_takes_its_connection_along(lan: Lan, work: Path) -> None:
    """Not even then a tunnel stays open on the laptop; the stream there ends by itself."""
    pair = Pair(lan, work)
    with Screen(pair.command("--print-url"), pair.environment | XTERM) as screen:
        screen.wait_for("to end it: Ctrl+C", seconds=20)
        held = pair.left()
        screen.kill(signal.SIGKILL)
        wait_until(lambda: pair.left() == [], 5, "the end of everything")

    assert "ssh" in held


def test_port_that_the_laptop_uses_itself_is_told(lan: Lan, work: Path) -> None:
    """The stream's server answers to no other port; the stream is closed again."""
    pair = Pair(lan, work)
    opened = pair.server.json("stream", pair.root, "--print-url")
    port = opened["url"].split(":")[2].split("/")[0]
    pair.server.run("close", opened["stream_id"])
    script = f"import socket; s = socket.create_server(('127.0.0.1', {port})); print('on', flush=True); s.accept()"
    occupant = subprocess.Popen(
        [*pair.laptop.inside(), sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    lan.processes.append(occupant)
    assert occupant.stdout is not None
    assert occupant.stdout.readline() == "on\n"

    done = pair.stream()

    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port} of this machine is taken" in done.stderr
    assert pair.streams() == []


def test_server_that_forbids_tunnels_is_told(lan: Lan, work: Path) -> None:
    """And one that is not there, and what its peerterm does not find."""
    pair = Pair(lan, work, options="AllowTcpForwarding no\n")
    root = pair.root

    barred = pair.stream()
    pair.root = f"anna/nothing; touch {work}/touched"
    absent = pair.stream("--json")
    pair.root, pair.via = root, pair.via.replace(str(SSH_PORT), "2223")
    away = pair.stream()

    assert (barred.returncode, barred.stdout) == (1, "")
    assert "lets nothing through its SSH server" in barred.stderr
    assert (absent.returncode, absent.stdout) == (4, "")
    assert json.loads(absent.stderr)["error"]["code"] == "not_found"
    assert not (work / "touched").exists()
    assert away.returncode == 1
    assert "Connection refused" in away.stderr
    assert "is not reached: ssh ended with status 255" in away.stderr
    assert pair.streams() == []
    assert pair.left() == []
