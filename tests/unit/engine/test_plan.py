"""The plan of a transfer: what is wanted, where it goes, and what it may grow to."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import Root
from peerterm.core.names import MAX_DEPTH
from peerterm.engine import plan as module
from peerterm.engine.plan import Place, Plan
from peerterm.errors import IntegrityError
from tests.fakes.fake_peer import child

if TYPE_CHECKING:
    from peerterm.core.listing import ListingEntry

ONE, TWO, SUB, TOP = (Root(bytes([number]) * 32) for number in range(1, 5))
PLACE = Place(("a",), False, 0)


def folder(name: str, root: Root) -> ListingEntry:
    return child(name, root, kind="folder")


def test_plan_of_a_folder_names_every_file_and_folder() -> None:
    """Unfolding a listing plans its files in order and says which listings to ask for."""
    plan = Plan()

    assert plan.add_folder(TOP)
    assert not plan.is_unfolded
    assert plan.is_listing(TOP)
    asked = plan.unfold(TOP, [child("b", ONE, 10), folder("s", SUB)])
    assert asked == [SUB]
    assert not plan.is_unfolded
    assert plan.unfold(SUB, [child("a", TWO, 5)]) == []

    assert plan.is_unfolded
    assert plan.folders == [(), ("s",)]
    assert (plan.files, plan.total) == (2, 15)
    assert [(wanted.root, wanted.places[0].path) for wanted in plan.wanted.values()] == [
        (ONE, ("b",)),
        (TWO, ("s", "a")),
    ]


def test_content_at_several_places_is_wanted_once() -> None:
    """Each place counts as a file; the bytes are fetched once."""
    plan = Plan()
    plan.add_folder(TOP)
    plan.unfold(TOP, [child("a", ONE, 10), child("b", ONE, 10)])

    assert (plan.files, plan.total, len(plan.wanted)) == (2, 20, 1)
    assert [place.path for place in plan.wanted[ONE].places] == [("a",), ("b",)]


def test_equal_sub_folders_are_asked_for_once_and_unfolded_everywhere() -> None:
    """One listing fills all the folders that have it."""
    plan = Plan()
    plan.add_folder(TOP)

    assert plan.unfold(TOP, [folder("x", SUB), folder("y", SUB)]) == [SUB]
    plan.unfold(SUB, [child("a", ONE, 1)])

    assert [place.path for place in plan.wanted[ONE].places] == [("x", "a"), ("y", "a")]
    assert plan.is_unfolded


def test_one_content_of_two_sizes_is_refused() -> None:
    """A root has one size; whoever says otherwise lies."""
    plan = Plan()
    plan.add_file(ONE, 10, PLACE)

    with pytest.raises(IntegrityError, match="two sizes"):
        plan.add_file(ONE, 11, PLACE)


def test_folder_too_deep_to_be_stored_is_refused() -> None:
    """A chain of folders ends where no path could be written any more, before it takes memory."""
    plan = Plan()
    plan.add_folder(TOP)
    chain = [TOP, *(Root(number.to_bytes(32, "big")) for number in range(MAX_DEPTH + 1))]
    for above, below in pairwise(chain[:-1]):
        plan.unfold(above, [folder("d", below)])

    with pytest.raises(IntegrityError, match="cannot be stored"):
        plan.unfold(chain[-2], [child("d", ONE, 1)])


def test_two_hundred_thousand_files_are_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds exactly, over all folders together."""
    assert module.MAX_FILES == module.MAX_FOLDERS == 200_000
    monkeypatch.setattr(module, "MAX_FILES", 3)
    plan = Plan()
    for _ in range(3):
        plan.add_file(ONE, 1, PLACE)

    with pytest.raises(IntegrityError, match="more than 3 files"):
        plan.add_file(ONE, 1, PLACE)


def test_folder_bomb_of_equal_sub_folders_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty listings of a few bytes that would unfold to 2^40 folders end at the bound, without the memory."""
    monkeypatch.setattr(module, "MAX_FOLDERS", 2000)
    roots = [Root(number.to_bytes(32, "big")) for number in range(40)]
    plan = Plan()
    plan.add_folder(roots[0])

    def unfold_all() -> None:
        for root, below in pairwise(roots):
            plan.unfold(root, [folder("l", below), folder("r", below)])

    with pytest.raises(IntegrityError, match="more than 2000 folders"):
        unfold_all()
    assert len(plan.folders) == module.MAX_FOLDERS
