"""A film and songs that really play, made of nothing: a lamp that turns, and a tune. The same at every run.

Both are formats without compression, which every player tells by their first bytes, whatever the name says. Called
by ``demo_content``.
"""

from __future__ import annotations

import io
import wave
from itertools import cycle

WIDTH, HEIGHT, FRAMES_HERTZ = 96, 54, 10
_FILM_HEAD = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_HERTZ}:1 Ip A1:1 Cmono\n".encode()
_FRAME_HEAD = b"FRAME\n"

SAMPLES_HERTZ = 8000
_SONG_HEAD_BYTES = 44
_NOTE_SAMPLES = SAMPLES_HERTZ // 4
_SCALE = (36, 32, 27, 24, 27, 32)  # samples of one wave: the fewer, the higher


def film(size: int) -> bytes:
    """Return a film of so many bytes: a ray of light goes round. What is left after the last frame is cut off.

    The format is YUV4MPEG2, of mjpegtools.
    """
    light = bytes([60, 100, 140, 180, 210, 230, 245, 255, 235, 200, 160, 120, 90, 60, 40, 30])
    ray = light.rjust(WIDTH, bytes([24]))
    turn = [b"".join(_row(ray, 2 * step - row // 2) for row in range(HEIGHT)) for step in range(WIDTH // 2)]
    made, frames = bytearray(_FILM_HEAD), cycle(turn)
    while len(made) < size:
        made += _FRAME_HEAD + next(frames)
    return bytes(made[:size])


def song(size: int, first_note: int) -> bytes:
    """Return a song of so many bytes, head and all; ``first_note`` makes the tune."""
    samples, tune = size - _SONG_HEAD_BYTES, bytearray()
    note = first_note
    while len(tune) < samples:
        length = _SCALE[note * note % len(_SCALE)]
        swing = bytes(104 + abs(2 * at - length) * 48 // length for at in range(length))
        tune += (swing * (_NOTE_SAMPLES // length + 1))[:_NOTE_SAMPLES]
        note += 1
    with io.BytesIO() as made:
        with wave.open(made, "wb") as writer:
            writer.setparams((1, 1, SAMPLES_HERTZ, samples, "NONE", ""))
            writer.writeframes(tune[:samples])
        return made.getvalue()


def _row(ray: bytes, shift: int) -> bytes:
    at = shift % WIDTH
    return ray[-at:] + ray[:-at] if at else ray
