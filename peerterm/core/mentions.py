"""Whether what somebody says names somebody."""

from __future__ import annotations

import re
from functools import lru_cache


def is_mention(text: str, name: str) -> bool:
    """Whether a text names somebody: the whole name, in whichever case."""
    return bool(name.strip()) and _named(name.casefold()).search(text.casefold()) is not None


@lru_cache(maxsize=4)
def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
