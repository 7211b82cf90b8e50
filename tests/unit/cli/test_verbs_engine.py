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

    assert plain.out.endswith(":01 info    net: a [2Jb\n")
    assert plain.out.count("\n") == 1
    assert [line["text"] for line in data.json] == ["old", "a\n\x1b[2Jb"]


def test_log_of_an_engine_that_ended_is_read_from_its_file(home: Path, run: Callable[..., Any]) -> None:
    """Why an engine ended can be seen without starting another."""
    home.mkdir(mode=0o700)
    (home / "peerterm.log").write_text(
        "cut\n2026-11-22T15:06:41.500 INFO    net link up\n2026-11-22T15:06:42.500 ERROR   engine disk full\n"
    )

    plain, data, refused = run("log", "-n", "1"), run("log", "--json"), run("log", "--no-start")

    assert plain.out == "2026-11-22 15:06:42 error   engine: disk full\n"
    assert [(line["level"], line["text"]) for line in data.json] == [("info", "link up"), ("error", "disk full")]
    assert refused.code == 3


def test_log_that_cannot_be_read_is_told(home: Path, run: Callable[..., Any]) -> None:
    """None at all is an empty list; one that is no file is an error of this machine."""
    empty, data = run("log"), run("log", "--json", "--quiet")
    (home / "peerterm.log").mkdir()
    broken = run("log")

    assert (empty.code, empty.out, empty.err) == (0, "", "the log is empty\n")
    assert data.json == []
    assert (broken.code, "peerterm.log" in broken.err) == (6, True)


def test_events_are_one_object_a_line(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream starts with a snapshot and ends with the engine."""
    later = iter([lambda: fake.peer_joined(make_peer("anna\u202e")), serving.stop])

    def announce(value: object) -> None:
        common.print_json(value)
        if (step := next(later, None)) is not None:
            serving.do(step)

    monkeypatch.setattr(verbs_engine, "print_json", announce)
    done = run("events")

    first, second = (json.loads(line) for line in done.out.splitlines())
    assert (done.code, done.err) == (0, "the engine has ended\n")
    assert done.out.isascii()
    assert (first["event"], second["event"]) == ("snapshot", "peer_joined")
    assert second["peer"]["name"] == "anna\u202e"
