"""What the machines of ``peerterm demo`` share: names as in real collections, over bytes that mean nothing.

Films and songs play, though. The same at every run, times of change included. Called by ``demo_network``, and for
the pictures of the documents.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from peerterm.cli import demo_media

if TYPE_CHECKING:
    from pathlib import Path

FILM = "Films/The Paper Lighthouse (2024).mkv"
"""What two of the machines have; long enough to be seen on its way."""

MODIFIED = 1_719_830_000.0
"""When all files were changed last, as Unix time: a day in July 2024."""

_TRACKS = ("Low Tide", "Gulls", "Café Nocturne", "Rope and Tar", "The Ferry Home")
_LECTURES = ("Packets", "Addresses", "Routes", "Congestion", "Names", "Trust")

SHARED: dict[str, dict[str, int]] = {
    "anna": {
        FILM: 8 * 1024 * 1024,
        "Films/The Paper Lighthouse (2024).en.srt": 1_244,
        "Films/Trailers/The Paper Lighthouse.mp4": 702_340,
        "Films/Trailers/Night Buses.mp4": 655_801,
        **{f"Pictures/Summer 2024/IMG_{2100 + n}.jpg": 81_000 + 7_919 * n % 60_000 for n in range(12)},
        **{f"Pictures/Garden/rose-{n:02}.jpg": 64_000 + 4_241 * n % 40_000 for n in range(1, 6)},
    },
    "ben": {
        FILM: 8 * 1024 * 1024,
        **{f"Music/Harbour Lights/{n:02} {track}.flac": 310_000 + 23_459 * n for n, track in enumerate(_TRACKS, 1)},
        "Music/Harbour Lights/cover.jpg": 92_417,
        "Music/Practice/scales.ogg": 120_555,
    },
    "carla": {
        **{f"Lectures/Networks/{n:02} {title}.pdf": 150_000 + 9_973 * n for n, title in enumerate(_LECTURES, 1)},
        "Lectures/Networks/exercises.zip": 204_800,
        "Lectures/History/Signal fires.pdf": 171_033,
        "Pictures/Whiteboards/2024-06-12.jpg": 133_070,
    },
    "you": {f"Postcards/{place}.jpg": 380_000 for place in ("Bergen", "Lisbon", "Trieste", "Turku")},
}
"""Sizes in bytes by path, for each machine; the first folder is the share."""


def write(folder: Path, name: str) -> list[Path]:
    """Write what a machine shares below ``folder``; return its shares.

    Raises:
        OSError: There is no room.
    """
    for path, size in SHARED[name].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_content(path, size))
        os.utime(file, (MODIFIED, MODIFIED))
    return sorted(folder.iterdir())


def _content(path: str, size: int) -> bytes:
    name = path.rpartition("/")[2]
    match name.rpartition(".")[2]:
        case "mkv" | "mp4":
            return demo_media.film(size)
        case "flac" | "ogg":
            return demo_media.song(size, first_note=len(name))
        case _:
            return hashlib.shake_256(path.encode()).digest(size)
