"""peerterm.core.playlist: order, what is played, and which subtitles belong to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.playlist import SubtitleName, is_playable, natural_key, playlist, subtitles_of


def test_numbers_are_numbers() -> None:
    """2 comes before 10, zeros in front do not count, and case does not either."""
    names = ["E10.mkv", "e2.mkv", "E1.mkv", "E02b.mkv", "e002.mkv", "9.mkv", "10.mkv", "a.mkv"]

    assert sorted(names, key=natural_key) == [
        "9.mkv", "10.mkv", "a.mkv", "E1.mkv", "e002.mkv", "e2.mkv", "E02b.mkv", "E10.mkv",
    ]  # fmt: skip


def test_folders_stay_together() -> None:
    """What is in one folder is not mixed with another's, however they are called."""
    paths = ["CD10/1.flac", "CD2/10.flac", "CD2 extra/1.flac", "CD2/9.flac"]

    assert sorted(paths, key=natural_key) == ["CD2/9.flac", "CD2/10.flac", "CD2 extra/1.flac", "CD10/1.flac"]


@given(st.lists(st.text(st.sampled_from("0129aA./ ٣²é")), unique=True))
def test_order_is_total(names: list[str]) -> None:
    """Any names can be sorted, and the outcome does not depend on how they came."""
    ordered = sorted(names, key=natural_key)
    names.reverse()

    assert sorted(names, key=natural_key) == ordered
    assert len({natural_key(name) for name in names}) == len(names)


def test_endless_number_is_sorted() -> None:
    """A name may be all digits, more than a number is read of."""
    names = ["9" * 5000, "1" + "0" * 5000, "8"]

    assert sorted(names, key=natural_key) == ["8", *names[:2]]


def test_playlist_holds_what_can_be_played() -> None:
    """Films and songs in natural order; pictures, texts, subtitles and hidden files are left out."""
    names = ["10 b.MP3", "cover.jpg", "2 a.flac", "2 a.srt", ".3 c.mp3", "notes", "mkv", "x/.y.mkv", "list.m3u8"]

    assert playlist(names) == ["2 a.flac", "10 b.MP3"]
    assert is_playable("a.b.Webm")
    assert not is_playable("film.mkv.peerterm-part")


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("Film.srt", ""), ("film.SRT", ""), ("Film.en.srt", "en"), ("Film.pt-BR.ass", "pt-br"),
        ("Film.deu.vtt", "deu"),
        ("Film.zh-Hans-CN.srt", "zh-hans-cn"), ("Film.en.forced.srt", "en"), ("Film.en.SDH.srt", "en"),
    ],
)  # fmt: skip
def test_subtitles_belong_by_name(name: str, language: str) -> None:
    """The same stem, or a stem that only a language makes longer."""
    assert subtitles_of("Film.mkv", [name]) == [SubtitleName(name, language)]


@pytest.mark.parametrize(
    "name",
    [
        "Film 2.srt",
        "Film.2.srt",
        "Film.srt.txt",
        "Fil.srt",
        "Film",
        "Film.sub",
        "other/Film.srt",
        "Film.english.srt",
    ],
)
def test_other_files_do_not_belong(name: str) -> None:
    """Neither another film's, nor another folder's, nor of another kind."""
    assert subtitles_of("Film.mkv", [name]) == []


def test_subtitles_are_in_order() -> None:
    """Those without a language come first; the richer kind comes before the plain one."""
    paths = ["a/F.en.srt", "a/F.de.vtt", "a/F.srt", "a/F.en.ass", "F.srt"]
    names = [subtitle.name for subtitle in subtitles_of("a/F.mkv", paths)]

    assert names == ["a/F.srt", "a/F.de.vtt", "a/F.en.ass", "a/F.en.srt"]
