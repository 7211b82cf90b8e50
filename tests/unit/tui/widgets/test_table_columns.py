"""Which columns fit, and where they stand."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from peerterm.tui.widgets.table_columns import GAP, Column, lay_out

NAME = Column("name", "Name", 10, flex=1)
PEER = Column("peer", "Peer", 8, priority=2)
SIZE = Column("size", "Size", 9, priority=1, align="right")
KIND = Column("kind", "Type", 6, priority=2)
COLUMNS = [NAME, PEER, SIZE, KIND]


def shown(width: int) -> list[tuple[str, int, int]]:
    return [(slot.column.key, slot.start, slot.width) for slot in lay_out(COLUMNS, width)]


def test_the_flexible_column_gets_the_rest() -> None:
    """Fixed columns keep their width, the flexible one takes what is left."""
    assert shown(60) == [("name", 0, 34), ("peer", 35, 8), ("size", 44, 9), ("kind", 54, 6)]


def test_unimportant_columns_go_first() -> None:
    """The highest priority is dropped first, the last column of equals before the others."""
    assert [key for key, _, _ in shown(35)] == ["name", "peer", "size"]
    assert [key for key, _, _ in shown(28)] == ["name", "size"]
    assert [key for key, _, _ in shown(19)] == ["name"]


def test_what_is_never_dropped_shrinks() -> None:
    """On the narrowest screen the flexible column gives way, and then the last is cut."""
    fixed = Column("state", "State", 5)

    assert [(slot.start, slot.width) for slot in lay_out([NAME, fixed], 9)] == [(0, 3), (4, 5)]
    assert [(slot.start, slot.width) for slot in lay_out([NAME, fixed], 4)] == [(0, 1), (2, 2)]
    assert [(slot.start, slot.width) for slot in lay_out([NAME, fixed], 1)] == [(0, 1)]
    assert lay_out([NAME, fixed], 0) == []


def test_two_flexible_columns_share() -> None:
    """Spare cells are given in proportion, and all of them are given."""
    slots = lay_out([Column("a", "A", 4, flex=1), Column("b", "B", 4, flex=2)], 20)

    assert [slot.width for slot in slots] == [7, 12]
    assert slots[-1].end == 20


columns = st.lists(
    st.builds(
        Column, st.just("k"), st.just("T"), st.integers(0, 30), st.integers(0, 3), priority=st.integers(0, 3)
    ),
    min_size=1,
    max_size=8,
)


@given(columns, st.integers(0, 150))
def test_columns_never_overlap_nor_leave_the_screen(columns: list[Column], width: int) -> None:
    """Whatever the columns are, they stand one after the other within the width."""
    slots = lay_out(columns, width)

    assert all(slot.width > 0 and slot.end <= width for slot in slots)
    assert all(left.end + GAP == right.start for left, right in pairwise(slots))
    assert [slot.index for slot in slots] == sorted({slot.index for slot in slots})
