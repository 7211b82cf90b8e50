"""What the screen shows of the engine, as its events say it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import (
    ConversationChanged,
    Event,
    MessageAdded,
    Notice,
    OfferChanged,
    PeerAddressChanged,
    PeerChanged,
    PeerJoined,
    PeerLeft,
    PeerRenamed,
    PeerRestarted,
    ShareChanged,
    ShareRemoved,
    Snapshot,
    SourceDropped,
    StreamChanged,
    StreamRemoved,
    TransferChanged,
)
from peerterm.tui.model import MAX_NEWS, Changes, Model
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.programs import make_share
from tests.fakes.spoken import line
from tests.fakes.streamed import make_stream

if TYPE_CHECKING:
    from peerterm.api.views import TransferView

BOB = make_peer("bob")
FILM = make_transfer("film.mkv", bytes=400, total=1000, rate=50.0)


async def snapshot(**parts: Any) -> Snapshot:
    """Return a snapshot with only these parts."""
    known: dict[str, Any] = {"status": await FakeEngine().status(), "peers": [], "shares": [], "transfers": []}
    return Snapshot(**known | parts)


def news_of(*events: Event) -> list[tuple[str, str]]:
    """Return what a user is told of events."""
    model = Model()
    for event in events:
        model.apply(event)
    return model.take_changes().news


async def test_snapshot_replaces_everything() -> None:
    """What it does not have is gone; panes are to show all anew, and nothing of it is news."""
    model = Model()
    model.apply(await snapshot(peers=[BOB], shares=[make_share("Music")], transfers=[FILM]))
    model.apply(await snapshot(peers=[make_peer("eve")]))
    changes = model.take_changes()

    assert [peer.name for peer in model.peers.values()] == ["eve"]
    assert not model.shares
    assert not model.transfers
    assert model.status is not None
    assert changes.everything
    assert not changes.news


def test_changes_are_taken_once() -> None:
    """Each look gets what happened since the one before."""
    model = Model()
    model.apply(PeerJoined(peer=BOB))
    model.apply(ShareChanged(share=make_share("Music")))
    model.apply(TransferChanged(transfer=FILM))
    changes = model.take_changes()

    assert changes.peers == {BOB.peer_id}
    assert len(changes.shares) == 1
    assert changes.transfers == {FILM.transfer_id}
    assert not changes.everything
    assert model.take_changes() == Changes()


@pytest.mark.parametrize(
    "event",
    [
        PeerJoined(peer=BOB),
        PeerLeft(peer=BOB, reason="bye"),
        PeerRestarted(peer=BOB),
        PeerRenamed(peer=BOB, old_name="rob"),
        PeerAddressChanged(peer=BOB, old_address="10.0.0.1:1"),
        PeerChanged(peer=BOB),
    ],
)
def test_every_event_of_a_peer_brings_its_newest_view(event: Event) -> None:
    """Whatever happened to it."""
    model = Model()
    model.apply(event)

    assert model.peers == {BOB.peer_id: BOB}
    assert model.take_changes().peers == {BOB.peer_id}


def test_share_that_is_removed_is_a_change() -> None:
    """A pane must take its row away."""
    model, share = Model(), make_share("Music")
    model.apply(ShareChanged(share=share))
    model.take_changes()
    model.apply(ShareRemoved(share_id=share.share_id))

    assert not model.shares
    assert model.take_changes().shares == {share.share_id}


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (PeerJoined(peer=BOB), "info", "bob is online"),
        (PeerLeft(peer=BOB, reason="bye"), "info", "bob is offline"),
        (PeerLeft(peer=BOB, reason="lost"), "info", "bob is offline (lost)"),
        (PeerRenamed(peer=BOB, old_name="rob"), "info", "rob is called bob now"),
        (Notice(level="warning", text="the disk is nearly full"), "warning", "the disk is nearly full"),
        (
            SourceDropped(transfer_id="1", peer_id="2", name="eve", reason="bad data", strikes=3),
            "warning",
            "eve is not asked any more: bad data",
        ),
    ],
)
def test_facts_are_told(event: Event, level: str, text: str) -> None:
    """In words, each with how serious it is."""
    assert news_of(event) == [(level, text)]


@pytest.mark.parametrize("event", [PeerRestarted(peer=BOB), PeerChanged(peer=BOB), TransferChanged(transfer=FILM)])
def test_progress_is_no_news(event: Event) -> None:
    """The rows say it."""
    assert not news_of(event)


@pytest.mark.parametrize(
    ("fields", "news"),
    [
        ({"state": "done"}, [("info", "film.mkv is here")]),
        ({"state": "failed", "error": "no space"}, [("error", "film.mkv: no space")]),
        ({"state": "failed", "error": "film.mkv: no space"}, [("error", "film.mkv: no space")]),
        ({"state": "failed"}, [("error", "film.mkv: failed")]),
        ({"state": "paused"}, []),
        ({"state": "done", "direction": "up"}, []),
        ({"bytes": 500}, []),
    ],
)
def test_end_of_a_download_is_told_once(fields: dict[str, Any], news: list[tuple[str, str]]) -> None:
    """Its name comes once, and an upload's end is its peer's business."""
    ended = replace(FILM, **fields)

    assert news_of(*map(lambda view: TransferChanged(transfer=view), (FILM, ended, ended))) == news  # noqa: C417


def test_what_ended_before_we_looked_is_no_news() -> None:
    """The first view of a transfer says nothing of how it got there."""
    assert not news_of(TransferChanged(transfer=replace(FILM, state="failed", error="long ago")))


def test_news_nobody_looks_at_do_not_pile_up() -> None:
    """Of a burst the newest stay."""
    news = news_of(*(Notice(level="info", text=str(number)) for number in range(MAX_NEWS + 50)))

    assert len(news) == MAX_NEWS
    assert news[-1] == ("info", str(MAX_NEWS + 49))


def model_with(*transfers: TransferView) -> Model:
    """Return a model of some transfers."""
    model = Model()
    for view in transfers:
        model.apply(TransferChanged(transfer=view))
    return model


def test_rates_sum_up_what_moves() -> None:
    """Only what runs counts; the end of all is when the downloads that run are complete."""
    rates = model_with(
        FILM,
        make_transfer("b", bytes=0, total=400, rate=50.0),
        make_transfer("c", direction="up", rate=7.0),
        make_transfer("d", state="queued"),
        make_transfer("e", state="waiting"),
        make_transfer("f", state="failed"),
        make_transfer("g", state="paused"),
    ).rates

    assert (rates.down, rates.down_rate, rates.up, rates.up_rate) == (2, 100.0, 1, 7.0)
    assert (rates.queued, rates.failed) == (2, 1)
    assert rates.eta == 10.0


def test_without_a_rate_there_is_no_end() -> None:
    """Nobody can say when nothing moves."""
    assert model_with(replace(FILM, rate=0.0)).rates.eta is None


async def test_failure_that_was_seen_alarms_again_when_it_fails_again() -> None:
    """A new failure is a new reason to look."""
    failed = replace(FILM, state="failed")
    model = model_with(failed)
    model.seen_failures.add(FILM.transfer_id)
    assert model.rates.failed == 0
    model.apply(TransferChanged(transfer=FILM))
    model.apply(TransferChanged(transfer=failed))

    assert model.rates.failed == 1


def test_each_failure_needs_attention_once_and_a_broken_share_until_it_is_mended() -> None:
    """Transfers come first; where nothing is wrong nothing does."""
    model, broken = model_with(replace(FILM, state="failed")), make_share("Old disk", state="missing")
    for share in (make_share("Music"), broken):
        model.apply(ShareChanged(share=share))
    asked = [model.next_alarm() for _ in range(3)]
    model.apply(ShareRemoved(share_id=broken.share_id))

    assert asked == [("transfers", FILM.transfer_id), *[("shares", broken.share_id)] * 2]
    assert model.next_alarm() is None


async def test_failures_that_are_gone_are_forgotten() -> None:
    """What is remembered of them does not grow with time."""
    model = model_with(replace(FILM, state="failed"))
    model.seen_failures.add(FILM.transfer_id)
    model.apply(await snapshot(transfers=[FILM]))
    assert not model.seen_failures
    model.seen_failures.add(FILM.transfer_id)
    model.take_changes()
    model.forget_transfer(FILM.transfer_id)
    model.forget_transfer("unknown")

    assert not model.seen_failures
    assert not model.transfers
    assert model.take_changes().transfers == {FILM.transfer_id}


def test_only_who_is_online_counts() -> None:
    """One that left is still known."""
    model = Model()
    model.apply(PeerJoined(peer=BOB))
    model.apply(PeerLeft(peer=make_peer("eve", state="offline"), reason="bye"))

    assert model.online == [BOB]
    assert len(model.peers) == 2


async def test_streams_are_followed() -> None:
    """They come, move on and go; one that is not known leaves no trace, and nothing of it is news."""
    model, stream = Model(), make_stream("film.mkv")
    model.apply(await snapshot(streams=[stream]))
    assert model.take_changes().everything
    model.apply(StreamChanged(stream=replace(stream, position=7)))
    model.apply(StreamRemoved(stream_id="none"))
    moved = model.take_changes()
    assert (moved.streams, moved.news) == ({stream.stream_id}, [])
    assert model.streams[stream.stream_id].position == 7
    model.note_stream("shown")
    model.apply(StreamRemoved(stream_id=stream.stream_id))
    gone = model.take_changes()

    assert gone.streams == {stream.stream_id, "shown"}
    assert model.streams == {}
    assert model.take_changes().streams == set()


@pytest.mark.parametrize("is_removed", [False, True])
def test_shares_are_followed(is_removed: bool) -> None:
    """By their ids."""
    model, share = Model(), make_share("Music")
    model.apply(ShareChanged(share=share))
    if is_removed:
        model.apply(ShareRemoved(share_id=share.share_id))

    assert model.take_changes().shares == {share.share_id}
    assert (share.share_id in model.shares) is not is_removed


async def test_what_is_said_to_us_is_news_once_until_it_is_shown() -> None:
    """The first line of each conversation; what is in front of the user is none, nor what others talk about."""
    model = Model()
    model.apply(await snapshot(conversations=[make_conversation("#lan", unread=1)]))
    model.take_changes()
    for number, (conversation, text) in enumerate([("b0", "one"), ("b0", "two"), ("#lan", "x"), ("#lan", "fake?")]):
        model.apply(MessageAdded(message=line(number, text, conversation=conversation)))
    changes = model.take_changes()
    model.talk.front = "b0"
    model.apply(MessageAdded(message=line(9, "three", conversation="b0")))
    later = model.take_changes()

    assert changes.news == [("info", "bob: one"), ("info", "bob in #lan: fake?")]
    assert changes.calls == changes.talk == {"b0", "#lan"}
    assert (later.news, later.calls, later.talk) == ([], set(), {"b0"})


async def test_unread_conversation_needs_attention_until_it_is_read() -> None:
    """Before a broken share, which may stay so for long."""
    model = Model()
    await_read = make_conversation("#lan", unread=1)
    model.apply(await snapshot(conversations=[await_read], shares=[make_share("Music", state="missing")]))
    first = model.next_alarm()
    model.apply(ConversationChanged(conversation=replace(await_read, unread=0)))
    second = model.next_alarm()

    assert first == ("chat", "#lan")
    assert second
    assert second[0] == "shares"


async def test_offer_needs_attention_until_it_is_answered() -> None:
    """It leads to the inbox; what we offer waits for others."""
    model, offer = Model(), make_offer("film.mkv")
    model.apply(await snapshot(offers=[offer, make_offer("ours.mkv", direction="out")]))
    alarms = [model.next_alarm(), model.next_alarm()]
    waiting = model.offers.waiting
    model.apply(OfferChanged(offer=replace(offer, state="accepted")))

    assert alarms == [("inbox", offer.offer_id)] * 2
    assert waiting == [offer]
    assert (model.offers.waiting, model.next_alarm()) == ([], None)


def test_who_comes_and_goes_is_news_and_a_line_of_the_lobby() -> None:
    """The pane hears of it as of talk."""
    model = Model()
    model.apply(PeerJoined(peer=BOB))

    assert model.take_changes().talk == {"#lan"}
    assert [notice.text for notice in model.talk.notices] == ["joined"]
