"""How much of the processor the threads of lanes get where it is scarce: less than what people wait for.

Called by the threads of lanes, both ways.
"""

from __future__ import annotations

import os
import sys

LANE_NICENESS = 5
"""How much nicer to others a lane is than the rest of the engine."""

MAX_NICENESS = 19


def give_way() -> None:
    """Let the event loop, and everybody else on this machine, go before the calling thread from now on.

    On Linux, where each thread has a priority of its own; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, min(mine + LANE_NICENESS, MAX_NICENESS))
