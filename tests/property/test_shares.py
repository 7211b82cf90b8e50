"""Any sequence of scans leaves the catalog as the last one found it, and tells each change by its number."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from peerterm.core.catalog import parse_query
from peerterm.core.ids import Root, ShareId
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.scanner import ScannedEntry, ScanResult
from peerterm.store.shares import ScanOutcome, ShareStore

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


@dataclass
class Found:
    """What the catalog holds and tells after one scan."""

    outcome: ScanOutcome
    entries: dict[tuple[str, ...], Root]
    changes: set[tuple[str, ...]]
    removals: set[tuple[str, ...]]
    digests: set[Root]
    hits: set[tuple[str, ...]]


async def found_after(database: Database, tree: Tree, old_seq: int) -> Found:
    """Apply a scan and read back all that came of it since a number."""
    outcome = await ShareStore(database).apply_scan(SHARE, scan(tree))
    rows = await database.fetch_all("SELECT parent || name, root, seq FROM entries")
    removed = await database.fetch_all("SELECT path FROM removed WHERE seq > ?", [old_seq])
    digests = await database.fetch_all("SELECT root FROM digests")
    await database.fetch_all("INSERT INTO search (search) VALUES ('integrity-check')")
    hits = await CatalogReader(database).search(parse_query("share"), 200)
    return Found(
        outcome,
        entries={parts_of(path): root for path, root, _ in rows},
        changes={parts_of(path) for path, _, seq in rows if seq > old_seq},
        removals={parts_of(path) for (path,) in removed},
        digests={root for (root,) in digests},
        hits={hit.path[1:] for hit in hits},
    )


def parts_of(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


async def scanned(history: list[Tree]) -> list[Found]:
    """Scan a share again and again; return what is found after each time."""
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder, "state.db"))
        await ShareStore(database).add(SHARE, "Share", Path("/srv"), "folder", "everyone")
        found: list[Found] = []
        for tree in history:
            found.append(await found_after(database, tree, found[-1].outcome.seq if found else 0))
        await database.close()
        return found


@settings(deadline=None, max_examples=60)
@given(st.lists(trees, min_size=1, max_size=4))
def test_catalog_is_what_the_last_scan_found(history: list[Tree]) -> None:
    """Entries, numbers, removals, contents and the search index agree with a model made of dicts."""
    follower: Tree = {}
    seq = 0
    for before, tree, found in zip([{}, *history], history, asyncio.run(scanned(history)), strict=False):
        outcome = found.outcome
        changes = {path for path in tree if before.get(path) != tree[path]}
        follower = {path: content for path, content in follower.items() if path not in found.removals}
        follower |= {path: tree[path] for path in found.changes}

        assert found.entries == {path: root_of(content) for path, content in tree.items()}
        assert (outcome.added, outcome.removed) == (len(tree.keys() - before), len(before.keys() - tree))
        assert outcome.changed == len(changes & before.keys())
        assert outcome.seq == seq + outcome.added + outcome.changed + outcome.removed
        assert found.changes == changes
        assert found.removals == before.keys() - tree
        assert follower == tree, "who follows by number alone arrives at the same tree"
        assert found.digests == {root_of(content) for content in tree.values() if content % 2}
        assert found.hits == tree.keys()

        seq = outcome.seq
