"""Messages as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from peerterm.api.views import MessageView
from peerterm.cli.chat_text import MAX_SHOWN_LINES, NAME_CELLS, moment, spoken


def message(**fields: Any) -> MessageView:
    """Return a message that came from a peer."""
    known: dict[str, Any] = {
        "id": "a:1",
        "conversation": "#lan",
        "sender": "b" * 64,
        "sender_name": "ben",
        "text": "hello",
        "kind": "text",
        "sent_at": 1.0,
        "kept_at": 1.0,
        "state": "received",
    }
    return MessageView(**known | fields)


def test_a_message_says_when_who_and_what() -> None:
    """The time is the sender's, and has its day."""
    assert spoken(message(sent_at=86_400.0, kept_at=5.0)) == [f"{moment(86_400.0)}  ben: hello"]
    assert len(moment(86_400.0)) == len("1970-01-02 00:00:00")


def test_what_somebody_does_is_told_without_a_colon() -> None:
    """As every chat program does."""
    assert spoken(message(kind="me", text="waves"))[0].endswith("  * ben waves")


def test_who_comes_and_goes_said_nothing() -> None:
    """It looks like nothing that anybody can say."""
    assert spoken(message(kind="notice", text="joined"))[0].endswith("  -- ben joined")


@pytest.mark.parametrize("state", ["queued", "sent", "delivered", "read"])
def test_how_far_a_message_of_ours_got_is_a_word(state: Any) -> None:
    """It stands behind the text; what came from others got here."""
    assert spoken(message(state=state))[0].endswith(f"hello ({state})")


def test_the_place_is_named_where_it_is_not_clear() -> None:
    """In front of who said it."""
    assert spoken(message(), "#lan")[0].endswith("  [#lan] ben: hello")


def test_further_lines_of_a_message_cannot_pass_for_another() -> None:
    """They are indented, and there are not many of them; nothing is left out."""
    lines = spoken(message(text="a\n2026-11-22 10:00:00  anna: b\n" + "c\n" * 100))

    assert lines[1] == "    2026-11-22 10:00:00  anna: b"
    assert len(lines) == MAX_SHOWN_LINES
    assert sum(line.count("c") for line in lines) == 100


def test_a_long_name_leaves_room_for_what_it_says() -> None:
    """It is cut; and a line end in it ends no line."""
    [line] = spoken(message(sender_name="\na" * 100), "c" * 100)

    assert "\n" not in line
    assert len(line) <= len(f"{moment(1.0)}  [] : hello") + 2 * NAME_CELLS


def test_a_clock_may_say_anything() -> None:
    """A time that no calendar has is none."""
    assert moment(2.0**63) == "at no known time"
