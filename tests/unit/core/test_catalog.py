from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core import catalog
from peerterm.core.catalog import CatalogEntry, Merger, Query, fold, matches, parse_query, rank, type_of
from peerterm.core.ids import PeerId, Root
from peerterm.errors import UsageError

ROOT = Root(b"\1" * 32)
ALICE, BOB = PeerId("a" * 64), PeerId("b" * 64)


def entry(*path: str, root: Root = ROOT) -> CatalogEntry:
    return CatalogEntry(path, "file", 1, 1, root)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "MULLER"),
        ("Straße", "strasse"),
        ("ﬁlm", "FILM"),
        ("\uff21\uff42", "ab"),
        ("e\u0301", "é"),
        ("İ", "i"),
    ],
)
def test_variants_of_a_text_fold_to_the_same(one: str, other: str) -> None:
    """Case, accents and compatibility forms make no difference."""
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded text is its own folded form, so stored and asked texts meet."""
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.MKV", "video"),
        ("a.tar.gz", "archive"),
        ("a.py", "code"),
        ("mp3", "file"),
        ("a.", "file"),
        ("x.q", "file"),
    ],
)
def test_type_comes_from_the_extension(name: str, expected: str) -> None:
    """Only what follows the last dot counts, in any case."""
    assert type_of(name) == expected


def test_every_type_can_be_asked_for() -> None:
    """What ``type_of`` answers, ``parse_query`` accepts."""
    for kind in catalog.QUERY_KINDS:
        assert parse_query("x", kind).kind == kind


def test_words_are_folded_and_counted_once() -> None:
    """A query keeps each distinct folded word, in the order given."""
    query = parse_query("  Müller  holiday MULLER ", "video", 5, 10)

    assert query == Query("Müller  holiday MULLER", "video", 5, 10, ("muller", "holiday"))


@pytest.mark.parametrize("text", ["ab" * 32, "AB" * 32, "sha256:" + "ab" * 32, "SHA256:" + "Ab" * 32])
def test_hash_in_hex_asks_for_that_content(text: str) -> None:
    """64 hex digits, marked or not, are a hash and no words."""
    query = parse_query(text)

    assert query.digest == bytes.fromhex("ab" * 32)
    assert query.terms == ()


def test_sixty_four_letters_that_are_no_hash_are_a_word() -> None:
    """A long name stays searchable."""
    assert parse_query("z" * 64).terms == ("z" * 64,)
    assert parse_query("é" * 64).terms == ("e" * 64,)
    assert parse_query("-" * 64).terms == ("-" * 64,)


@pytest.mark.parametrize(
    ("text", "kind", "min_size", "max_size"),
    [
        ("", "any", 0, None),
        ("   ", "any", 0, None),
        ("\u0301", "any", 0, None),
        ("é" * 129, "any", 0, None),
        ("a b c d e f g h i", "any", 0, None),
        ("a\0b", "any", 0, None),
        ("a\udc80", "any", 0, None),
        ("a", "movies", 0, None),
        ("a", "any", -1, None),
        ("a", "any", 2, 1),
        ("a", "any", 0, 2**63),
        ("a", "any", 2**63, None),
        ("sha256:12", "any", 0, None),
        ("sha256:" + "z" * 64, "any", 0, None),
    ],
)
def test_query_that_cannot_be_meant_is_refused(text: str, kind: str, min_size: int, max_size: int | None) -> None:
    """Bounds, kinds and text are checked before anything searches."""
    with pytest.raises(UsageError):
        parse_query(text, kind, min_size, max_size)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text a peer sends escapes the documented error."""
    try:
        query = parse_query(text)
    except UsageError:
        return

    assert bool(query.terms) != bool(query.digest)
    assert len(query.terms) <= catalog.MAX_TERMS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("", terms=("music", "help")), True),
        (Query("", terms=("music", "other")), False),
        (Query("", min_size=11), False),
        (Query("", max_size=9), False),
        (Query("", min_size=10, max_size=10), True),
        (Query("", kind="file"), True),
        (Query("", kind="folder"), False),
        (Query("", kind="audio"), True),
        (Query("", kind="video"), False),
    ],
)
def test_entry_must_have_all_words_and_pass_all_filters(query: Query, expected: bool) -> None:
    """Every word of the query occurs in the path; size and type fit."""
    assert matches(query, "music/help.mp3", "file", "Help.mp3", 10) is expected


def test_folder_named_like_a_film_is_no_video() -> None:
    """Types of files are asked of files only."""
    assert not matches(Query("", kind="video"), "a.mkv", "folder", "a.mkv", 1)
    assert matches(Query("", kind="folder"), "a.mkv", "folder", "a.mkv", 1)


def test_best_hits_come_first() -> None:
    """Name before path, whole name before start before middle, then short before long."""
    query = parse_query("help")
    best = [
        "music/help",
        "music/help.mp3",
        "deep/music/help.mp3",
        "music/helping.mp3",
        "music/help me now.mp3",
        "music/01 help.mp3",
        "help/me.mp3",
        "music/help/yesterday.mp3",
    ]
    ranks = [rank(query, path) for path in best]

    assert ranks == sorted(set(ranks))


def test_further_holder_updates_the_hit_and_keeps_its_name() -> None:
    """One content is one hit, under the path it was first seen with."""
    merger = Merger()

    first = merger.add(ALICE, entry("Music", "a.mp3"))
    second = merger.add(BOB, entry("Stuff", "b.mp3"))

    assert first is not None
    assert first.holders == (ALICE,)
    assert second is not None
    assert second.holders == (ALICE, BOB)
    assert second.entry.path == ("Music", "a.mp3")


def test_holder_counts_once() -> None:
    """A peer that has a content twice changes nothing the second time."""
    merger = Merger()
    merger.add(ALICE, entry("a"))

    assert merger.add(ALICE, entry("copy of a")) is None


def test_merger_is_bounded_in_contents_not_in_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap new contents are dropped while known ones still gain holders."""
    monkeypatch.setattr(catalog, "MAX_MERGED_HITS", 1)
    merger = Merger()
    merger.add(ALICE, entry("a"))

    assert merger.add(ALICE, entry("b", root=Root(b"\2" * 32))) is None
    assert merger.add(BOB, entry("a")) is not None
