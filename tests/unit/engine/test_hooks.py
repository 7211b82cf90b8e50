"""A command of the user that is told what happens: real programs, of which some do what they should not."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
from pathlib import Path

import pytest

from peerterm.api.events import MessageAdded, Notice, PeerJoined
from peerterm.engine import hook_command, hooks
from peerterm.engine.hook_command import run_command
from tests.fakes.engines import eventually, running, until_online
from tests.fakes.fake_base import OWN_NAME
from tests.fakes.fake_engine import make_peer
from tests.fakes.hooked import KEEPS, hooked, publish, python, told
from tests.fakes.spoken import BOB, line

FOR_EVER = "import os, sys, time; open(sys.argv[1] + '/pid', 'w').write(str(os.getpid())); time.sleep(999)"
STARTS_ANOTHER = (
    "import subprocess, sys; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(999)'], {pipes}); "
    "open(sys.argv[1] + '/pid', 'w').write(str(child.pid))"
)

HOSTILE = (
    "'; touch pwned; '",
    '"$(touch pwned)"',
    "`touch pwned`",
    "--help",
    "-c",
    "a\nb",
    "$HOME",
    "%s{url}",
    "\\",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where a command leaves what it was told."""
    (tmp_path / "told").mkdir()
    return tmp_path / "told"


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def pid_in(folder: Path) -> int:
    """Return the process that a command told of."""
    file = folder / "pid"
    await eventually(lambda: file.exists() and file.read_text())
    return int(file.read_text())


# What it is told


async def test_command_reads_what_happened(folder: Path, tmp_path: Path) -> None:
    """One JSON object a run."""
    async with hooked(python(KEEPS, folder), tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")), MessageAdded(message=line(1, f"hi {OWN_NAME}")))
        await eventually(lambda: len(told(folder)) == 2)

    assert {each["event"] for each in told(folder)} == {"peer_joined", "mention"}


async def test_command_is_told_only_what_is_wanted(folder: Path, tmp_path: Path) -> None:
    """Others pass it by."""
    async with hooked(python(KEEPS, folder), tmp_path, "peer_joined") as bus:
        publish(bus, MessageAdded(message=line(1)), PeerJoined(peer=make_peer("ben")))
        await eventually(lambda: told(folder))

    assert [each["event"] for each in told(folder)] == ["peer_joined"]


async def test_nothing_that_a_peer_says_is_an_argument_or_a_command(folder: Path, tmp_path: Path) -> None:
    """Quotes, substitutions, newlines and dashes reach stdin as text, and nothing else."""
    keeps_all = (
        "import json, os, sys; all = json.dumps([sys.argv, dict(os.environ), sys.stdin.read()]); "
        "print(all, file=open(sys.argv[1] + '/all', 'w'))"
    )
    command, home = python(keeps_all, folder), tmp_path / "home"
    for name in HOSTILE:
        async with hooked(command, home) as bus:
            publish(bus, MessageAdded(message=line(1, name, sender_name=name, conversation=BOB)))
            await eventually(lambda: (folder / "all").exists() and (folder / "all").read_text().endswith("\n"))
        arguments, environment, said = json.loads((folder / "all").read_text())
        (folder / "all").unlink()

        assert arguments == ["-c", str(folder)]
        assert {key: environment[key] for key in environment if os.environ.get(key) != environment[key]} == {
            "PEERTERM_HOME": str(home)
        }
        assert json.loads(said)["sender_name"] == name.replace("\n", " ")
    assert not Path("pwned").exists()


async def test_program_below_the_home_is_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``~`` names it; all other words are as they stand."""
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "\\"$1\\"" > {folder}/x\n')
    script.chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with hooked("~/hook '~ $(id) *'", tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")))
        await eventually(lambda: told(folder))

    assert (folder / "x").read_text() == '"~ $(id) *"\n'


async def test_without_a_command_nobody_listens(tmp_path: Path) -> None:
    """It costs nothing."""
    async with hooked("", tmp_path) as bus:
        assert not bus._subscriptions


# How it ends


async def test_output_and_status_go_to_the_log_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The beginning of what it writes, harmless; a failure is a warning."""
    caplog.set_level(logging.DEBUG)
    writes = (
        "import sys; print('\\x1b[31mred'); sys.stdout.flush(); print('x' * 10**6, file=sys.stderr); sys.exit(3)"
    )
    async with hooked(python(writes), tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")))
        await eventually(lambda: "on_event ended" in caplog.text)
    [record] = [record for record in caplog.records if record.name == "peerterm.hooks"]

    assert record.levelno == logging.WARNING
    assert "event=peer_joined status=3 output='[31mred x" in record.getMessage()
    assert len(record.getMessage()) < hook_command.MAX_OUTPUT_BYTES + 100
    assert capfd.readouterr() == ("", "")


async def test_success_is_hardly_worth_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without output it is for debugging only."""
    caplog.set_level(logging.DEBUG)
    async with hooked("true", tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")))
        await eventually(lambda: "on_event ended" in caplog.text)

    assert [record.levelno for record in caplog.records if record.name == "peerterm.hooks"] == [logging.DEBUG]


async def test_command_that_reads_nothing_is_well(tmp_path: Path) -> None:
    """However much it is told."""
    outcome = await run_command(["true"], b"x" * 10**6, os.environ)

    assert (outcome.status, outcome.output) == (0, "")


async def test_command_that_never_ends_is_killed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After its time, and the log says so."""
    monkeypatch.setattr(hook_command, "COMMAND_SECONDS", 1.0)
    async with hooked(python(FOR_EVER, folder), tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")))
        pid = await pid_in(folder)
        await eventually(lambda: "took too long and was killed event=peer_joined" in caplog.text)

        assert not is_running(pid)


async def test_what_a_command_starts_ends_with_its_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it has the output, the command goes on; then both are killed."""
    monkeypatch.setattr(hook_command, "COMMAND_SECONDS", 2.0)
    program = STARTS_ANOTHER.format(pipes="")
    outcome = await run_command(["python3", "-c", program, str(folder)], b"", os.environ)
    pid = await pid_in(folder)

    assert outcome.status is None
    await eventually(lambda: not is_running(pid))


async def test_what_a_command_leaves_behind_ends_with_it(folder: Path) -> None:
    """Also what gave the output away."""
    program = STARTS_ANOTHER.format(pipes="stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL")
    outcome = await run_command(["python3", "-c", program, str(folder)], b"", os.environ)
    pid = await pid_in(folder)

    assert outcome.status == 0
    await eventually(lambda: not is_running(pid))


async def test_engine_that_ends_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    """Whatever a command is about."""
    async with hooked(python(FOR_EVER, folder), tmp_path) as bus:
        publish(bus, PeerJoined(peer=make_peer("ben")))
        pid = await pid_in(folder)
        was_running = is_running(pid)

    assert was_running
    assert not is_running(pid)


async def test_missing_program_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """To the user and in the log, however much happens; the engine goes on."""
    notices: list[str] = []
    async with hooked("/no/such/program --flag", tmp_path) as bus:
        with bus.subscribe() as events:
            publish(bus, *(PeerJoined(peer=make_peer(name)) for name in ("ann", "ben", "cleo")))
            async with asyncio.timeout(20):
                async for event in events:
                    if isinstance(event, Notice):
                        notices.append(event.text)
                        break
        await asyncio.sleep(3 / hooks.MAX_COMMANDS_PER_SECOND)

    assert notices == ["events.on_event: /no/such/program cannot be started: No such file or directory"]
    assert caplog.text.count("cannot be started") == 1


# How much of it


async def test_few_run_at_once_and_few_begin_in_a_second(folder: Path, tmp_path: Path) -> None:
    """What more happens waits its turn."""
    slow = (
        "import os, sys, time; name = sys.argv[1] + '/' + str(os.getpid()); "
        "open(name, 'w').write(repr(time.time())); time.sleep(0.9); open(name, 'a').write(' ' + repr(time.time()))"
    )
    began = time.monotonic()
    async with hooked(python(slow, folder), tmp_path) as bus:
        publish(bus, *(PeerJoined(peer=make_peer(f"p{number}")) for number in range(8)))
        await eventually(lambda: sum(" " in file.read_text() for file in folder.iterdir()) == 8)
    runs = [tuple(map(float, file.read_text().split())) for file in folder.iterdir()]
    at_once = max(sum(begin <= other[0] < end for begin, end in runs) for other in runs)

    assert at_once <= hooks.MAX_COMMANDS
    assert time.monotonic() - began >= 7 / hooks.MAX_COMMANDS_PER_SECOND


async def test_flood_of_one_peer_leaves_room_for_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of its lines few wait, the rest is counted; what another does is told."""
    monkeypatch.setattr(hooks, "MAX_COMMANDS_PER_SECOND", 1000)
    monkeypatch.setattr(hooks, "REPORT_SECONDS", 0.1)
    async with hooked(python(KEEPS, folder), tmp_path) as bus:
        publish(bus, *(MessageAdded(message=line(number)) for number in range(500)))
        publish(bus, PeerJoined(peer=make_peer("ben")))
        await eventually(lambda: any(each["event"] == "peer_joined" for each in told(folder)))
        await eventually(lambda: "on_event left out count=" in caplog.text)
        lines = [each for each in told(folder) if each["event"] == "message_received"]

    assert 1 <= len(lines) <= hooks.MAX_WAITING_OF_ONE + hooks.MAX_COMMANDS
    assert "count=0" not in caplog.text


async def test_flood_of_many_peers_is_bounded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only so much waits, whoever causes it."""
    monkeypatch.setattr(hooks, "REPORT_SECONDS", 0.1)
    async with hooked(python(FOR_EVER, folder), tmp_path) as bus:
        publish(bus, *(PeerJoined(peer=make_peer(f"p{number}", peer_id=f"{number:064x}")) for number in range(900)))
        await eventually(lambda: "on_event left out count=" in caplog.text)
    [left_out] = re.findall("count=([0-9]+)", caplog.text)

    assert int(left_out) >= 900 - hooks.MAX_WAITING - hooks.MAX_COMMANDS


# In an engine


async def test_engine_tells_who_joins(folder: Path, tmp_path: Path) -> None:
    """From its first moment, and its profile is what the command gets as its own."""
    async with running(tmp_path, "anna", on_event=python(KEEPS, folder)) as anna, running(tmp_path, "ben") as ben:
        await until_online(anna, 1)
        await until_online(ben, 1)
        await eventually(lambda: any(each["event"] == "peer_joined" for each in told(folder)))
        [view] = await anna.peers()

    assert told(folder)[0]["peer_id"] == view.peer_id
