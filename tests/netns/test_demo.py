"""``peerterm demo`` on a machine with a network and an engine of its own: a small world that touches neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from peerterm.cli.demo_content import FILM, SHARED
from tests.fakes.pty_screen import XTERM, Screen

from .lan import Lan, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lan import Host

HERE = Path(__file__).parent
PEERS = {"anna", "ben", "carla"}
QUIT = "\x11"


@pytest.fixture
def temporary(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that takes temporary files; it is empty."""
    folder = work / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def host(work: Path, temporary: Path) -> Iterator[Host]:
    """Return a machine whose user has an engine, on the loopback interface too."""
    with Lan(2) as lan:
        lan.host(1, work / "other").start()
        yield lan.host(0, work / "own", interface="lo,e0").start()


def engines_below(folder: Path) -> list[psutil.Process]:
    """Return the demo's engines whose folders are below this one."""
    return [process for process in psutil.process_iter(["cmdline"]) if _is_engine(process, folder)]


def _is_engine(process: psutil.Process, folder: Path) -> bool:
    words = process.info["cmdline"] or []
    return "peerterm.cli.demo_peer" in words and any(word.startswith(str(folder)) for word in words)


def test_demo_lives_and_meets_nobody_else(host: Host, temporary: Path) -> None:
    """Peers come, are searched and give; the user's engine sees only the LAN, and not a packet goes there."""
    host.run("peers", "--wait", 1)
    sniffer = host.popen("e0", script=HERE / "sniff.py")
    assert sniffer.stdout is not None
    assert sniffer.stdout.readline() == "ready\n"
    demo = host.popen("demo", "--no-ui", "--json")
    assert demo.stdout is not None
    engines = {engine["name"]: engine for engine in json.loads(demo.stdout.readline())}
    own = ("--profile", engines["you"]["profile"])

    def ask(*words: object) -> Any:
        return host.json(*own, *words)

    peers = ask("peers", "--wait", 3, "--timeout", 20)
    (hit,) = ask("search", "lighthouse", "--type", "video", "--min-size", "1M")
    done = ask("get", hit["root"])
    browsed = {entry["name"] for entry in ask("browse", "carla", "Lectures/Networks")}
    wait_until(lambda: any(each["direction"] == "up" for each in ask("transfers")), 20, "carla's fetch")
    online = host.online()
    ports = {each["port"] for each in (ask("status"), host.json("status"))}
    demo.terminate()
    code = demo.wait(15)
    sniffer.terminate()
    packets = sniffer.communicate()[0].splitlines()

    assert {peer["name"] for peer in peers if peer["state"] == "online"} == PEERS
    assert {peer["name"] for peer in hit["peers"]} == {"anna", "ben"}
    assert (done["state"], done["bytes"]) == ("done", SHARED["anna"][FILM])
    assert {source["name"] for source in done["sources"] if source["bytes"]} == {"anna", "ben"}
    assert browsed == {Path(path).name for path in SHARED["carla"] if "Networks" in path}
    assert online == {"host1"}
    assert len(ports) == 2
    assert {line.split()[0] for line in packets} == {"udp", "tcp"}, "the user's engine was heard"
    assert {line.split()[2] for line in packets if line.startswith("udp")} == {"47470"}
    assert code == 143
    assert engines_below(temporary) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("end", ["quit", "hang up", "kill"])
def test_screen_shows_the_network_and_leaves_nothing(host: Host, temporary: Path, end: str) -> None:
    """One command; however it ends, no process and no file is left."""
    with Screen(host.command("demo"), host.environment | XTERM) as screen:
        screen.wait_for("1*Peers", *PEERS, "carla is online", seconds=30)
        running = engines_below(temporary)
        if end == "quit":
            screen.send(QUIT)
            assert screen.end(15) == 0
        elif end == "hang up":
            screen.hang_up()
            screen.end(15)
        else:
            screen.process.kill()

        assert len(running) == len(SHARED)
        wait_until(lambda: not engines_below(temporary) and not list(temporary.iterdir()), 15, "the end of all")
        assert host.online() == {"host1"}
