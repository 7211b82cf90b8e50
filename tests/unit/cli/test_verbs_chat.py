"""chat send, log, rooms, join, leave, mute, read."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.cli.verbs_chat import MAX_INPUT_BYTES
from tests.fakes.fake_engine import OWN_ID, FakeEngine, make_peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine

ANNA = make_peer("anna")
AWAY = make_peer("ben", state="offline")


@pytest.fixture(autouse=True)
def _known(fake: FakeEngine) -> None:
    fake.known_peers = [ANNA, AWAY]


def feed(patch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put something on standard input."""
    patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_message_has_the_fields_of_the_contract(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Scripts depend on them."""
    done = run("chat", "send", "anna", "hello", "--json")

    assert done.code == 0
    assert {"id", "conversation", "sender", "sender_name", "text", "kind", "sent_at", "state"} <= set(done.json)
    assert (done.json["conversation"], done.json["sender"], done.json["text"]) == (ANNA.peer_id, OWN_ID, "hello")
    assert (done.json["kind"], done.json["state"], done.err) == ("text", "sent", "")


def test_what_nobody_takes_now_is_said_to_wait(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The state is a word; what becomes of it is told."""
    done = run("chat", "send", "ben", "hello")

    assert done.out.endswith("fake: hello (queued)\n")
    assert "goes by itself" in done.err


def test_me_says_what_one_does(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The kind tells other programs."""
    done = run("chat", "send", "#lan", "--me", "waves")

    assert done.out.endswith("* fake waves (sent)\n")
    assert fake.asked == [("say", "#lan", "waves", "me")]


@pytest.mark.parametrize(
    ("typed", "said"), [(b"a\nb\n", "a\nb"), (b"  x", "  x"), ("grüß".encode(), "grüß"), (b"\n\n", "\n")]
)
def test_a_dash_takes_standard_input(
    typed: bytes,
    said: str,
    fake: FakeEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it but the end of its last line."""
    feed(monkeypatch, typed)

    assert run("chat", "send", "anna", "-").code == 0
    assert fake.asked == [("say", "anna", said, "text")]


@pytest.mark.parametrize("typed", [b"", b"\xff", b"x" * 4001, b"x" * (MAX_INPUT_BYTES + 1)])
def test_standard_input_that_is_no_message_is_refused(
    typed: bytes, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, no text, or too much."""
    feed(monkeypatch, typed)

    assert run("chat", "send", "anna", "-").code == 2


@pytest.mark.parametrize("text", ["-x", "--quite", "[b]bold[/b]"])
def test_a_text_may_look_like_an_option(
    text: str, fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Only what is an option is one."""
    done = run("chat", "send", "anna", text)

    assert f"fake: {text} (sent)" in done.out


@pytest.mark.parametrize(
    ("where", "code"), [("nobody", 4), ("#nowhere", 4), ("#", 2), ("fake", 2)], ids=["peer", "room", "name", "self"]
)
def test_a_place_that_is_none_is_told(
    where: str, code: int, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """The exit code says whether it could be one."""
    done = run("chat", "send", where, "hello", "--json")

    assert (done.code, done.out) == (code, "")
    assert json.loads(done.err)["error"]["message"]


def test_log_shows_the_newest_and_how_to_go_on(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Oldest first; an id leads to those before it."""
    said = [fake.hear("", ANNA, text) for text in ("one", "two", "three")]

    newest, data = run("chat", "log", "anna", "-n", "2"), run("chat", "log", "anna", "-n", "2", "--json")
    before = run("chat", "log", "anna", "--before", said[1].id)

    assert [line[-5:] for line in newest.out.splitlines()] == [": two", "three"]
    assert f"--before {said[1].id}" in newest.err
    assert [line["text"] for line in data.json] == ["two", "three"]
    assert (before.out[-4:], before.err) == ("one\n", "")


def test_log_of_a_silent_conversation_is_empty(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """That is no failure."""
    done, data = run("chat", "log", "anna"), run("chat", "log", "anna", "--json")

    assert (done.code, done.out, done.err) == (0, "", "anna: nothing was said\n")
    assert data.json == []


def test_what_peers_say_cannot_steer_the_terminal(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Names and texts are cleaned for people; in JSON they are as they came, in ASCII."""
    fake.hear("#lan", make_peer("a\x1b[2J\u202e"), "x\x1b]0;y\x07\r\nz\u202e")

    done, data = run("chat", "log", "#lan"), run("chat", "log", "#lan", "--json")

    assert [line.isprintable() for line in done.out.splitlines()] == [True, True]
    assert data.out.isascii()
    assert data.json[0]["text"] == "x\x1b]0;y\x07\r\nz\u202e"


@pytest.mark.parametrize("verb", [["chat"], ["chat", "rooms"]])
def test_rooms_lists_all_conversations(
    verb: list[str], fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """With what is unread, and who is there."""
    fake.hear("", ANNA, "hello")

    plain, data = run(*verb), run(*verb, "--json")

    assert plain.out.splitlines()[0].split() == ["conversation", "unread", "here", "last"]
    assert plain.out.splitlines()[1].split()[:3] == ["anna", "1", "anna"]
    assert [(view["name"], view["kind"], view["unread"]) for view in data.json] == [
        ("anna", "direct", 1),
        ("#lan", "room", 0),
    ]


def test_rooms_are_joined_and_left(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A room that was left stays listed; one that we are no member of cannot be left."""
    joined, left, again = (run("chat", verb, "#Films") for verb in ("join", "leave", "leave"))
    listed = run("chat", "rooms")

    assert (joined.out, left.out, again.code) == ("#films: 1 other member\n", "#films: left\n", 4)
    assert any(line.split()[0] == "#films" and line.endswith("left") for line in listed.out.splitlines())
    assert run("chat", "join", "films").code == 2


def test_a_muted_conversation_counts_as_read(
    fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Until it is heard again."""
    muted = run("chat", "mute", "#lan")
    fake.hear("#lan", ANNA, "hello")
    listed, heard = run("chat", "--json"), run("chat", "mute", "#lan", "--off", "--json")

    assert muted.out == "#lan: muted\n"
    assert [(view["unread"], view["is_muted"]) for view in listed.json] == [(0, True)]
    assert heard.json["is_muted"] is False


def test_read_is_told(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """Nothing is unread afterwards."""
    fake.hear("", ANNA, "hello")

    assert run("chat", "read", "anna").out == "anna: read\n"
    assert fake.talk[ANNA.peer_id].unread == 0
