"""Who is named by what is said."""

from __future__ import annotations

import pytest

from peerterm.core.mentions import is_mention


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("fake: look", True), ("look, Fake!", True), ("(FAKE)", True), ("fakery", False), ("a fak", False),
        ("nofake", False), ("", False), ("f.ke", False),
    ],
)  # fmt: skip
def test_mention_is_the_whole_name(text: str, is_named: bool) -> None:
    """In whichever case; the name is text, no pattern."""
    assert is_mention(text, "fake") is is_named


def test_name_is_no_pattern_and_nothing_names_nobody() -> None:
    """Whatever peers call themselves."""
    assert is_mention("is (a+)+$ here?", "(a+)+$")
    assert not is_mention("aaaa", "(a+)+$")
    assert not is_mention("anything", " ")
