"""Which events a command is told of, and what of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import (
    ConversationChanged,
    MessageAdded,
    Notice,
    OfferChanged,
    PeerJoined,
    PeerLeft,
    TransferChanged,
    TransferRemoved,
)
from peerterm.config import EventSettings
from peerterm.config_values import EVENT_KINDS
from peerterm.engine.happenings import Happening, Happenings
from tests.fakes.fake_base import OWN_NAME
from tests.fakes.fake_engine import make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.hooked import snapshot
from tests.fakes.spoken import BOB, line, ours

if TYPE_CHECKING:
    from peerterm.api.events import Event


def watching(*kinds: str) -> Happenings:
    """Return one that knows how the engine is, and wants all kinds or some."""
    happenings = Happenings(kinds or EVENT_KINDS)
    happenings.take(snapshot())
    return happenings


def kinds_of(happenings: Happenings, *events: Event) -> list[str]:
    """Return as what events are told."""
    return [found.kind for event in events for found in happenings.take(event)]


def test_peers_are_told_as_they_come_and_go() -> None:
    """With all that clients know of them, and why they left."""
    ben = make_peer("ben")
    happenings = watching()

    [came] = happenings.take(PeerJoined(peer=ben))
    [went] = happenings.take(PeerLeft(peer=ben, reason="bye"))

    assert json.loads(came.to_json()) == {"event": "peer_joined", **asdict(ben)}
    assert json.loads(went.to_json()) == {"event": "peer_left", **asdict(ben), "reason": "bye"}


def test_ends_of_downloads_are_told_once() -> None:
    """However often clients hear it; again if they began again, never for uploads or what was given up."""
    runs = make_transfer("film", state="running")
    done, failed = replace(runs, state="done"), replace(runs, state="failed")
    moves = (runs, done, done, runs, failed, failed)
    happenings = watching()

    told = kinds_of(happenings, *(TransferChanged(transfer=each) for each in moves))
    others = kinds_of(
        happenings,
        TransferChanged(transfer=make_transfer("sent", direction="up", state="done")),
        TransferChanged(transfer=make_transfer("unwanted", state="cancelled")),
        TransferRemoved(transfer_id=runs.transfer_id),
    )

    assert told == ["transfer_done", "transfer_failed"]
    assert others == []


def test_what_ended_before_is_no_news() -> None:
    """Neither transfers nor offers of the first snapshot have happened now."""
    done, offer = make_transfer("film", state="done"), make_offer("cat.jpg")
    happenings = Happenings(EVENT_KINDS)

    first = kinds_of(happenings, snapshot(transfers=[done], offers=[offer]))
    again = kinds_of(happenings, TransferChanged(transfer=done), OfferChanged(offer=offer))

    assert first == again == []


def test_what_happened_while_nobody_could_listen_is_told_by_the_next_snapshot() -> None:
    """Ends of transfers and offers are not lost when there was too much to hear it all."""
    runs, offer = make_transfer("film", state="running"), make_offer("cat.jpg")
    happenings = watching()
    happenings.take(TransferChanged(transfer=runs))

    told = kinds_of(happenings, snapshot(transfers=[replace(runs, state="done")], offers=[offer]))
    again = kinds_of(happenings, snapshot(transfers=[replace(runs, state="done")], offers=[offer]))

    assert told == ["transfer_done", "offer_received"]
    assert again == []


def test_only_offers_to_us_that_wait_are_told() -> None:
    """Once each; not what we offer, and not what has an answer."""
    offer = make_offer("cat.jpg")
    happenings = watching()

    told = kinds_of(
        happenings,
        OfferChanged(offer=offer),
        OfferChanged(offer=offer),
        OfferChanged(offer=replace(offer, state="accepted")),
        OfferChanged(offer=replace(offer, offer_id="f" * 16, direction="out")),
        OfferChanged(offer=replace(offer, offer_id="e" * 16, state="declined")),
    )

    assert told == ["offer_received"]


@pytest.mark.parametrize(
    ("text", "conversation", "kind"),
    [
        ("hello", "#lan", "message_received"),
        (f"hello {OWN_NAME}!", "#lan", "mention"),
        ("hello", BOB, "direct_message"),
        (f"hello {OWN_NAME}", BOB, "direct_message"),
    ],
)
def test_line_is_told_once_as_what_it_is_most(text: str, conversation: str, kind: str) -> None:
    """A direct message before a mention before any other line."""
    message = MessageAdded(message=line(1, text, conversation=conversation))

    assert kinds_of(watching(), message) == [kind]


@pytest.mark.parametrize(("conversation", "origin"), [("#lan", "#lan"), (BOB, BOB)])
def test_origin_of_a_line_is_the_room_or_who_said_it_to_us(conversation: str, origin: str) -> None:
    """Who speaks in a room under many names crowds out no more than that room's lines."""
    happenings = watching()
    lines = [replace(line(1, "hello", conversation=conversation), sender=sender) for sender in ("one", "other")]
    told = [each for message in lines for each in happenings.take(MessageAdded(message=message))]

    assert [each.origin for each in told] == [origin] * 2


def test_line_is_told_as_what_is_wanted() -> None:
    """Who wants all lines gets those to it and those that name it, too; who wants mentions not the others."""
    direct = MessageAdded(message=line(1, f"hello {OWN_NAME}", conversation=BOB))
    plain = MessageAdded(message=line(2, "hello"))

    assert kinds_of(watching("message_received"), direct, plain) == ["message_received", "message_received"]
    assert kinds_of(watching("mention"), direct, plain) == ["mention"]
    assert kinds_of(watching("peer_left"), direct, plain) == []


def test_own_lines_muted_ones_and_those_of_offers_are_not_told() -> None:
    """Until a conversation is heard again; an offer is told as such."""
    happenings = watching()
    room = make_conversation("#lan", is_muted=True)

    quiet = kinds_of(
        happenings,
        MessageAdded(message=ours(1)),
        MessageAdded(message=line(1, "offers cat.jpg", kind="offer", conversation=BOB)),
        ConversationChanged(conversation=room),
        MessageAdded(message=line(2, OWN_NAME)),
    )
    heard = kinds_of(
        happenings,
        ConversationChanged(conversation=replace(room, is_muted=False)),
        MessageAdded(message=line(3, OWN_NAME)),
    )
    happenings.take(snapshot(conversations=[room]))

    assert quiet == []
    assert heard == ["mention"]
    assert kinds_of(happenings, MessageAdded(message=line(4, OWN_NAME))) == []


def test_other_events_and_lines_of_nobody_knows_whom_are_nothing() -> None:
    """Before it is known who we are, no line can be told apart from ours."""
    assert kinds_of(watching(), Notice(level="info", text="x")) == []
    assert kinds_of(Happenings(EVENT_KINDS), MessageAdded(message=line(1))) == []


def test_default_tells_what_concerns_the_user() -> None:
    """Not every line of every room, and not who comes and goes."""
    unwanted = set(EVENT_KINDS) - set(EventSettings().on_event_kinds)

    assert unwanted == {"peer_joined", "peer_left", "message_received"}


def test_text_of_peers_is_harmless_and_paths_are_exact() -> None:
    """In names, lines and lists alike; where a file lies stays true though its name is odd."""
    evil = "a\x1b]0;b\x07\n\u202ec"
    source = asdict(make_transfer("film"))["sources"]
    transfer = make_transfer(evil, state="done", path=f"/d/{evil}", directory="/d\n", error=evil)
    offer = replace(make_offer(evil), peer_name=evil)

    told = json.loads(Happening("transfer_done", "", transfer).to_json())
    offered = json.loads(Happening("offer_received", "", offer).to_json())

    assert (told["name"], told["error"]) == ("a]0;b c", "a]0;b c")
    assert (told["path"], told["directory"], told["sources"]) == (f"/d/{evil}", "/d\n", source)
    assert (offered["peer_name"], offered["items"][0]["name"]) == ("a]0;b c", "a]0;b c")


def test_json_is_one_line_of_ascii() -> None:
    """Whatever is said, also what is no text at all."""
    written = Happening("mention", BOB, line(1, "grüße\n\udc80 \u2028")).to_json()

    assert written.isascii()
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")
