"""Lanes give way to the event loop where the processor is scarce."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from peerterm.net.priority import LANE_NICENESS, MAX_NICENESS, give_way


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
def test_only_the_thread_that_asks_gives_way() -> None:
    """The rest of the process keeps its priority; nothing gets nicer than can be."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[int] = []

    def work() -> None:
        for _ in range(5):
            give_way()
            seen.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen[0] == min(before + LANE_NICENESS, MAX_NICENESS)
    assert seen[-1] == MAX_NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a thread would change its whole process."""
    monkeypatch.setattr("peerterm.net.priority.sys.platform", "darwin")
    before = os.getpriority(os.PRIO_PROCESS, 0)
    give_way()

    assert os.getpriority(os.PRIO_PROCESS, 0) == before
