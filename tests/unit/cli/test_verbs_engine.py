"""status, stop, id, log, events, config."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.views import LogLine, StatusView
from peerterm.cli import common, verbs_engine
from peerterm.control.lock import ProfileLock
from tests.fakes.fake_engine import OWN_ID, FakeEngine, make_peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.serving import ServedEngine


def test_status_has_the_fields_of_the_contract(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Scripts depend on them."""
    fake.known_peers.append(make_peer("anna"))

    done = run("status", "--json")

    assert done.code == 0
    assert {"state", "peer_id", "name", "port", "version", "peers", "shares", "transfers"} <= set(done.json)
    assert (done.json["state"], done.json["peer_id"], done.json["peers"]) == ("ready", OWN_ID, 1)


def test_status_for_people_names_state_and_port(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The first line is the answer."""
    done = run("status")

    assert done.out.startswith("fake is ready: port 47470")


@pytest.mark.parametrize("options", [["--wait", "5"], ["--wait", "5", "--no-start"]])
def test_status_can_wait_for_a_ready_engine(
    options: list[str], serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """An engine that is ready ends the wait."""
    assert run("status", *options).code == 0


def test_status_does_not_wait_for_ever(run: Callable[..., Any]) -> None:
    """Without an engine the wait ends with 3."""
    assert run("status", "--wait", "0.05", "--no-start").code == 3


def test_status_tells_an_engine_that_does_not_get_ready(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is printed, and the exit code says that it is not ready."""
    status = fake.status

    async def starting() -> StatusView:
        return replace(await status(), state="starting")

    monkeypatch.setattr(fake, "status", starting)
    done = run("status", "--wait", "0.05")

    assert done.code == 3
    assert "is starting" in done.out


def test_stop_ends_the_engine_and_waits(home: Path, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Afterwards none runs."""
    stopped = run("stop")
    after = run("status", "--no-start")

    assert (stopped.code, stopped.err) == (0, "the engine has ended\n")
    assert after.code == 3


def test_stop_tells_an_engine_that_does_not_end(
    home: Path, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that keeps the profile is named by its process."""
    monkeypatch.setattr(verbs_engine, "STOP_SECONDS", 0.1)
    with ProfileLock(home / "lock"):
        done = run("stop", "--json")

    assert done.code == 3
    assert "kill -9 1" in json.loads(done.err)["error"]["hint"]


def test_id_shows_who_this_is(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The link is what others dial; the QR code is drawn on request."""
    plain, code, data = run("id"), run("id", "--qr"), run("id", "--json", "--qr")

    assert f"id        {OWN_ID}" in plain.out
    assert len(code.out) > len(plain.out)
    assert data.json["link"] == "peerterm:fake"


def test_log_shows_the_newest_lines(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A hostile line stays one line."""
    fake.lines = [LogLine(at=1.0, level="info", source="net", text=text) for text in ("old", "a\n\x1b[2Jb")]

    plain, data = run("log", "-n", "1"), run("log", "--json")

    assert plain.out.endswith("info    net a [2Jb\n")
    assert plain.out.count("\n") == 1
    assert [line["text"] for line in data.json] == ["old", "a\n\x1b[2Jb"]


def test_events_are_one_object_a_line(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream starts with a snapshot and ends with the engine."""
    later = iter([lambda: fake.join(make_peer("anna\u202e")), serving.stop])

    def announce(value: object) -> None:
        common.print_json(value)
        if (step := next(later, None)) is not None:
            serving.do(step)

    monkeypatch.setattr(verbs_engine, "print_json", announce)
    done = run("events")

    first, second = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 0
    assert done.out.isascii()
    assert (first["event"], second["event"]) == ("snapshot", "peer_joined")
    assert second["peer"]["name"] == "anna\u202e"


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
