"""What a user, a disk or a peer may do wrong: each is told clearly, with the right exit code; nothing breaks."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from peerterm.control.messages import CONTROL_VERSION, Greeting, encode

from .hostile import NAMES
from .lan import Lan, run, wait_until
from .test_presence_lan import HERE, MIB, read_until, start_all
from .trees import make_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .lan import Host

STOP_SECONDS = 5.0


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN of two hosts."""
    with Lan(2) as made:
        yield made


def refused(host: Host, code: int, *words: object) -> str:
    """Run a verb that must fail with this exit code; return its message and its hint."""
    done = host.run(*words, check=False)
    assert done.returncode == code, f"{words}: exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    assert any(line.startswith("peerterm: ") for line in done.stderr.splitlines())
    return done.stderr


def socket_of(host: Host) -> str:
    """Return the path of an engine's control socket."""
    return str(host.home / "profile" / "run" / "control.sock")


# What users give


def test_path_that_cannot_be_shared_is_refused(lan: Lan, work: Path) -> None:
    """A missing path and one that may not be read are named with what to do, exit code 2; nothing is shared."""
    host = lan.host(0, work / "host0")
    host.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")  # root that may not read all
    host.start()
    secret = make_file(work / "secret", 10)
    secret.chmod(0)
    folder = work / "folder"
    folder.mkdir(mode=0)

    assert "no such file or folder\n  check the spelling" in refused(host, 2, "share", work / "nowhere")
    for path in (secret, folder):
        message = refused(host, 2, "share", path)
        assert f"{path}: Permission denied" in message
        assert "ls -ld" in message
    assert host.json("shares") == []


def test_unreadable_file_in_a_folder_is_named_and_left_out(lan: Lan, work: Path) -> None:
    """Of a folder everything is shared but the file that may not be read, which is named."""
    host = lan.host(0, work / "host0")
    host.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    host.start()
    make_file(work / "folder" / "open", 10)
    make_file(work / "folder" / "secret", 10).chmod(0)
    done = host.run("share", work / "folder")

    assert "left out: secret" in done.stderr
    assert [entry["name"] for entry in host.json("browse", "host0", "folder")] == ["open"]


def test_reference_nobody_has_is_told(lan: Lan, work: Path) -> None:
    """A root, a sum and a path that nobody offers end with 4, what is no reference with 2."""
    host, _ = start_all(lan, work)

    assert "no peer that is online has it" in refused(host, 4, "get", "0123456789abcdef")
    refused(host, 4, "get", f"sha256:{'0' * 64}")
    assert "nothing is shared at no/such" in refused(host, 4, "get", "host1/no/such")
    assert "no peer 'nobody'" in refused(host, 4, "get", "nobody/no/such")
    assert "is not a reference\n  a reference is" in refused(host, 2, "get", "what?")
    refused(host, 4, "browse", "nobody")
    refused(host, 4, "search", "nothing is called this")
    refused(host, 4, "cancel", "ffffffff")
    refused(host, 4, "unshare", "nothing")


def test_prefix_of_two_contents_is_refused(lan: Lan, work: Path) -> None:
    """A prefix that fits two contents ends with 2 and names both, with more of their digits."""
    leech, seed = start_all(lan, work)
    for number, name in enumerate(("first", "second")):
        seed.run("share", make_file(work / name, 10, number))
    first, second = (row["root"] for row in seed.json("shares"))
    with closing(sqlite3.connect(seed.home / "profile" / "peerterm.db")) as database, database:
        same = bytes.fromhex(first[:8] + second[8:])
        changed = database.execute("UPDATE entries SET root = ? WHERE root = ?", (same, bytes.fromhex(second)))
        assert changed.rowcount == 1
    message = refused(leech, 2, "get", first[:8])

    assert f"{first[:16]} (first)" in message
    assert f"{same.hex()[:16]} (second)" in message
    assert "use more digits" in message
    assert leech.run("get", first[:16]).returncode == 0


# How an engine starts


def test_port_that_is_taken_is_refused_when_asked_for(lan: Lan, work: Path) -> None:
    """An engine told to use a port that another program holds does not start; exit code 1 and what to do."""
    host = lan.host(0, work / "host0")
    occupant = host.popen(47999, script=HERE / "occupant.py")
    read_until(occupant, "ready")
    message = refused(host, 1, "--no-ui", "--port", 47999)

    assert "47999" in message
    assert message.count("\n") >= 2  # a hint follows
    refused(host, 3, "status", "--no-start")


def test_second_engine_on_a_profile_is_refused(lan: Lan, work: Path) -> None:
    """The second engine says who holds the profile and what to do, exit code 1; the first goes on."""
    host = lan.host(0, work / "host0").start()
    assert host.process
    message = refused(host, 1, "--no-ui")

    assert f"another engine (pid {host.process.pid})" in message
    assert "--profile DIR" in message
    assert host.json("status")["pid"] == host.process.pid


def test_unknown_setting_is_refused(lan: Lan, work: Path) -> None:
    """An unknown key of config.toml ends with 2 and names file, key and the nearest one; so does a bad value."""
    host = lan.host(0, work / "host0")
    config = host.home / "profile" / "config.toml"
    config.parent.mkdir()
    config.write_text('[node]\nnmae = "x"\n')
    message = refused(host, 2, "--no-ui")

    assert str(config) in message
    assert "'node.nmae'" in message
    assert "did you mean node.name?" in message
    config.write_text('[node]\nport = "high"\n')
    assert "node.port" in refused(host, 2, "--no-ui")
    config.write_text("[node\n")
    assert str(config) in refused(host, 2, "--no-ui")


def test_unknown_interface_is_refused(lan: Lan, work: Path) -> None:
    """An interface that does not exist ends with 2 and lists those that do."""
    message = refused(lan.host(0, work / "host0"), 2, "--no-ui", "--interface", "wlan7")

    assert "'wlan7'" in message
    assert "e0, lo" in message


def test_damaged_database_is_set_aside(lan: Lan, work: Path) -> None:
    """An engine whose database is damaged keeps it under another name, says so, and starts as the same peer."""
    host = lan.host(0, work / "host0").start()
    peer_id = host.json("status")["peer_id"]
    host.stop()
    profile = host.home / "profile"
    database = profile / "peerterm.db"
    damaged = b"\xa5" * database.stat().st_size
    database.write_bytes(damaged)
    host.start()

    assert host.json("status")["peer_id"] == peer_id
    assert "was damaged; it was set aside" in host.log()
    assert [path.read_bytes() for path in profile.glob("peerterm.db.damaged-1")] == [damaged]
    assert any("was damaged" in line["text"] for line in host.json("log"))


def test_key_that_others_may_read_is_refused(lan: Lan, work: Path) -> None:
    """A key file open to the group ends with 6 and the command that closes it; after that the engine starts."""
    host = lan.host(0, work / "host0").start()
    host.stop()
    key = host.home / "profile" / "key.pem"
    key.chmod(0o640)
    message = refused(host, 6, "--no-ui")

    assert f"chmod 600 {key}" in message
    key.chmod(0o600)
    assert host.start().json("status")["state"] == "ready"


# The control socket


def test_garbage_on_the_control_socket_is_dropped(lan: Lan, work: Path) -> None:
    """Noise, an oversized frame and a greeting of another version each lose only their own connection."""
    host = lan.host(0, work / "host0").start()
    greeting = encode(Greeting(control_version=CONTROL_VERSION, app_version="test"))
    future = encode(Greeting(control_version=CONTROL_VERSION + 1, app_version="9.9"))
    for noise in (os.urandom(4096), b"\xff\xff\xff\xff\x01", b"GET / HTTP/1.1\r\n\r\n", future, greeting * 2):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(socket_of(host))
            client.sendall(noise)
            with suppress(ConnectionResetError):
                while client.recv(4096):  # until the engine closes
                    pass

    assert host.json("status")["state"] == "ready"
    assert "Traceback" not in host.log()


def test_engine_of_another_version_is_told(lan: Lan, work: Path) -> None:
    """A client that meets an engine of another control version says so, with what to do, exit code 3."""
    host = lan.host(0, work / "host0")
    host.run("config", "path")  # makes the profile
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(socket_of(host))
        server.listen()

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(encode(Greeting(control_version=CONTROL_VERSION + 1, app_version="9.9")))
                client.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        message = refused(host, 3, "status", "--no-start")
        thread.join()

    assert "9.9" in message
    assert message.count("\n") >= 2


# Peers that lie


def files_below(top: Path) -> set[Path]:
    """Return every file there that is not part of a profile."""
    return {path for path in top.rglob("*") if path.is_file() and "profile" not in path.parts}


def test_hostile_names_reach_neither_disk_nor_terminal(work: Path) -> None:
    """A peer that offers names such as `..` or escapes harms nobody, and others go on being found and fetched."""
    for size, folder in enumerate(NAMES, start=1):
        make_file(work / "bad" / folder / "evil", size)
    good = make_file(work / "good" / "evil twin", 3 * MIB)
    with Lan(3) as lan:
        leech, liar, honest = (lan.host(number, work / f"host{number}") for number in range(3))
        liar.start(script=HERE / "hostile.py")
        for host in (leech, honest):
            host.start()
        leech.run("peers", "--wait", "2", "--timeout", "10")
        liar.run("share", work / "bad")
        honest.run("share", good.parent)
        before = files_below(work)
        said = []
        codes = {}
        for folder in NAMES:
            for words in (
                ("search", "evil"),
                ("browse", "host1", f"bad/{folder}"),
                ("get", f"host1/bad/{folder}"),
                ("get", f"host1/bad/{folder}/evil"),
            ):
                wait_until(lambda: "host1" in leech.online(), 20)  # a liar may be dropped, and comes back
                done = leech.run(*words, check=False, timeout=60)
                said.append(done.stderr + ("" if words[0] == "get" else done.stdout))  # a script gets paths whole
                codes[words] = done.returncode
            hits = leech.run("search", "twin", check=False).stdout
            assert "evil twin" in hits
        leech.run("get", "host2/good/evil twin")
        found = {path.relative_to(leech.downloads) for path in files_below(work) - before}

        print("\n" + "\n".join(f"{code} {' '.join(words)}" for words, code in codes.items()))
        text = "".join(said)
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text
        assert "Traceback" not in text + leech.log() + honest.log()
        assert {path.name for path in found} <= {"evil twin", NAMES["bidi"], "evil"}
        assert all(codes[("get", f"host1/bad/{folder}")] == 5 for folder in NAMES if folder != "bidi")
        assert leech.json("status")["state"] == "ready"


# A disk that is full, and stops


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a few bytes."""
    place.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    try:
        yield place
    finally:
        run("umount", "--lazy", place)


def test_download_that_does_not_fit_pauses(work: Path) -> None:
    """It says what is missing and what to do, and can be removed; what fits goes on."""
    film = make_file(work / "share" / "film.mkv", 40 * MIB)
    small = make_file(work / "share" / "small.bin", MIB)
    with small_disk(work / "small", "8m") as place, Lan(2) as lan:
        leech, seed = start_all(lan, work)
        seed.run("share", film, small)
        leech.run("get", "host1/film.mkv", "-o", place, "--detach", check=False)
        wait_until(lambda: leech.json("transfers")[0]["state"] == "paused", 10)
        paused = leech.json("transfers")[0]
        leech.run("cancel", paused["transfer_id"], "--delete")
        left = [path.name for path in place.rglob("*") if path.is_file()]
        again = leech.json("get", "host1/small.bin", "-o", place)

        print(f"\n{paused['error']}")
        assert paused["error_code"] == "disk_full"
        assert "goes on by itself" in paused["error"]
        assert left == []
        assert again["state"] == "done"
        assert leech.json("status")["state"] == "ready"
        leech.kill()


def seconds_to_stop(host: Host) -> float:
    """Stop an engine by its verb; return how long it took until the process had ended cleanly."""
    asked_at = time.monotonic()
    host.run("stop")
    assert host.process
    assert host.process.wait(10) == 0
    return time.monotonic() - asked_at


def test_stop_during_a_scan_is_prompt(lan: Lan, work: Path) -> None:
    """An engine that indexes 20,000 files and one of 100 GiB stops within five seconds."""
    folder = work / "many"
    folder.mkdir()
    for number in range(20_000):
        (folder / f"{number}").write_bytes(b"%d" % number)
    os.truncate(make_file(work / "huge.img", 0), 100 << 30)
    host = lan.host(0, work / "host0").start()
    seconds = []
    for path in (folder, work / "huge.img"):
        sharing = host.popen("share", path)
        wait_until(lambda: any(row["state"] == "indexing" for row in host.json("shares")), 10)
        seconds.append(seconds_to_stop(host))
        sharing.wait(10)
        host.start()
    seconds.append(seconds_to_stop(host))

    print(f"\nstopped after {', '.join(f'{each:.2f}' for each in seconds)} s")
    assert max(seconds) < STOP_SECONDS


def test_stop_during_a_transfer_is_prompt(work: Path) -> None:
    """A leech and a seed with a transfer between them each stop within five seconds."""
    film = make_file(work / "share" / "film.mkv", 300 * MIB)
    with Lan(2, uplink="200mbit") as lan:
        leech, seed = start_all(lan, work)
        seed.run("share", film)
        seconds = []
        for host in (leech, seed):
            leech.run("get", "host1/film.mkv", "--detach", check=False)
            wait_until(lambda: any(0 < row["bytes"] < row["total"] for row in leech.json("transfers")), 20)
            seconds.append(seconds_to_stop(host))
            if host is leech:
                leech.start()
                leech.run("peers", "--wait", "1", "--timeout", "10")

        print(f"\nstopped after {', '.join(f'{each:.2f}' for each in seconds)} s")
        assert max(seconds) < STOP_SECONDS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_an_engine_cleanly(number: signal.Signals, lan: Lan, work: Path) -> None:
    """A foreground engine told to end says bye to its peers at once and ends with 0."""
    watching, ended = start_all(lan, work)
    watcher = watching.watch()
    assert ended.process
    asked_at = time.monotonic()
    ended.process.send_signal(number)
    left = watcher.wait_for("peer_left", 5, name="host1")
    noticed = time.monotonic() - asked_at

    assert ended.process.wait(10) == 0
    assert left["reason"] == "bye"
    assert noticed < 1.0
