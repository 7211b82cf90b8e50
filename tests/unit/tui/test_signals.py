"""Signals that end the program."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

import pytest

from peerterm.tui.signals import ENDING

SCRIPT = """
    import sys, threading
    from peerterm.tui import signals

    signals.LEAVE_SECONDS = float(sys.argv[1])
    asked, never = threading.Event(), threading.Event()

    def leave(code):
        print("leave", code, flush=True)
        asked.set()

    ending = signals.Ending(leave, lambda: print("abandon", flush=True))
    ending.watch()
    print("ready", ending.is_begun, flush=True)
    {awaited}.wait()
    print("ended", ending.is_begun, flush=True)
    sys.exit(7)
"""


def start(deadline: float, awaited: str = "never") -> subprocess.Popen[str]:
    """Start a process that watches for signals, and ends in order once the event was set that it waits for."""
    script = textwrap.dedent(SCRIPT).replace("{awaited}", awaited)
    process = subprocess.Popen([sys.executable, "-c", script, str(deadline)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready False\n"
    return process


@pytest.mark.parametrize("number", ENDING)
def test_program_that_does_not_end_is_ended(number: signal.Signals) -> None:
    """It is asked to, then given a time, then ended with the code of the signal."""
    process = start(0.2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=5)

    assert said == f"leave {128 + number}\nabandon\n"
    assert process.returncode == 128 + number


def test_second_signal_ends_it_at_once() -> None:
    """Whoever asks twice does not want to wait."""
    process = start(60)
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    assert process.stdout.readline() == f"leave {128 + signal.SIGTERM}\n"
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=5)

    assert said == "abandon\n"
    assert process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - asked < 5


def test_second_hang_up_is_the_same_one() -> None:
    """Of one terminal that goes away, the kernel and the shell may both tell."""
    process = start(60)
    process.send_signal(signal.SIGHUP)
    assert process.stdout
    assert process.stdout.readline() == f"leave {128 + signal.SIGHUP}\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=5)

    assert said == "abandon\n"
    assert process.returncode == 128 + signal.SIGHUP


def test_program_that_ends_in_time_is_let_go() -> None:
    """Its own exit code counts."""
    process = start(60, "asked")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=5)

    assert said == f"leave {128 + signal.SIGTERM}\nended True\n"
    assert process.returncode == 7
