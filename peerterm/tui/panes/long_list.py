"""Keeps the garbage collector from stopping the keyboard for a long list; the panes that list page by page call it.

The collector looks at everything there is whenever a quarter more came: with 100,000 rows for a tenth of a second,
and several times while they come. Rows need no collector, as nothing in a row leads back to it.
"""

from __future__ import annotations

import gc

LONG_LIST = 5000
"""From so many rows on a list is long; for fewer the collector is not felt."""


def spare_rows(count: int) -> None:
    """Let the collector pass over what there is now, if a list has become long; costs nothing, however long."""
    if count >= LONG_LIST:
        gc.freeze()


def drop_rows() -> None:
    """Let the collector look at everything again, as the rows of a list go."""
    gc.unfreeze()
