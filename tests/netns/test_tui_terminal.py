"""The full-screen program on real terminals: signals, hang-ups, readers that stop, small screens, and SSH."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import peerterm
from tests.fakes.pty_screen import LEAVES_SCREEN, XTERM, Screen

from .lan import Lan, run, wait_until
from .load import MIB, begin, until, view
from .trees import make_file, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lan import Host

FIRST_FRAME_SECONDS, COLD_FRAME_SECONDS = 0.6, 1.5
FIRST_FRAME_BYTES = 20_000
SETTLE_SECONDS = 0.5
STALL_SECONDS = 15.0
RECOVERY_SECONDS = 1.0
FRAMES = 60
STOPS = 5
REDRAW = "\x0c"
QUIT = "\x11"
SUSPEND = "\x1a"
SHELL = ("bash", "--norc", "--noprofile")
SSH_PORT = 2222
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
MANY_COLOURS = re.compile(rb"\x1b\[[0-9;]*[34]8;[25]")


@pytest.fixture
def host(work: Path) -> Iterator[Host]:
    """Return the only machine of its network, with an engine."""
    with Lan(1) as lan:
        yield lan.host(0, work / "host0").start()


def show(host: Host, *words: str, **variables: str) -> Screen:
    """Start the program on a terminal; variables say which."""
    return Screen(host.command(*words), host.environment | XTERM | variables)


def settled(screen: Screen) -> Screen:
    """Wait until the program shows its engine."""
    screen.wait_for("host0", "help")
    screen.read(SETTLE_SECONDS)
    screen.forget()
    return screen


def stall(screen: Screen) -> None:
    """Have more painted than the system keeps for a terminal that nobody reads."""
    frames = count()

    def is_enough() -> bool:
        screen.send(REDRAW)
        return next(frames) >= FRAMES

    wait_until(is_enough, 30)


def is_alive(host: Host) -> bool:
    """Whether the engine answers."""
    return bool(host.json("status", "--no-start")["state"] == "ready")


def test_first_frame_is_there_at_once(host: Host) -> None:
    """With an engine that runs; the best of three, as the machine may be busy."""
    frames, whole, sizes = [], [], []
    for _ in range(3):
        with show(host) as screen:
            frames.append(screen.wait_for("1*Peers", "help"))
            whole.append(screen.wait_for("host0"))
            screen.read(SETTLE_SECONDS)
            sizes.append(len(screen.taken))
    print(f"first frame {min(frames):.2f} s, with the engine's state {min(whole):.2f} s, {max(sizes)} B in all")

    assert min(frames) <= FIRST_FRAME_SECONDS
    assert min(whole) <= FIRST_FRAME_SECONDS
    assert max(sizes) <= FIRST_FRAME_BYTES


def test_first_frame_does_not_wait_for_an_engine_to_start(host: Host) -> None:
    """The screen is there before the engine, and soon after shows it."""
    frames, whole = [], []
    for _ in range(3):
        host.run("stop")
        with show(host) as screen:
            frames.append(screen.wait_for("1*Peers", "help"))
            whole.append(screen.wait_for("host0"))
    print(f"first frame {min(frames):.2f} s; with the state of an engine that had to start {min(whole):.2f} s")

    assert min(frames) <= FIRST_FRAME_SECONDS
    assert min(whole) <= COLD_FRAME_SECONDS


def test_idle_program_sends_nothing(host: Host) -> None:
    """While nothing changes, not a byte goes to the terminal."""
    with show(host) as screen:
        settled(screen)
        before = screen.cpu_seconds()
        screen.read(3)
        used = screen.cpu_seconds() - before

        print(f"idle: {len(screen.taken)} B in 3 s, {used / 3:.1%} of a core")
        assert screen.taken == b""
        assert used < 0.1


def test_hang_up_ends_the_program_and_not_the_engine(host: Host) -> None:
    """The terminal is gone: no process stays behind, none spins, and the engine goes on."""
    with show(host) as screen:
        settled(screen)
        gone = time.monotonic()
        screen.hang_up()
        code = screen.end(3)

        print(f"ended {time.monotonic() - gone:.2f} s after the hang-up")
        assert code == 128 + signal.SIGHUP
        assert is_alive(host)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_ends_the_program_in_order(host: Host, number: signal.Signals) -> None:
    """The exit code tells of the signal, the terminal is as it was, the engine goes on."""
    with show(host) as screen:
        settled(screen)
        assert not screen.is_cooked
        screen.kill(number)
        code = screen.end(3)

        assert code == 128 + number
        assert screen.is_cooked
        assert LEAVES_SCREEN in screen.taken
        assert is_alive(host)


def test_stalled_reader_costs_nobody_anything(host: Host) -> None:
    """A terminal that takes nothing for 15 s: the engine works, the program rests, then shows the newest state."""
    with show(host) as screen:
        settled(screen)
        before, until, slowest = screen.cpu_seconds(), time.monotonic() + STALL_SECONDS, 0.0
        while time.monotonic() < until:
            stall(screen)
            asked = time.monotonic()
            assert is_alive(host)
            slowest = max(slowest, time.monotonic() - asked)
        used = screen.cpu_seconds() - before
        screen.send("6")
        resumed = time.monotonic()
        screen.wait_for("You share nothing", seconds=RECOVERY_SECONDS)
        took = time.monotonic() - resumed

        print(f"recovered in {took:.2f} s; {used:.1f} s of CPU while stalled; slowest answer {slowest:.2f} s")
        assert used < STALL_SECONDS / 4
        assert len(screen.taken) < 2 * 1024 * 1024


def test_quit_works_while_nobody_reads(host: Host) -> None:
    """Even then the program ends at once, and what the terminal reads next brings it back."""
    with show(host) as screen:
        settled(screen)
        stall(screen)
        screen.send(QUIT)
        left = time.monotonic()
        code = screen.end(3, is_read=False)

        print(f"ended {time.monotonic() - left:.2f} s after the key")
        assert code == 0
        assert screen.is_cooked
        assert LEAVES_SCREEN in screen.taken


def test_shell_gets_the_terminal_and_gives_it_back(host: Host) -> None:
    """Ctrl+z suspends; in the foreground again everything is painted anew, and keys work."""
    with Screen([*host.inside(), *SHELL], host.environment | XTERM | {"PS1": "$ "}) as screen:
        screen.send(f"{sys.executable} -m peerterm\n")
        settled(screen)
        screen.send(SUSPEND)
        screen.wait_for("Stopped")
        assert LEAVES_SCREEN in screen.taken
        screen.forget()
        screen.send("fg\n")
        screen.wait_for("host0", "help")
        screen.send("6")
        screen.wait_for("You share nothing")
        screen.forget()
        screen.send("q")
        screen.wait_for("$ ")
        screen.send("echo code $?\n")

        screen.wait_for("code 0")


def test_suspended_program_can_be_ended(host: Host) -> None:
    """``kill %1`` ends it, though it may not use the terminal then."""
    with Screen([*host.inside(), *SHELL], host.environment | XTERM | {"PS1": "$ "}) as screen:
        screen.send(f"{sys.executable} -m peerterm\n")
        settled(screen)
        screen.send(SUSPEND)
        screen.wait_for("Stopped")
        screen.forget()
        screen.send("kill %1; tail -f --pid=$(jobs -p) /dev/null\n")

        screen.wait_for(f"Exit {128 + signal.SIGTERM}")


def test_program_stopped_by_force_paints_anew(host: Host) -> None:
    """SIGSTOP cannot be prepared for; SIGCONT takes the terminal again, and the end still restores it."""
    with show(host) as screen:
        settled(screen)
        for _ in range(STOPS):
            screen.forget()
            screen.kill(signal.SIGSTOP)
            screen.kill(signal.SIGCONT)
            screen.wait_for("host0", "help")
        screen.send(QUIT)

        assert screen.end() == 0
        assert screen.is_cooked


def test_nothing_is_suspended_where_nobody_could_bring_it_back(host: Host) -> None:
    """Without a shell above, as in ``ssh -t HOST peerterm``, Ctrl+z says so."""
    with show(host) as screen:
        settled(screen)
        screen.send(SUSPEND)
        screen.wait_for("there is no shell to suspend to")
        screen.send("6")

        screen.wait_for("You share nothing")


def test_tiny_terminal_shows_its_size_alone(host: Host) -> None:
    """Below 40x12 no key works but those that leave; a larger one shows all as it was."""
    with show(host) as screen:
        settled(screen)
        screen.resize(39, 12)
        screen.wait_for("too small: 39x12, need 40x12")
        screen.forget()
        for key in ("6", "\x10", "\x1bOP", "?", ":"):  # a pane, the palette, help
            screen.send(key)
        screen.resize(80, 11)
        screen.wait_for("too small: 80x11, need 40x12")
        assert "Shares" not in screen.text
        screen.forget()
        screen.resize(80, 24)
        screen.wait_for("1*Peers", "host0", "help")
        screen.resize(20, 5)
        screen.wait_for("too small: 20x5")
        screen.send("q")

        assert screen.end() == 0
        assert screen.is_cooked


def test_engine_that_is_gone_is_looked_for(host: Host) -> None:
    """A kill shows a banner; an engine that comes back is used without a key, and one is started with E."""
    with show(host) as screen:
        settled(screen)
        host.kill()
        screen.wait_for("E starts the engine", seconds=5)
        screen.forget()
        started = time.monotonic()
        host.start("--name", "returned")
        screen.wait_for("returned", seconds=5)
        print(f"attached {time.monotonic() - started:.2f} s after the start began")
        screen.forget()
        host.run("stop")
        screen.wait_for("E starts the engine", seconds=5)
        screen.forget()
        screen.send("E")
        screen.wait_for("host0", seconds=10)
        screen.send("q")

        assert screen.end() == 0
        assert is_alive(host)


def test_paste_is_no_series_of_keys(host: Host) -> None:
    """Text pasted over a list does nothing; pasted into an input it is typed."""
    with show(host) as screen:
        settled(screen)
        screen.send("\x1b[200~6qqXx\x1b[201~")
        screen.send("/")
        screen.send("\x1b[200~pasted words\x1b[201~")
        screen.wait_for("pasted words")

        assert "6*Shares" not in screen.text
        assert screen.process.poll() is None


def test_latin_1_input_is_no_end(host: Host) -> None:
    """Bytes that are not UTF-8 are not understood, and nothing worse."""
    with show(host) as screen:
        settled(screen)
        screen.send_bytes(b"\xe9\xff\xfe")
        screen.send("6")

        screen.wait_for("You share nothing")


@pytest.mark.parametrize(
    ("variables", "has_colour", "has_many"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, True, True),
        ({"TERM": "screen-256color", "COLORTERM": ""}, True, True),
        ({"TERM": "xterm", "COLORTERM": ""}, True, False),
        ({"TERM": "linux", "COLORTERM": ""}, True, False),
        ({"TERM": "vt100", "COLORTERM": ""}, True, False),
        ({"NO_COLOR": "1"}, False, False),
    ],
)
def test_colours_are_those_of_the_terminal(
    host: Host, variables: dict[str, str], has_colour: bool, has_many: bool
) -> None:
    """16-colour terminals get 16 colours, and who wants none gets none."""
    with show(host, **variables) as screen:
        screen.wait_for("1*Peers", "host0", "help")

        assert bool(COLOUR.search(screen.taken)) == has_colour
        assert bool(MANY_COLOURS.search(screen.taken)) == has_many
        if variables.get("TERM") == "linux":  # it would print the end of a question
            assert b"$p" not in screen.taken


@pytest.mark.parametrize("variables", [{"LANG": "C"}, {"LANG": "", "LC_ALL": "POSIX"}, {"LANG": ""}])
def test_ascii_locale_gets_ascii_bytes(work: Path, variables: dict[str, str]) -> None:
    """Whatever the interface or a name would draw."""
    with Lan(1) as lan:
        host = lan.host(0, work / "host0", name="zoë-文").start()
        with show(host, **variables) as screen:
            screen.wait_for("zo?-??", "help")
            screen.send("?")
            screen.wait_for("Keys in Peers")
            screen.send(QUIT)
            screen.end()

    assert screen.taken.isascii()


def test_no_screen_no_program(host: Host) -> None:
    """Without a terminal, on a dumb one, or with ``--plain``, the overview is printed."""
    assert "host0 is ready" in host.run().stdout
    for words, variables in (((), {"TERM": "dumb"}), (("--plain",), {}), (("--json",), {})):
        with show(host, *words, **variables) as screen:
            screen.wait_for("ready")
            assert screen.end() == 0
            assert b"\x1b" not in screen.taken


def test_no_start_refuses_before_the_screen_is_taken(host: Host) -> None:
    """Exit code 3, and a message that stays."""
    host.run("stop")
    with show(host, "--no-start") as screen:
        screen.wait_for("no engine")

        assert screen.end() == 3
        assert LEAVES_SCREEN not in screen.taken


class Sshd:
    """An SSH server on a host's loopback, with keys of its own; it ends with the LAN at the latest."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._key = folder / "user_key"
        Path("/run/sshd").mkdir(exist_ok=True)  # it insists, though nothing is put there
        for key in (self._key, folder / "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        config = folder / "sshd_config"
        config.write_text(
            f"Port {SSH_PORT}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self._key}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        sshd = subprocess.Popen([*host.inside(), "/usr/sbin/sshd", "-D", "-e", "-f", str(config)], text=True)
        host.lan.processes.append(sshd)

        def listens() -> bool:
            return run(*host.inside(), "ss", "-Hltn", f"sport = :{SSH_PORT}").stdout != ""

        wait_until(listens, 10, "sshd")

    def show(self) -> Screen:
        """Run the program in a session of its own."""
        mine = {key: value for key, value in self._host.environment.items() if key.startswith("PEERTERM_")}
        mine |= {"PYTHONPATH": str(Path(peerterm.__file__).parents[1]), "LANG": "C.UTF-8"}
        words = ["env", *(f"{key}={value}" for key, value in mine.items()), sys.executable, "-m", "peerterm"]
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
        )
        command = ["ssh", "-tt", "-F", "none", "-i", str(self._key), "-p", str(SSH_PORT)]
        command += [word for option in options for word in ("-o", option)]
        return Screen(
            [*self._host.inside(), *command, "root@127.0.0.1", shlex.join(words)], self._host.environment | XTERM
        )


def programs(host: Host) -> list[int]:
    """Return the processes of the full-screen program on a host."""
    found = []
    for pid in run("ip", "netns", "pids", host.lan.namespace(host.number)).stdout.split():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[1:3] == [b"-m", b"peerterm"] and b"--no-ui" not in words:
            found.append(int(pid))
    return found


def test_transfer_outlives_the_ssh_session(work: Path) -> None:
    """The session that started the engine is killed: the transfer ends well, and a new session shows it."""
    film = make_file(work / "share" / "film.mkv", 40 * MIB)
    with Lan(2, uplink="60mbit") as lan:
        seed, leech = lan.host(0, work / "host0").start(), lan.host(1, work / "host1")
        root = seed.json("share", film)[0]["root"]
        sshd = Sshd(leech, work)
        with sshd.show() as screen:
            screen.wait_for("host1", "host0", "help", seconds=15)
            transfer_id = begin(leech, root, "--no-start")
            screen.send("4")
            screen.wait_for("4*Xfers", "film.mkv")
            wait_until(lambda: view(leech, transfer_id)["bytes"] > 4 * MIB, 20)
            assert len(programs(leech)) == 1
            assert b"?1003h" not in screen.taken, "the mouse stays the terminal's"
            screen.kill(signal.SIGKILL)
            took = wait_until(lambda: not programs(leech), 5, "the end of the program")
            assert view(leech, transfer_id)["state"] == "running"
        row = until(leech, transfer_id, "done", timeout=60)
        with sshd.show() as screen:
            screen.wait_for("host1", "help", seconds=15)
            screen.send("4")
            screen.wait_for("4*Xfers", "film.mkv", "100%")
            screen.send("q")
            code = screen.end()

    print(f"the program ended {took:.2f} s after its session")
    assert code == 0
    assert sha256(Path(row["path"])) == sha256(film)
