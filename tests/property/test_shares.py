"""Any sequence of scans leaves the catalog as the last one found it, and tells each change by its number."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from peerterm.core.catalog import parse_query
from peerterm.core.ids import Root, ShareId
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.scanner import ScannedEntry, ScanResult
from peerterm.store.shares import ShareStore

SHARE = ShareId("00000001")
LARGE = 2 * 1024 * 1024
Tree = dict[tuple[str, ...], int]
"""Path to content number; odd contents are of several chunks."""

paths = st.lists(st.sampled_from(["a", "b", "a b", "é", "%"]), max_size=3).map(tuple)
trees = st.dictionaries(paths, st.integers(0, 5), max_size=8)


def root_of(content: int) -> Root:
    return Root(hashlib.sha256(bytes([content])).digest())


def entry(path: tuple[str, ...], content: int) -> ScannedEntry:
    size = LARGE if content % 2 else 10
    return ScannedEntry(path, "file", size, 1, root_of(content), b"\1" * 32, False, 0, 1, content, 0)


def scan(tree: Tree) -> ScanResult:
    digests = {root_of(content): bytes(64) for content in tree.values() if content % 2}
    return ScanResult([entry(*item) for item in tree.items()], [], 0, digests, {})


async def check(database: Database, before: Tree, tree: Tree, old_seq: int, follower: Tree) -> int:
    outcome = await ShareStore(database).apply_scan(SHARE, scan(tree))
    rows = await database.fetch_all("SELECT parent || name, root, seq FROM entries")
    changes = {path for path in tree if before.get(path) != tree[path]}

    assert {path: root for path, root, _ in rows} == {"/".join(p): root_of(c) for p, c in tree.items()}
    assert (outcome.added, outcome.removed) == (len(tree.keys() - before.keys()), len(before.keys() - tree.keys()))
    assert outcome.changed == len(changes & before.keys())
    assert outcome.seq == old_seq + outcome.added + outcome.changed + outcome.removed
    assert {path for path, _, seq in rows if seq > old_seq} == {"/".join(path) for path in changes}

    # Someone who follows by number alone arrives at the same tree.
    for (path,) in await database.fetch_all("SELECT path FROM removed WHERE seq > ?", [old_seq]):
        del follower[tuple(path.split("/")) if path else ()]
    follower |= {path: tree[path] for path in changes}
    assert follower == tree

    large = {root_of(content) for content in tree.values() if content % 2}
    assert {row[0] for row in await database.fetch_all("SELECT root FROM digests")} == large
    await database.fetch_all("INSERT INTO search (search) VALUES ('integrity-check')")
    hits = await CatalogReader(database).search(parse_query("share"), 200)
    assert {hit.path[1:] for hit in hits} == tree.keys()
    return outcome.seq


async def run(history: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder, "state.db"))
        await ShareStore(database).add(SHARE, "Share", Path("/srv"), "folder", "everyone")
        before: Tree = {}
        follower: Tree = {}
        seq = 0
        for tree in history:
            seq = await check(database, before, tree, seq, follower)
            before = tree
        await database.close()


@settings(deadline=None, max_examples=60)
@given(st.lists(trees, min_size=1, max_size=4))
def test_catalog_is_what_the_last_scan_found(history: list[Tree]) -> None:
    """Entries, numbers, removals, contents and the search index agree with a model made of dicts."""
    asyncio.run(run(history))
