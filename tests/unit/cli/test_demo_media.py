"""Films and songs made of nothing."""

from __future__ import annotations

import io
import wave
from itertools import pairwise

import pytest

from peerterm.cli.demo_media import FRAMES_HERTZ, HEIGHT, SAMPLES_HERTZ, WIDTH, film, song


def test_film_is_frames_that_move() -> None:
    """Each of the size that the film says, in grey, and other than the one before."""
    head, *frames = film(1_000_000).split(b"FRAME\n")
    whole = frames[:-1]

    assert head == f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_HERTZ}:1 Ip A1:1 Cmono\n".encode()
    assert {len(frame) for frame in whole} == {WIDTH * HEIGHT}
    assert len(whole) == (1_000_000 - len(head)) // (WIDTH * HEIGHT + 6)
    assert all(one != other for one, other in pairwise(whole))


@pytest.mark.parametrize("size", [45, 12_345, 310_001])
def test_song_is_as_long_as_its_bytes(size: int) -> None:
    """Whoever reads its head finds just the samples that follow."""
    made = song(size, 1)
    with wave.open(io.BytesIO(made)) as opened:
        samples = opened.readframes(opened.getnframes())

    assert len(made) == size
    assert (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) == (SAMPLES_HERTZ, 1, 1)
    assert len(samples) == size - 44
    assert size < 100 or 60 < min(samples) < 110 < max(samples) < 200


def test_songs_are_not_the_same() -> None:
    """Each begins with another note."""
    assert len({song(20_000, first) for first in range(3)}) == 3
