"""Conversations as the screen keeps them: lines without a gap, each once; who waits to be read."""

from __future__ import annotations

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved, PeerJoined, PeerLeft
from peerterm.api.views import ConversationView, StatusView
from peerterm.tui.conversations import MAX_LINES, MAX_NOTICES, Conversations, Transcript
from tests.fakes.fake_base import OWN_ID
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.spoken import BOB, line, ours


def numbers(transcript: Transcript) -> list[str]:
    """Return the ids of a transcript's lines."""
    return [each.id.rpartition(":")[2] for each in transcript.lines]


async def own() -> StatusView:
    """Return who we are: ``fake``."""
    return await FakeEngine().status()


def test_lines_that_come_while_older_ones_are_asked_for_follow_them_once() -> None:
    """What the engine gave and what it told meanwhile overlap."""
    transcript = Transcript("#lan")
    for number in (3, 4):
        transcript.add(line(number))
    transcript.begin([line(1), line(2), line(3)], asked=3)
    transcript.add(line(4))

    assert numbers(transcript) == ["1", "2", "3", "4"]
    assert transcript.is_loaded
    assert transcript.has_older
    assert [each.id for each in transcript.newest(2)] == ["b0b0:3", "b0b0:4"]


def test_state_told_meanwhile_is_not_taken_back() -> None:
    """The engine's answer may be older than what it told."""
    transcript = Transcript("#lan")
    transcript.add(ours(1, "queued"))
    transcript.move(MessagesMoved(conversation="#lan", log="a1a1", seq=1, state="delivered"))
    transcript.begin([ours(1, "sent")], asked=100)

    assert transcript.lines[0].state == "delivered"
    assert not transcript.has_older


def test_lines_up_to_a_number_get_further() -> None:
    """Those of that log that were not as far; nothing goes back."""
    transcript = Transcript("#lan")
    transcript.begin([ours(1, "read"), ours(2, "sent"), line(9), ours(3, "queued"), ours(4, "queued")], asked=100)
    transcript.move(MessagesMoved(conversation="#lan", log="a1a1", seq=3, state="delivered"))

    assert [each.state for each in transcript.lines] == ["read", "delivered", "received", "delivered", "queued"]
    assert transcript.moved == {"a1a1:2", "a1a1:3"}


def test_oldest_lines_go_when_there_are_too_many() -> None:
    """And older ones are taken only as far as there is room."""
    transcript = Transcript("#lan")
    transcript.begin([line(number) for number in range(100, 200)], asked=100)
    for number in range(200, 100 + MAX_LINES):
        transcript.add(line(number))
    transcript.add(line(100 + MAX_LINES))
    assert len(transcript) == MAX_LINES
    assert transcript.line("b0b0:100") is None
    transcript.keep(MAX_LINES - 2)

    taken = transcript.prepend([line(number) for number in range(50, 103)], asked=53)

    assert [each.id for each in taken] == ["b0b0:101", "b0b0:102"]
    assert not transcript.has_older


def test_what_was_cut_can_be_asked_for_again() -> None:
    """It is still where the engine keeps it."""
    transcript = Transcript("#lan")
    transcript.begin([ours(number) for number in range(10)], asked=100)
    transcript.move(MessagesMoved(conversation="#lan", log="a1a1", seq=9, state="sent"))
    transcript.keep(3)

    assert transcript.has_older
    assert transcript.moved == {"a1a1:7", "a1a1:8", "a1a1:9"}


async def test_only_the_open_conversation_keeps_lines() -> None:
    """Also one in which nothing was said yet."""
    talk = Conversations()
    transcript = talk.open("#lan")
    talk.apply(MessageAdded(message=line(1)), await own())
    talk.apply(MessageAdded(message=line(2, conversation="#other")), await own())
    talk.apply(MessageAdded(message=ours(3)), await own())
    talk.apply(MessagesMoved(conversation="#lan", log="a1a1", seq=3, state="read"), await own())

    assert numbers(transcript) == ["1", "3"]
    last = transcript.last_of(OWN_ID)
    assert last
    assert last.state == "read"
    assert transcript.added == 2


async def test_mentions_are_counted_until_they_are_read() -> None:
    """Not our own, not those in front of the user, not those of a muted room."""
    talk = Conversations()
    status = await own()
    talk.reset([make_conversation("#lan"), make_conversation("#loud", is_muted=True)])
    talk.front = "#seen"
    for message in (
        line(1, "fake?"), line(2, "fake!"), line(3, "no"), ours(4, text="fake"),
        line(5, "fake", conversation="#loud"), line(6, "fake", conversation="#seen"),
    ):  # fmt: skip
        assert talk.apply(MessageAdded(message=message), status) == message.conversation
    assert talk.mentions == {"#lan": 2}
    assert talk.is_call(line(7, "fake"), status)
    assert talk.is_call(line(8, conversation=BOB), status)
    assert not talk.is_call(line(9), status)
    assert not talk.is_call(line(9, "fake"), None)

    talk.apply(ConversationChanged(conversation=make_conversation("#lan")), status)

    assert talk.mentions == {}


def test_who_waits_longest_for_us_stands_first() -> None:
    """Who named us, then who spoke to us, then rooms; a room that was left waits for nobody."""
    talk = Conversations()
    views: list[ConversationView] = [
        make_conversation("#lan", unread=5, last_at=9.0),
        make_conversation("#named", unread=1),
        make_conversation("#left", unread=7, is_member=False, last_at=20.0),
        make_conversation(BOB, kind="direct", unread=2, last_at=3.0),
        make_conversation("c0", kind="direct", last_at=30.0),
    ]
    talk.reset(views)
    talk.mentions["#named"] = 1

    assert [view.conversation for view in talk.waiting] == ["#named", BOB, "#lan"]
    assert [view.conversation for view in talk.listed] == ["#lan", "c0", BOB, "#named"]
    assert talk.unread == 8


def test_new_snapshot_means_that_lines_may_be_missing() -> None:
    """They are asked for again; counts of conversations that are gone go."""
    talk = Conversations()
    transcript = talk.open("#lan")
    transcript.begin([], asked=100)
    talk.mentions = {"#gone": 1}
    talk.reset([make_conversation("#lan")])

    assert not transcript.is_loaded
    assert talk.mentions == {}


async def test_who_comes_and_goes_is_noticed_in_the_lobby() -> None:
    """As lines that nobody said: they are not unread, call nobody, and are in no transcript."""
    talk, we = Conversations(), await own()
    transcript = talk.open("#lan")
    came = talk.apply(PeerJoined(peer=make_peer("fake", last_seen=5.0)), we)
    went = talk.apply(PeerLeft(peer=make_peer("fake", last_seen=6.0), reason="bye"), we)

    assert came == went == "#lan"
    assert [(each.text, each.kind, each.kept_at) for each in talk.notices] == [
        ("joined", "notice", 5.0),
        ("left", "notice", 6.0),
    ]
    assert (talk.unread, talk.mentions, len(transcript)) == (0, {}, 0)


async def test_notices_are_bounded_and_can_be_turned_off() -> None:
    """The oldest go; who wants none gets none."""
    talk = Conversations()
    for number in range(MAX_NOTICES + 5):
        talk.apply(PeerJoined(peer=make_peer(f"p{number}")), await own())
    talk.shows_notices = False

    assert talk.apply(PeerJoined(peer=make_peer("late")), await own()) == ""
    assert (len(talk.notices), talk.noticed) == (MAX_NOTICES, MAX_NOTICES + 5)
    assert talk.notices[0].sender_name == "p5"
