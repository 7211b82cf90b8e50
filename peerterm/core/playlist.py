"""What of a folder is played, in which order, and with which subtitles: decided by names alone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VIDEO = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm ts vob webm wmv"
_AUDIO = "aac ac3 aif aiff ape dsf dts eac3 flac m4a m4b mka mp3 mpc oga ogg opus tta wav wma wv"

PLAYABLE = frozenset([*_VIDEO.split(), *_AUDIO.split()])
"""The extensions of films and songs."""

SUBTITLES = ("ass", "srt", "vtt")
"""The best first."""

_NUMBER = re.compile(r"([0-9]+)")
_LANGUAGE = re.compile(
    r"\.(?P<language>[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3})(?:\.(?:forced|sdh|cc|default))?", re.IGNORECASE
)

NaturalKey = tuple[tuple[tuple[tuple[int, str], ...], ...], str]


@dataclass(frozen=True, slots=True)
class SubtitleName:
    """A file that holds subtitles of a video.

    Attributes:
        name: As it was given.
        language: Its tag, as the file is named; empty if it has none.
    """

    name: str
    language: str


def natural_key(path: str) -> NaturalKey:
    """Return what sorts paths as people count: ``2`` before ``10``, without regard to case; no two are equal.

    Args:
        path: A name, or several joined by ``/``: what is in one folder stays together.
    """
    return tuple(tuple(_parts(name)) for name in path.split("/")), path


def is_playable(name: str) -> bool:
    """Whether a name's extension says film or song."""
    return _extension(name) in PLAYABLE


def playlist(paths: Iterable[str]) -> list[str]:
    """Return those of a folder's files that can be played, in natural order; hidden ones are left out."""
    shown = (path for path in paths if not path.rpartition("/")[2].startswith("."))
    return sorted(filter(is_playable, shown), key=natural_key)


def subtitles_of(video: str, paths: Iterable[str]) -> list[SubtitleName]:
    """Return the subtitles that belong to a video: beside it, named like it but for a language and the extension.

    Without a language comes first, then by language; of the same language ``.ass`` comes before ``.srt``.
    """
    folder, _, name = video.rpartition("/")
    stem = name.rpartition(".")[0].casefold()
    found: list[SubtitleName] = []
    for path in paths:
        beside, _, other = path.rpartition("/")
        middle = _after(stem, other.rpartition(".")[0]) if _extension(other) in SUBTITLES else None
        if beside == folder and stem and middle is not None:
            found.append(SubtitleName(path, middle))
    return sorted(found, key=_rank)


def _after(stem: str, name: str) -> str | None:
    """Return the language by which a name is longer than a stem, or empty; ``None`` if it is not that."""
    name = name.casefold()
    if name == stem:
        return ""
    match = _LANGUAGE.fullmatch(name, len(stem)) if name.startswith(stem) else None
    return match["language"] if match else None


def _rank(subtitle: SubtitleName) -> tuple[str, int, NaturalKey]:
    kind = SUBTITLES.index(_extension(subtitle.name))
    return subtitle.language, kind, natural_key(subtitle.name)


def _parts(name: str) -> Iterable[tuple[int, str]]:
    """Yield text and numbers in turn; a number is as large as it is long, once it starts with no zero."""
    for index, part in enumerate(_NUMBER.split(name.casefold())):
        digits = part.lstrip("0")
        yield (len(digits), digits) if index % 2 else (0, part)


def _extension(name: str) -> str:
    return name.rpartition(".")[2].casefold() if "." in name else ""
