"""How a conversation reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.panes import chat_text as text
from peerterm.tui.panes.chat_text import Link, Speakers
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.fake_talk import make_conversation
from tests.fakes.programs import NOON
from tests.fakes.spoken import BOB, line, ours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerterm.api.views import PeerView

ROOT, OTHER = "ab" * 32, "cd" * 32
DAY = 86_400.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are those of one zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def speakers(*peers: PeerView) -> Speakers:
    """Return us and peers."""
    return Speakers(await FakeEngine().status(), peers)


@pytest.mark.parametrize(
    ("said", "links"),
    [
        (f"peerterm:{ROOT}", [Link(ROOT)]),
        (
            f"see peerterm:{ROOT}?name=a%20b.mkv&size=12 or {OTHER}.",
            [Link(ROOT, "a b.mkv", 12), Link(OTHER)],
        ),
        (f"{ROOT} {ROOT}", [Link(ROOT)]),
        (f"{ROOT}? yes", [Link(ROOT)]),
        (f"peerterm:{ROOT}?name=%1b%5b2Jx%0ay&size=-1", [Link(ROOT, "[2Jx y")]),
        (f"peerterm:{ROOT}?size=99999999999999999999", [Link(ROOT)]),
        (f"peerterm:{ROOT}?name=" + "&name=".join("abcdefghij"), [Link(ROOT)]),
        (f"sha256:{ROOT} {ROOT}f x{ROOT} {ROOT.upper()} {ROOT[:63]} peerterm:peer/{ROOT[:60]}", []),
    ],
)
def test_links_and_whole_roots_are_live(said: str, links: list[Link]) -> None:
    """Each once; nothing that only looks like one, and of their names only text."""
    assert text.links_in(said) == links


def test_link_takes_few_cells() -> None:
    """Whatever it says, the start of the root is there; the text around it stays."""
    said = f"look: peerterm:{ROOT}?name=film.mkv&size=886000000 and {OTHER}!"

    assert text.with_short_links(said) == "look: [film.mkv 886M abababab] and [cdcdcdcd]!"
    assert Link(ROOT, "film.mkv", 886_000_000).text == "[film.mkv 886M abababab]"
    assert Link(ROOT).text == "[abababab]"
    assert Link(ROOT).link == ROOT
    assert Link(ROOT, "a b", 5).link == f"peerterm:{ROOT}?name=a%20b&size=5"


def test_many_links_of_a_line_are_bounded() -> None:
    """A line of 4,000 characters holds no more anyway."""
    said = " ".join(f"{number:064x}" for number in range(100))

    assert len(text.links_in(said)) == text.MAX_LINKS


async def test_names_that_could_be_another_s_bear_an_id() -> None:
    """Two peers of one name, and one who is called as we are; cut so that the id stays."""
    known = await speakers(make_peer("Robert Long"), make_peer("robert long"), make_peer("FAKE"), make_peer("eve"))

    assert known.name(BOB, "Robert Long").endswith("~b0b0")
    assert len(known.name(BOB, "Robert Long")) <= text.NAME_CELLS
    assert known.name(BOB, "fake") == "fake~b0b0"
    assert known.name(BOB, "eve") == "eve"


async def test_line_has_time_sender_and_state() -> None:
    """What we said says how far it got; what names us stands out by a mark, too."""
    known = await speakers()
    own = text.row_of(ours(1, "read"), known, ascii_only=False)
    other = text.row_of(line(2, "fake: look", sent_at=NOON, kept_at=NOON + 5), known, ascii_only=True)

    assert [cell.text for cell in own.prefix][1:] == ["fake", "✓✓"]
    assert [cell.text for cell in other.prefix] == ["12:00", "bob", "@"]
    assert other.tone == "bold"
    marks = [text.row_of(ours(1, state), known, ascii_only=True).prefix[2].text for state in text._MARKS]
    assert marks == ["..", ">", "+", "++"]


async def test_deed_and_later_kinds_are_shown() -> None:
    """Nothing that was said is hidden."""
    known = await speakers()
    deed = text.row_of(line(1, "waves", kind="me"), known, ascii_only=False)
    later = text.row_of(line(1, "votes", kind="poll"), known, ascii_only=False)

    assert (deed.prefix[1].text, deed.text) == ("*", "bob waves")
    assert (later.text, later.tone) == ("votes", "dim")


async def test_days_and_what_is_new_are_ruled_off() -> None:
    """By our clock; a line that came on another day than it was said on says the day."""
    said = [
        line(1, kept_at=NOON, sent_at=NOON),
        line(2, kept_at=NOON + DAY, sent_at=NOON),
        line(3, kept_at=NOON + DAY, sent_at=1e300),
    ]
    rows = text.rows_of(said, await speakers(), new=("b0b0:3", 1), ascii_only=False)

    assert [row.text if row.is_rule else row.prefix[0].text for row in rows] == [
        "2025-08-14", "12:00", "2025-08-15", "08-14", "1 new", "-",
    ]  # fmt: skip


async def test_first_new_line_is_found_from_the_end() -> None:
    """Ours do not count; of more unread ones than there are it is the first."""
    said = [line(1), ours(2), line(3), ours(4), line(5)]
    known = await speakers()

    assert text.first_new(said, known, 0) == ""
    assert text.first_new(said, known, 2) == "b0b0:3"
    assert text.first_new(said, known, 9) == "b0b0:1"


def test_headline_says_who_is_there_and_how_far_ours_got() -> None:
    """In words."""
    room = make_conversation("#lan", is_muted=True)
    bob = make_conversation(BOB, kind="direct", name="bob")

    assert text.headline(room, None, None) == "#lan  nobody else is here   muted"
    waiting = text.headline(bob, make_peer("bob", state="offline"), ours(1, "queued"))
    assert waiting == "bob  offline   your last line: waits; it goes by itself when bob is here"


def test_empty_conversation_says_what_to_do() -> None:
    """Also to somebody who is not there."""
    bob = make_conversation(BOB, kind="direct", name="bob")

    assert "everybody" in text.invitation(make_conversation("#lan"), None)[1]
    assert "nobody else" in text.invitation(bob, make_peer("bob"))[1]
    assert "by itself" in text.invitation(bob, None)[1]


def test_copied_line_is_whole() -> None:
    """With its links as they were sent, and without anything a terminal would obey."""
    said = line(1, f"a\x1b[2Jb\npeerterm:{ROOT}", sent_at=NOON, sender_name="b\x07ob")

    assert text.plain_line(said) == f"2025-08-14 12:00 bob: a[2Jb\npeerterm:{ROOT}"


@pytest.mark.parametrize(
    ("name", "is_good"), [("lan", True), ("#ops", True), ("a b", False), ("#", False), ("", False)]
)
def test_name_of_a_room_is_judged_before_it_is_entered(name: str, is_good: bool) -> None:
    """With or without its sign."""
    assert (text.fault_of_room(name) == "") is is_good


async def test_notice_looks_like_nothing_that_can_be_said() -> None:
    """Two dashes stand where a name does."""
    notice = line(1, "joined", kind="notice", sender_name="bob", sent_at=NOON, kept_at=NOON)
    row = text.row_of(notice, await speakers(), ascii_only=False)

    assert [cell.text for cell in row.prefix] == ["12:00", "--", ""]
    assert (row.text, row.tone) == ("bob joined", "dim")
