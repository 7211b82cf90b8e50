"""Waiting for downloads: why they stand still, and Ctrl+C."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.cli import following
from peerterm.cli.common import Common
from tests.fakes.fake_engine import FakeEngine, make_transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine

RUNNING = make_transfer("x", bytes=500)
DONE = make_transfer("x", state="done", bytes=1000, path="/d/x")
ID = RUNNING.transfer_id


def test_get_that_waits_says_that_it_resumes(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Nobody is left to wonder why nothing moves, or how to end it."""
    fake.progress["abc"] = [RUNNING, replace(RUNNING, state="waiting"), DONE]

    done = run("get", "abc")

    assert done.code == 0
    assert f"x: no peer that has it is online; it resumes by itself (or: peerterm cancel {ID})\n" in done.err


def test_get_that_waits_says_who_had_it(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """What the engine knows is told, from the first moment on."""
    waiting = replace(RUNNING, state="waiting", error="anna had it\x1b[2J")
    fake.progress["abc"] = [waiting, RUNNING, DONE]

    assert "x: anna had it[2J\n" in run("get", "abc").err


def test_full_disk_is_told_once_and_waited_for(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """The figures in its text change all the time; that there is room again is seen in the progress."""
    full = replace(RUNNING, state="paused", error_code="disk_full", error="9 bytes too few on /d")
    fuller = replace(full, error="12 bytes too few on /d")
    fake.progress["abc"] = [RUNNING, full, fuller, replace(RUNNING, state="queued"), RUNNING, DONE]

    done = run("get", "abc", "--json")

    assert (done.code, done.json["state"]) == (0, "done")
    assert [line for line in done.err.splitlines() if "too few" in line] == ["x: 9 bytes too few on /d"]


def test_pause_from_elsewhere_is_told(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """With what lets it go on."""
    fake.progress["abc"] = [RUNNING, replace(RUNNING, state="paused"), DONE]

    assert f"x: to go on: peerterm resume {ID}\n" in run("get", "abc").err


def test_interrupt_leaves_the_transfer_running(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    interrupt_at_progress: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl+C ends the wait, says what goes on and how to stop it, and cancels nothing."""
    monkeypatch.setattr(following, "PAUSE_SECONDS", 0.0)
    fake.progress["abc"] = [replace(RUNNING, state="connecting"), RUNNING]

    done = run("get", "abc")

    assert (done.code, done.out) == (130, "")
    assert done.err.splitlines() == [
        f"the engine fetches on (to see it: peerterm transfers; to end it: peerterm cancel {ID}); "
        "Ctrl+C again pauses it"
    ]
    assert fake.known_transfers[0].state == "running"


def test_second_interrupt_pauses_the_transfers(fake: FakeEngine, serving: ServedEngine) -> None:
    """In a real process: what runs is paused, what has ended is not; how to resume is told."""
    fake.progress |= {
        "abc": [replace(RUNNING, state="waiting", error="anna had it")],
        "def": [make_transfer("y", state="done")],
    }
    with subprocess.Popen(
        [sys.executable, "-m", "peerterm", "get", "abc", "def"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = [process.stderr.readline()]
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            told.append(process.stderr.readline())
        code = process.wait(10)

    assert code == 130
    assert told[0] == "x: anna had it\n"
    assert told[2] == f"paused; to go on: peerterm resume {ID}\n"
    assert [view.state for view in fake.known_transfers] == ["paused", "done"]
    assert [asked for asked in fake.asked if asked[0] == "pause"] == [("pause", ID)]


def test_pause_that_is_refused_is_told(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    interrupt_at_progress: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The transfer ended between the two: the exit code stays that of an interrupt."""
    talk = Common.talk

    def talk_and_press(self: Common, text: str) -> None:
        talk(self, text)
        fake.known_transfers[0] = DONE
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Common, "talk", talk_and_press)
    fake.progress["abc"] = [RUNNING, RUNNING]

    done = run("get", "abc")

    assert done.code == 130
    assert "cannot be paused" in done.err
    assert fake.known_transfers == [DONE]
