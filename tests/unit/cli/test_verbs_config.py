"""config list, get, set, path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peerterm.control.lock import ProfileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.serving import ServedEngine


def test_config_can_be_listed_read_and_set(home: Path, run: Callable[..., Any]) -> None:
    """Settings need no engine."""
    written = run("config", "set", "port", "5000")
    read = run("config", "get", "node.port")
    listed = run("config", "list", "--json")
    table = run("config")

    assert (written.code, written.out) == (0, "")
    assert read.out == "5000\n"
    assert {item["name"]: item["source"] for item in listed.json}["node.port"] == "file"
    assert "node.port" in table.out
    assert run("config", "path").out == f"{home / 'config.toml'}\n"


def test_config_set_says_when_it_takes_effect(home: Path, run: Callable[..., Any]) -> None:
    """An engine that runs keeps its settings until it starts next."""
    run("config", "path")
    with ProfileLock(home / "lock"):
        done = run("config", "set", "node.name", "lab")

    assert "starts next" in done.err


def test_config_list_can_ask_the_engine(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """What runs may differ from the file."""
    assert len(run("config", "list", "--running", "--json").json) > 10


def test_unknown_setting_is_told_with_its_nearest(run: Callable[..., Any]) -> None:
    """A usage error."""
    done = run("config", "get", "node.prt")

    assert done.code == 2
    assert "node.port" in done.err
