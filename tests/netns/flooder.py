"""Runs peerterm with one fault: it offers a peer as much as its user wants, more than any peer has to bear."""

from __future__ import annotations

import sys

from peerterm.__main__ import main
from peerterm.core import offers

offers.MAX_OPEN_OFFERS = 10**6
sys.exit(main())
