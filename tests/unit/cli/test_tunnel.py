"""Another machine over ``ssh``: how it is named, what is run there, and that nothing of it is left.

``ssh`` is a script that runs everything here; tests/netns/test_stream_ssh.py has the real one.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import peerterm
from peerterm.cli import tunnel
from peerterm.cli.tunnel import Destination, connected
from peerterm.errors import NotFound, PeertermError, PortTaken, UsageError
from tests.fakes.playable import serving as media_serving
from tests.fakes.streamed import StreamingEngine, make_item, make_stream, program, searched_first, song

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine

SSH = """
echo "$@" >> "$0.log"
for last; do :; done
while [ $# -gt 0 ]; do
  case $1 in -M) holds=1;; -O) forwards=1;; -S) control=$2;; esac
  shift
done
if [ -n "$holds" ]; then
  [ -e "$0.refuses" ] && { echo "ssh: no route" >&2; exit 255; }
  echo $$ > "$0.pid"
  : > "$control"
  exec cat
fi
[ -n "$forwards" ] && exit 0
exec sh -c "$last"
"""
THERE = Destination("server", "me", 2222)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose programs are found first: an ``ssh`` that goes nowhere, and peerterm."""
    folder = tmp_path / "bin"
    program(folder, "ssh", SSH)
    path = shlex.quote(str(Path(peerterm.__file__).parents[1]))
    program(folder, "peerterm", f'PYTHONPATH={path} exec {sys.executable} -m peerterm "$@"')
    monkeypatch.setenv("PATH", searched_first(folder))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return folder


@pytest.fixture
def fake() -> StreamingEngine:
    """Return the engine of the other machine, which has an album."""
    engine = StreamingEngine()
    engine.media["a b"] = [song("1.wav"), song("2.wav")]
    return engine


@pytest.fixture
def same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the port of the other machine be that of this one, as if it had been forwarded."""
    monkeypatch.setattr(tunnel, "_is_free", lambda _: True)


def is_gone(programs: Path) -> bool:
    """Whether the ``ssh`` that held the connection has ended."""
    state = Path(f"/proc/{(programs / 'ssh.pid').read_text().strip()}/stat")
    return not state.exists() or ") Z " in state.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssh://server", ["--", "server"]),
        ("ssh://me@server/", ["--", "me@server"]),
        ("ssh://me@10.0.0.2:2222", ["-p", "2222", "--", "me@10.0.0.2"]),
        ("SSH://j.d-x+y@lab_7.Example.org", ["--", "j.d-x+y@lab_7.Example.org"]),
        ("ssh://me@[fd00::2]:22", ["-p", "22", "--", "me@fd00::2"]),
        ("ssh://[fe80::1%eth0]", ["--", "fe80::1%eth0"]),
    ],
)
def test_machine_is_named_as_an_address(text: str, words: list[str]) -> None:
    """``ssh`` gets its parts; what looks like an option is behind the mark that ends them."""
    assert Destination.parse(text).words() == words


@pytest.mark.parametrize(
    "text",
    [
        "", "server", "me@server", "http://server", "ssh://", "ssh://me@", "ssh://-oProxyCommand=x", "ssh://-l@server",
        "ssh://me@-x", "ssh://me:secret@server", "ssh://server:0", "ssh://server:65536", "ssh://server:x",
        "ssh://server/path", "ssh://a b", "ssh://a;b", "ssh://$(x)@server", "ssh://server\n", "ssh://sérver",
    ],
)  # fmt: skip
def test_what_is_no_machine_is_refused(text: str) -> None:
    """Nothing that ``ssh`` or a shell could take for something else gets through."""
    with pytest.raises(UsageError, match="no machine to reach"):
        Destination.parse(text)


async def test_verb_runs_there_whatever_is_in_its_words(programs: Path, tmp_path: Path) -> None:
    """A shell reads them there; each arrives as it was, and what start files print is skipped."""
    program(
        programs,
        "peerterm",
        f'echo motd; printf \'["%s"]\' "$*"; for each; do echo "$each" >> {tmp_path}/got; done',
    )
    words = ["stream", "--", "a b", "$(touch x)", "it's", "-x", "*"]

    async with connected(THERE) as there:
        value = await there.peerterm(*words)

    assert value == [" ".join(words)]
    assert (tmp_path / "got").read_text().splitlines() == words
    hold, run = (programs / "ssh.log").read_text().splitlines()[:2]
    assert hold.endswith("-p 2222 -- me@server cat")
    assert "-p 2222 -- me@server peerterm stream" in run
    assert is_gone(programs)


@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        (
            'echo a >&2; echo \'{"error": {"code": "not_found", "message": "x: none", "hint": ""}}\' >&2; exit 4',
            NotFound,
            "me@server: x: none",
        ),
        (
            'echo \'{"error": {"code": "new", "message": "x", "hint": ""}}\' >&2; exit 9',
            PeertermError,
            "me@server: x",
        ),
        ("echo '[]' >&2; exit 1", PeertermError, r"me@server: \[\]"),
        ("echo 'no\x1b[2J' >&2; exit 1", PeertermError, r"me@server: no\[2J"),
        ("exit 255", PeertermError, "me@server: ssh ended with status 255"),
        ("exit 127", PeertermError, "me@server has no peerterm"),
        ("echo motd", PeertermError, "me@server: its peerterm answers with no JSON"),
    ],
)
async def test_what_fails_there_fails_here(
    script: str, kind: type[PeertermError], told: str, programs: Path
) -> None:
    """With its exit code, if it is an error that is known."""
    program(programs, "peerterm", script)

    async with connected(THERE) as there:
        with pytest.raises(kind, match=told):
            await there.peerterm("stream")

    assert is_gone(programs)


async def test_answer_has_a_bound(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is printed there without end is not kept."""
    program(programs, "peerterm", "exec yes")
    monkeypatch.setattr(tunnel, "MAX_ANSWER_BYTES", 10_000)
    monkeypatch.setattr(tunnel, "STOP_SECONDS", 0.1)

    async with connected(THERE) as there:
        with pytest.raises(PeertermError, match="says more than 10000 bytes"):
            await there.peerterm("stream")


async def test_machine_that_is_not_reached_is_told(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a connection that breaks, and that there is no ``ssh``."""
    async with connected(THERE) as there:
        os.kill(int((programs / "ssh.pid").read_text()), signal.SIGKILL)
        with pytest.raises(PeertermError, match="the connection to me@server broke: ssh ended with status -9"):
            await there.lost()
    (programs / "ssh.refuses").touch()
    with pytest.raises(PeertermError, match="me@server is not reached: ssh ended with status 255"):
        async with connected(THERE):
            pass
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PeertermError, match="ssh is not installed"):
        async with connected(THERE):
            pass


async def test_ssh_that_does_not_end_is_killed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left, however it was asked."""
    monkeypatch.setattr(tunnel, "STOP_SECONDS", 0.05)
    hold = SSH.replace("exec cat", 'trap "" TERM; while :; do sleep 0.01; done')
    program(programs, "ssh", hold)

    async with connected(THERE):
        pass

    assert is_gone(programs)


async def test_port_that_is_taken_here_is_told(programs: Path) -> None:
    """It is found out before ``ssh`` is asked, and told as well if ``ssh`` finds it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with connected(THERE) as there:
            with pytest.raises(PortTaken, match=f"port {port} of this machine is taken"):
                await there.forward(port)
    program(programs, "ssh", SSH.replace('[ -n "$forwards" ] && exit 0', '[ -n "$forwards" ] && exit 255'))
    async with connected(THERE) as there:
        with pytest.raises(PortTaken):
            await there.forward(port)

    assert "-O forward" in (programs / "ssh.log").read_text()


async def test_way_that_is_barred_is_told(
    programs: Path, same_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens, somebody hangs up, or somebody is silent."""
    monkeypatch.setattr(tunnel, "ANSWER_SECONDS", 0.1)
    rude = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as quiet:
        async with connected(THERE) as there, rude:
            for port in (1, quiet.getsockname()[1], rude.sockets[0].getsockname()[1]):
                with pytest.raises(PeertermError, match="lets nothing through"):
                    await there.forward(port)


async def test_way_that_is_open_is_used(programs: Path, same_machine: None) -> None:
    """Once somebody answers there; the port is the same at both ends."""
    async with connected(THERE) as there, media_serving() as served:
        port = int(served.publish(song("x")).split(":")[2].split("/")[0])

        await there.forward(port)

    assert f"-L 127.0.0.1:{port}:127.0.0.1:{port} -p 2222 -- me@server" in (programs / "ssh.log").read_text()


def test_stream_of_another_machine_is_played_here(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path, same_machine: None
) -> None:
    """The album is played by the player of this machine; then stream and connection are closed."""
    player = program(programs, "player", f'echo "$2" >> {programs}/played')

    done = run("stream", "--via", "ssh://me@server", "a b", "--player", f"{player} {{url}} {{title}}", "--json")

    assert done.code == 0, done.err
    assert (done.json["name"], done.json["status"]) == ("a b", 0)
    assert (programs / "played").read_text() == "1.wav\n2.wav\n"
    assert [asked[0] for asked in fake.asked] == ["stream", "close_stream"]
    assert is_gone(programs)


def test_failure_there_has_its_exit_code_here(
    serving: ServedEngine, run: Callable[..., Any], programs: Path, same_machine: None
) -> None:
    """So has an engine that may not be started; nothing is left."""
    absent = run("stream", "--via", "ssh://server", "nothing", "--print-url")
    serving.stop()
    stopped = run("stream", "--via", "ssh://server", "a b", "--print-url", "--no-start")
    wrong = run("stream", "--via", "server", "a b", "--print-url")

    assert (absent.code, absent.out) == (4, "")
    assert "peerterm: server: nothing: nobody who is online has it\n" in absent.err
    assert stopped.code == 3
    assert wrong.code == 2
    assert is_gone(programs)


def test_taken_port_closes_the_stream_again(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path
) -> None:
    """Here it is the other engine itself that has it."""
    done = run("stream", "--via", "ssh://server", "a b", "--player", "none")

    assert (done.code, done.out) == (1, "")
    assert "is taken, and the stream is read at no other\n" in done.err
    assert fake.known_streams == []
    assert is_gone(programs)


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        (["http://10.0.0.1:80/x"], "elsewhere than on its loopback"),
        (["http://127.0.0.1:0/x"], "elsewhere"),
        (["http://127.0.0.1:99999/x"], "elsewhere"),
        (["http://127.0.0.1:80/x", "http://127.0.0.1:81/x"], "elsewhere"),
        (["http://127.0.0.1:80/x", "file:///etc/passwd"], "elsewhere"),
        ([], "of another version"),
    ],
)
def test_other_machine_names_no_address_but_its_loopback(
    urls: list[str], told: str, home: Path, run: Callable[..., Any], programs: Path
) -> None:
    """A player here is never sent anywhere else."""
    import json

    from peerterm.control.messages import to_plain

    view = make_stream("x", *(make_item("x", url=url) for url in urls))
    plain = to_plain(view) if urls else {"stream_id": 3}
    (programs / "answer").write_text(json.dumps(plain))
    program(programs, "peerterm", f"cat {programs}/answer")

    done = run("stream", "--via", "ssh://server", "x", "--print-url")

    assert (done.code, done.out) == (1, "")
    assert told in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_the_verb_ends(
    number: signal.Signals, fake: StreamingEngine, serving: ServedEngine, home: Path, programs: Path
) -> None:
    """Ctrl+C reaches every program of a terminal, and all is closed in order; a kill ends ``ssh`` too."""
    hold = "import peerterm.cli.tunnel as t, sys; t._is_free = lambda _: True; from peerterm.cli.app import main"
    script = f"{hold}; sys.exit(main(['stream', '--via', 'ssh://server', 'a b', '--print-url']))"
    path = str(Path(peerterm.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(programs)},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        urls = [process.stdout.readline() for _ in range(2)]
        held = not is_gone(programs)
        send = os.kill if number is signal.SIGKILL else os.killpg
        send(process.pid, number)
        out, err = process.communicate()
        watchdog.cancel()
    pause = threading.Event()  # never set: what is waited for happens in another process
    for _ in range(500):
        if not is_gone(programs):
            pause.wait(0.01)

    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    assert held
    assert is_gone(programs)
    assert "Traceback" not in err
    if number is signal.SIGINT:
        assert (process.returncode, out) == (130, "")
        assert "to end it: Ctrl+C" in err
        assert fake.known_streams == []
