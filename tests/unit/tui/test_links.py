"""Links and references that others can use."""

from __future__ import annotations

from peerterm.engine.references import HashReference, PathReference, name_in_link, parse_reference
from peerterm.tui.links import link_to, reference_to
from tests.fakes.fake_engine import make_peer


def test_engine_reads_the_link() -> None:
    """A link names the content, and carries the name whatever is in it."""
    link = link_to("ab" * 32, "a b/ü&?\ud800.mkv", 5)

    assert parse_reference(link) == HashReference("root", "ab" * 32)
    assert name_in_link(link) == "a b/ü&??.mkv"
    assert link.isascii()


def test_nothing_is_no_link() -> None:
    """What has no root yet cannot be linked to."""
    assert link_to("", "a", 1) == ""


def test_peer_is_called_by_name_only_if_that_is_clear() -> None:
    """Of two peers of one name, and of names that a reference cannot hold, the id is taken."""
    bob, eve, odd = make_peer("bob"), make_peer("eve"), make_peer("a/b")
    twin = make_peer("eve", peer_id="c" * 64)
    peers = [bob, eve, twin, odd]

    assert reference_to(bob.peer_id, "Photos/a.jpg", peers) == "bob/Photos/a.jpg"
    assert reference_to(eve.peer_id, "Photos", peers) == f"{eve.peer_id}/Photos"
    assert reference_to(odd.peer_id, "Photos", peers) == f"{odd.peer_id}/Photos"
    assert reference_to("d" * 64, "Photos", peers) == f"{'d' * 64}/Photos"
    assert parse_reference(reference_to(bob.peer_id, "x/y", peers)) == PathReference("bob", ("x", "y"))
