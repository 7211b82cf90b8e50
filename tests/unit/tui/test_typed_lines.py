"""What is typed into the field of a conversation."""

from __future__ import annotations

import pytest

from peerterm.tui.typed_lines import COMMANDS, Typed, endings_of, read_typed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("hello", Typed("", "hello")),
        ("  two\nlines \n", Typed("", "two\nlines")),
        ("//etc/hosts", Typed("", "/etc/hosts")),
        ("/me waves", Typed("me", "waves")),
        ("/ME  waves a lot ", Typed("me", "waves a lot")),
        ("/leave", Typed("leave", "")),
        ("/usr/bin is full", Typed("usr/bin", "is full")),
        ("/", Typed("/", "")),
        ("", Typed("", "")),
    ],
)
def test_slash_begins_a_command_and_two_begin_text(text: str, typed: Typed) -> None:
    """Whatever is no text is a command, known or not, so that a slip is not sent."""
    assert read_typed(text) == typed


def test_word_ends_as_a_command_or_a_name() -> None:
    """A command only as the first word; who is spoken to first gets a colon."""
    names = ["bob", "Bobby", "carol"]

    assert endings_of("/j", names) == ("/j", ["/join "])
    assert endings_of("/", names)[1] == [f"/{name} " for name in COMMANDS]
    assert endings_of("bo", names) == ("bo", ["bob: ", "Bobby: "])
    assert endings_of("ask BO", names) == ("BO", ["bob ", "Bobby "])
    assert endings_of("say /j", names) == ("/j", [])
    assert endings_of("ask ", names) == ("", [])
