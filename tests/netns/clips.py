"""Films and songs to play, made once and kept while the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lan import run

if TYPE_CHECKING:
    from pathlib import Path

CLIP_SECONDS = 10

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25")
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")
_FFMPEG = ("ffmpeg", "-v", "error", "-y")


def make_film(path: Path, seconds: int, bits: int = 8_000_000, *, options: tuple[str, ...] = ()) -> Path:
    """Write a 1080p film of a constant rate, ten seconds of it over and over.

    Args:
        path: Its extension says which container.
        seconds: How long it plays; a multiple of ten.
        bits: Bits a second.
        options: For the muxer, as of ffmpeg.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = path.parent / f".scene-{bits}.mkv"
    if not scene.exists():
        rate = ("-b:v", bits, "-minrate", bits, "-maxrate", bits, "-bufsize", bits // 2)
        exact = (
            "-x264-params",
            "nal-hrd=cbr:force-cfr=1",
            "-g",
            "50",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
        )
        video = ("-c:v", "libx264", *rate, *exact, "-c:a", "aac")
        run(*_FFMPEG, *_PICTURE, *_SOUND, "-t", 10, *video, scene)
    run(*_FFMPEG, "-stream_loop", seconds // 10 - 1, "-i", scene, "-c", "copy", *options, path)
    scene.unlink()
    return path


def make_clips(folder: Path) -> list[Path]:
    """Write a clip of ``CLIP_SECONDS`` in each of the usual containers; return where they are."""
    film = make_film(folder / "film.mkv", CLIP_SECONDS, 2_000_000)
    kinds: dict[str, tuple[str, ...]] = {
        "index at the end.mp4": ("-c", "copy"),
        "index at the start.mp4": ("-c", "copy", "-movflags", "+faststart"),
        "film.webm": (
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "16",
            "-s",
            "320x180",
            "-c:a",
            "libopus",
        ),
        "song.mp3": ("-vn", "-c:a", "libmp3lame"),
        "song.flac": ("-vn", "-c:a", "flac"),
    }
    for name, options in kinds.items():
        run(*_FFMPEG, "-i", film, *options, folder / name)
    return [film, *(folder / name for name in kinds)]
