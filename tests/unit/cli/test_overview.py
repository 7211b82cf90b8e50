"""Bare ``peerterm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.fakes.serving import ServedEngine


def test_bare_command_shows_the_engine_at_a_glance(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """State, peers, shares, and what to type next."""
    fake.known_peers.append(make_peer("anna"))
    fake.known_transfers = [make_transfer("film"), make_transfer("song", state="done")]

    done = run()

    assert done.code == 0
    assert "fake is ready on port 47470" in done.out
    assert "anna" in done.out
    assert "film" in done.out
    assert "song" not in done.out
    assert "peerterm share PATH" in done.out


def test_bare_command_has_json(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The status alone."""
    assert run("--json").json["state"] == "ready"


def test_flags_for_an_engine_that_runs_already_are_told(
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What can be done now is done, the rest is not silently ignored."""
    monkeypatch.chdir(tmp_path)

    done = run("--share", ".", "--name", "x", "--interface", "lo")

    assert [asked[:2] for asked in fake.asked] == [("share", str(tmp_path))]
    assert "without --name --interface" in done.err
