from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerterm.core.catalog import CatalogEntry, Query, parse_query
from peerterm.core.ids import Root, ShareId
from peerterm.errors import NotFound, UsageError
from peerterm.store import catalog as module
from peerterm.store.catalog import CatalogReader, StoredFile, Totals
from peerterm.store.database import Database
from peerterm.store.scanner import ScannedEntry, ScanResult
from peerterm.store.shares import ShareStore

SECOND = 10**9
LARGE = 2 * 1024 * 1024
LISTING = b"what a folder lists"
NAMES = [
    "Müller live.mp3",
    "muller.txt",
    "Straße.JPG",
    "音楽 集.flac",
    "100% pure_gold.mp4",
    "100 pure gold.mp4",
    'say "hi" AND bye*.txt',
    "🎉 party.png",
    "deep/holiday/beach.jpg",
    "deep/holiday.zip",
    "deep/copy of beach.jpg",
]


def root_of(text: str) -> Root:
    return Root(hashlib.sha256(text.encode()).digest())


def flat_of(text: str) -> bytes:
    return hashlib.sha256(f"flat {text}".encode()).digest()


def file(path: str, size: int = 10, content: str = "") -> ScannedEntry:
    parts = tuple(path.split("/")) if path else ()
    content = content or path
    inode = 2**64 - 7
    return ScannedEntry(parts, "file", size, 1, root_of(content), flat_of(content), False, 5 * SECOND, 3, inode, 9)


def folder(path: str, content: str) -> ScannedEntry:
    parts = tuple(path.split("/")) if path else ()
    return ScannedEntry(parts, "folder", 20, 2, root_of(content), None, False, 0, 1, 1, 9)


async def share(database: Database, share_id: str, name: str, *entries: ScannedEntry) -> None:
    shares = ShareStore(database)
    await shares.add(ShareId(share_id), name, Path("/srv") / name, entries[0].kind, "everyone")
    listings = {entry.root: LISTING for entry in entries if entry.kind == "folder"}
    digests = {entry.root: b"d" * 64 for entry in entries if entry.size == LARGE}
    await shares.apply_scan(ShareId(share_id), ScanResult(list(entries), [], 0, digests, listings))


@pytest.fixture
async def reader(database: Database) -> CatalogReader:
    files = [file(name, size=index + 1) for index, name in enumerate(NAMES)]
    folders = [folder("", "top"), folder("deep", "deep"), folder("deep/holiday", "holiday")]
    await share(database, "00000001", "Stuff", *folders, *files)
    return CatalogReader(database)


async def found(reader: CatalogReader, text: str, kind: str = "any", limit: int = 200) -> list[str]:
    return ["/".join(entry.path) for entry in await reader.search(parse_query(text, kind), limit)]


async def test_empty_path_lists_the_scanned_shares(reader: CatalogReader, database: Database) -> None:
    """Shares appear by name, a single file as a file, one that was never scanned not at all."""
    await share(database, "00000002", "film.mkv", file("", 7, "film"))
    await ShareStore(database).add(ShareId("00000003"), "New", Path("/new"), "folder", "everyone")

    entries, more = await reader.browse((), "", 500)

    assert [(entry.path, entry.kind) for entry in entries] == [(("Stuff",), "folder"), (("film.mkv",), "file")]
    assert entries[1] == CatalogEntry(
        ("film.mkv",), "file", 7, 1, root_of("film"), flat_of("film"), False, 5_000_000_000, 15
    )
    assert not more


async def test_folder_is_listed_in_byte_order_page_by_page(database: Database) -> None:
    """Pages follow each other without gap or repetition."""
    names = ["B", "a", "b", "é", "z", "日本", "🎉"]
    await share(database, "00000001", "S", folder("", "top"), *(file(name) for name in names))
    reader, after, pages = CatalogReader(database), "", []

    more = True
    while more:
        entries, more = await reader.browse(("S",), after, 3)
        pages.append([entry.path[-1] for entry in entries])
        after = pages[-1][-1]

    assert pages == [["B", "a", "b"], ["z", "é", "日本"], ["🎉"]]


async def test_deep_folder_is_listed_with_full_paths(reader: CatalogReader) -> None:
    """Entries carry their path from the share's name on; only direct children are listed."""
    entries, _ = await reader.browse(("Stuff", "deep"), "", 10)

    assert [entry.path for entry in entries] == [
        ("Stuff", "deep", "copy of beach.jpg"),
        ("Stuff", "deep", "holiday"),
        ("Stuff", "deep", "holiday.zip"),
    ]


async def test_end_of_a_folder_is_an_empty_page(reader: CatalogReader, database: Database) -> None:
    """Nothing after the last name, and nothing in an empty folder."""
    await share(database, "00000002", "Empty", folder("", "empty"))

    assert await reader.browse(("Stuff",), "\U0010ffff", 10) == ([], False)
    assert await reader.browse(("Empty",), "", 10) == ([], False)


@pytest.mark.parametrize(
    "path",
    [
        ("Other",),
        ("Stuff", "none"),
        ("Stuff", "muller.txt"),
        ("Stuff", ""),
        ("", "deep"),
        ("Stuff", "deep/holiday"),
        ("Stuff/deep",),
        ("Stuff", "deep", ""),
        ("Stuff", ".."),
        ("Stuff", "\0"),
        ("Stuff", "\udcff"),
    ],
)
async def test_what_is_no_folder_is_not_found(reader: CatalogReader, path: tuple[str, ...]) -> None:
    """A file, an absent name and every hostile component look the same."""
    with pytest.raises(NotFound):
        await reader.browse(path, "", 10)


async def test_page_after_a_name_that_is_no_text_is_refused(reader: CatalogReader) -> None:
    """A lone surrogate cannot reach the database."""
    with pytest.raises(NotFound):
        await reader.browse(("Stuff",), "\ud800", 10)


async def test_entry_is_located_by_its_path(reader: CatalogReader) -> None:
    """The share itself, a folder and a file are found."""
    for path in (("Stuff",), ("Stuff", "deep"), ("Stuff", "deep", "holiday", "beach.jpg")):
        entry = await reader.locate(path)

        assert entry is not None
        assert entry.path == path


@pytest.mark.parametrize("path", [(), ("Stuff", ""), ("Stuff/deep",), ("Stuff", "no"), ("Stuff", "deep/holiday")])
async def test_no_other_path_is_located(reader: CatalogReader, path: tuple[str, ...]) -> None:
    """Components are taken as they are, never joined into another entry's path."""
    assert await reader.locate(path) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("muller", ["muller.txt", "Müller live.mp3"]),
        ("MÜLLER LIVE", ["Müller live.mp3"]),
        ("strasse", ["Straße.JPG"]),
        ("音楽", ["音楽 集.flac"]),
        ("集", ["音楽 集.flac"]),
        ("🎉", ["🎉 party.png"]),
        ("🎉 party", ["🎉 party.png"]),
        ("0%", ["100% pure_gold.mp4"]),
        ("100%", ["100% pure_gold.mp4"]),
        ("e_g", ["100% pure_gold.mp4"]),
        ("_", ["100% pure_gold.mp4"]),
        ('"hi"', ['say "hi" AND bye*.txt']),
        ('"', ['say "hi" AND bye*.txt']),
        ("bye*", ['say "hi" AND bye*.txt']),
        ("AND", ['say "hi" AND bye*.txt']),
        ("beach holiday", ["deep/holiday/beach.jpg"]),
        ("gold -pure", []),
        ("muller OR strasse", []),
        ("NOT", []),
        ("mul*", []),
        ("folded:muller", []),
        ("NEAR(muller)", []),
        ("^muller", []),
        ("{folded}", []),
        ("'; DROP TABLE entries; --", []),
    ],
)
async def test_words_are_found_literally(reader: CatalogReader, text: str, names: list[str]) -> None:
    """Accents and case make no difference; operators and wildcards of SQL and FTS mean themselves."""
    assert await found(reader, text, "file") == [f"Stuff/{name}" for name in names]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(text=st.text(st.characters(exclude_categories=[]), min_size=1, max_size=12) | st.text('"*^():{}+-%_\\ aND'))
async def test_no_text_breaks_a_search(reader: CatalogReader, text: str) -> None:
    """Whatever a peer asks for, the search answers or the query is refused."""
    try:
        query = parse_query(text)
    except UsageError:
        return

    assert len(await reader.search(query, 5)) <= 5


async def test_type_and_size_narrow_a_search(reader: CatalogReader) -> None:
    """Filters hold for kinds, types of files and both bounds of size."""
    assert await found(reader, "holiday", "folder") == ["Stuff/deep/holiday"]
    assert await found(reader, "holiday", "archive") == ["Stuff/deep/holiday.zip"]
    assert await found(reader, "holiday", "image") == ["Stuff/deep/holiday/beach.jpg"]
    between = await reader.search(parse_query("gold", "any", 5, 5), 200)
    assert [entry.path[-1] for entry in between] == ["100% pure_gold.mp4"]


async def test_best_hit_is_first_and_the_limit_cuts_the_rest(reader: CatalogReader) -> None:
    """Hits come ranked, whole names before paths."""
    assert (await found(reader, "holiday"))[0] == "Stuff/deep/holiday"
    assert await found(reader, "stuff", limit=1) == ["Stuff"]


async def test_word_that_matches_everything_is_cut_short(
    reader: CatalogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search ranks a bounded number of entries."""
    monkeypatch.setattr(module, "MAX_CANDIDATES", 3)

    assert len(await found(reader, "stuff")) == 3
    assert len(await found(reader, "s")) == 3


@pytest.mark.parametrize("digest", [root_of("muller.txt"), flat_of("muller.txt")])
async def test_hash_is_searchable(reader: CatalogReader, digest: bytes) -> None:
    """A root and a flat SHA-256 both find the file; filters still hold."""
    assert await found(reader, f"sha256:{digest.hex()}") == ["Stuff/muller.txt"]
    assert await found(reader, digest.hex(), "video") == []


async def test_changed_entry_is_found_as_it_is_now(reader: CatalogReader, database: Database) -> None:
    """The index follows removals, and an update of its text."""
    result = ScanResult([folder("", "top 2"), file("muller.txt", 99)], [], 0, {}, {})
    await ShareStore(database).apply_scan(ShareId("00000001"), result)
    async with database.transaction() as connection:
        await connection.execute("UPDATE entries SET folded = 'stuff/renamed' WHERE name = 'muller.txt'")

    assert await found(reader, "holiday") == []
    assert await found(reader, "muller") == []
    assert await found(reader, "renamed") == ["Stuff/muller.txt"]
    await database.fetch_all("INSERT INTO search (search) VALUES ('integrity-check')")


@pytest.mark.parametrize("digits", [8, 9, 63, 64])
async def test_prefix_of_a_hash_finds_its_content(reader: CatalogReader, digits: int) -> None:
    """Odd and even numbers of digits work, for root and flat SHA-256."""
    by_root = await reader.find("root", root_of("muller.txt").hex()[:digits], 10)
    by_flat = await reader.find("sha256", flat_of("muller.txt").hex()[:digits], 10)

    assert [entry.path for entry in by_root] == [("Stuff", "muller.txt")]
    assert by_flat == by_root


async def test_prefix_finds_each_content_once(reader: CatalogReader, database: Database) -> None:
    """Copies of one content do not hide another one behind the limit."""
    copies = [file(f"copy {number}", content="same") for number in range(5)]
    await share(database, "00000002", "Copies", folder("", "copies"), *copies)

    assert len(await reader.find("root", root_of("same").hex(), 200)) == 1
    everything = await reader.find("root", "", 200)
    assert len(everything) == len(NAMES) + 3 + 2
    assert [entry.root for entry in everything] == sorted(entry.root for entry in everything)
    assert len(await reader.find("sha256", "", 3)) == 3


async def test_file_is_looked_for_wherever_it_lies(reader: CatalogReader, database: Database) -> None:
    """Every copy is a candidate with the facts to check it by; a folder is none."""
    await share(database, "00000002", "film.mkv", file("", content="muller.txt"))

    inside, single = sorted(await reader.file_of(root_of("muller.txt")), key=lambda found: found.path)

    assert inside == StoredFile(Path("/srv/Stuff/muller.txt"), 2, 5 * SECOND, 2**64 - 7, 3)
    assert single.path == Path("/srv/film.mkv")
    assert await reader.file_of(root_of("top")) == []


async def test_digests_of_every_content_are_told(reader: CatalogReader, database: Database) -> None:
    """Stored for many chunks; the flat hash for one; none for an empty file; the hash of a short listing."""
    contents = [file("large", LARGE), file("empty", 0)]
    await share(database, "00000002", "More", folder("", "more"), *contents)

    assert await reader.digests(root_of("large")) == b"d" * 64
    assert await reader.digests(root_of("muller.txt")) == flat_of("muller.txt")
    assert await reader.digests(root_of("empty")) == b""
    assert await reader.digests(root_of("more")) == hashlib.sha256(LISTING).digest()
    assert await reader.digests(root_of("nothing")) is None


async def test_large_content_whose_digests_are_lost_has_none(reader: CatalogReader, database: Database) -> None:
    """A flat hash never passes for the digests of several chunks."""
    await share(database, "00000002", "More", folder("", "more"), file("large", LARGE + 1))

    assert await reader.digests(root_of("large")) is None


async def test_listing_and_size_of_contents(reader: CatalogReader) -> None:
    """A folder's size as a content is that of its listing."""
    assert await reader.listing(root_of("top")) == LISTING
    assert await reader.listing(root_of("muller.txt")) is None
    assert await reader.size_of(root_of("top")) == len(LISTING)
    assert await reader.size_of(root_of("muller.txt")) == 2
    assert await reader.size_of(root_of("nothing")) is None


async def test_totals_count_scanned_shares(reader: CatalogReader, database: Database) -> None:
    """What HELLO says sums up the shares that can be browsed."""
    await ShareStore(database).add(ShareId("00000003"), "New", Path("/new"), "folder", "everyone")

    assert await reader.totals() == Totals(shares=1, files=2, size=20, seq=14)


async def test_nothing_shared_counts_nothing(database: Database) -> None:
    """An empty catalog has totals too."""
    assert await CatalogReader(database).totals() == Totals(0, 0, 0, 0)


async def test_hash_query_without_words_ranks_by_name(reader: CatalogReader) -> None:
    """A query without words and hash, which ``parse_query`` never makes, lists entries."""
    assert len(await reader.search(Query("", kind="folder"), 200)) == 3


async def test_small_files_are_found_in_one_query(database: Database) -> None:
    """Files of one chunk come with digest and places; folders, empty, bigger and unknown contents do not."""
    big, empty = file("big", LARGE), file("empty", 0)
    await share(database, "00000001", "S", folder("", "top"), file("a", 5), file("deep/a", 5, "a"), big, empty)
    reader = CatalogReader(database)

    found = await reader.small_files([root_of(name) for name in ("top", "a", "big", "empty", "nobody")])

    assert set(found) == {root_of("a")}
    assert found[root_of("a")].digest == flat_of("a")
    assert sorted(str(place.path) for place in found[root_of("a")].files) == ["/srv/S/a", "/srv/S/deep/a"]


async def test_places_of_several_files_are_found_in_one_query(reader: CatalogReader) -> None:
    """Every place with its content; folders and what is unknown are left out."""
    wanted = [root_of("muller.txt"), root_of("deep/holiday.zip"), root_of("top"), root_of("unknown")]
    found = await reader.places(wanted)

    assert {(root, str(each.path)) for root, each in found} == {
        (root, str(each.path)) for root in wanted for each in await reader.file_of(root)
    }
    assert {root for root, _ in found} == set(wanted[:2])
    assert await reader.places([]) == []


async def test_share_is_found_by_its_name(reader: CatalogReader, database: Database) -> None:
    """Of the kind that is asked for, whatever it holds."""
    await ShareStore(database).add(ShareId("00000003"), "New", Path("/new"), "folder", "everyone")

    assert await reader.share_at("New", "folder") == Path("/new")
    assert await reader.share_at("New", "file") is None
    assert await reader.share_at("Old", "folder") is None
