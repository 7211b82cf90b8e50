"""Peers as a user types them."""

from __future__ import annotations

import pytest

from peerterm.tui.recipients import complete_peers, fault_of_peers, handles_of, peers_in
from tests.fakes.fake_engine import make_peer

BOB, CAROL = make_peer("bob", peer_id="b" * 64), make_peer("Carol", peer_id="c" * 64)
KNOWN = handles_of([BOB, CAROL])


def test_each_peer_has_something_that_can_be_typed() -> None:
    """Its name; where that is no help, the start of its id behind it."""
    twin, comma, blank = (
        make_peer("BOB", peer_id="d" * 64, state="offline"),
        make_peer("a,b", peer_id="e" * 64),
        make_peer("\x1b\u200b", peer_id="f" * 64),
    )

    assert {"bob": BOB.peer_id, "Carol": CAROL.peer_id} == KNOWN
    assert handles_of([twin, BOB, comma, blank, CAROL]) == {
        "~ffffffff": blank.peer_id,
        "ab~eeeeeeee": comma.peer_id,
        "bob~bbbbbbbb": BOB.peer_id,
        "Carol": CAROL.peer_id,
        "BOB~dddddddd": twin.peer_id,
    }


def test_online_peers_come_first() -> None:
    """They are the likely ones."""
    assert list(handles_of([make_peer("al", state="offline"), CAROL, BOB])) == ["bob", "Carol", "al"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("bob", ["b" * 64]), (" carol , BOB, bob,", ["c" * 64, "b" * 64]), ("", []), ("zoe, bob", ["b" * 64])],
)
def test_names_mean_peers_once_each(text: str, found: list[str]) -> None:
    """In whichever case, with blanks around."""
    assert peers_in(text, KNOWN) == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bob, Carol", ""),
        (" , ", "type the name of somebody"),
        ("bob, zoe", "nobody is called zoe; Tab completes a name"),
    ],
)
def test_unknown_names_are_said(text: str, fault: str) -> None:
    """Before anything is sent."""
    assert fault_of_peers(text, KNOWN) == fault


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("", ["bob", "Carol"]),
        ("c", ["Carol"]),
        ("bob,", ["bob, Carol"]),
        ("bob, CA", ["bob, Carol"]),
        ("bob, b", []),
        ("z", []),
    ],
)
def test_last_name_is_completed(text: str, ways: list[str]) -> None:
    """With those who do not stand there yet."""
    assert complete_peers(text, KNOWN) == ways
