"""What the garbage collector looks at while lists are long."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.panes.long_list import LONG_LIST, drop_rows, spare_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Have it look at everything, before and after."""
    gc.unfreeze()
    yield
    gc.unfreeze()


def looked_at(row: list[object]) -> bool:
    """Tell whether the collector would come by a row."""
    return any(each is row for each in gc.get_objects())


def test_rows_of_a_long_list_are_passed_over_until_they_go() -> None:
    """It takes no time for them, however many there are."""
    row: list[object] = []

    spare_rows(LONG_LIST)
    assert not looked_at(row)

    drop_rows()
    assert looked_at(row)


def test_short_lists_change_nothing() -> None:
    """What else is garbage is found as ever."""
    row: list[object] = []

    spare_rows(LONG_LIST - 1)

    assert looked_at(row)
