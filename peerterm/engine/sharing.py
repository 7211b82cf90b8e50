"""Shares: what this machine offers, kept true by scans. Owns the scans; knows nothing of peers."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.api.events import ShareChanged, ShareRemoved
from peerterm.api.views import ShareView
from peerterm.core.ids import ShareId
from peerterm.core.names import check_name, numbered
from peerterm.engine.scanning import scanned, shareable_kind
from peerterm.engine.tasks import Tasks
from peerterm.errors import AmbiguousReference, InvalidName, InvalidPath, NotFound, NotSupported, PeertermError
from peerterm.store.scanner import ScanCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerterm.config import FileSettings
    from peerterm.engine.bus import Bus
    from peerterm.store.scanner import ScanProgress
    from peerterm.store.shares import ShareStore, StoredShare

log = logging.getLogger("peerterm.sharing")

MAX_SKIPPED_SHOWN = 50


class Sharing:
    """Adds, scans and removes shares. One scan runs at a time; others wait their turn."""

    def __init__(
        self, store: ShareStore, settings: FileSettings, bus: Bus, on_catalog_changed: Callable[[], None]
    ) -> None:
        self._store = store
        self._settings = settings
        self._bus = bus
        self._on_catalog_changed = on_catalog_changed
        self._views: dict[ShareId, ShareView] = {}
        self._tasks: dict[ShareId, asyncio.Task[None]] = {}
        self._again: set[ShareId] = set()
        self._turn = asyncio.Semaphore(1)
        self._service = Tasks()

    async def run(self) -> None:
        """Rescan what is shared, then serve until cancelled.

        Cancel: running scans are stopped; what they found so far is forgotten.
        """
        async with self._service:
            for share_id in list(self._views):
                self._start_scan(share_id)
            await asyncio.Event().wait()

    async def load(self) -> None:
        """Read the stored shares; they are offered as they were last indexed until the rescan says otherwise."""
        for stored in await self._store.all():
            view = _view_of(stored)
            if view.kind == "folder" or not view.root:
                skipped = await self._store.skipped(stored.share_id)
                view = replace(view, skipped=_lines(skipped))
            self._views[stored.share_id] = view

    def views(self) -> list[ShareView]:
        """Return all shares, by name."""
        return sorted(self._views.values(), key=lambda view: view.name.casefold())

    async def share(self, path: str, name: str = "", visibility: str = "everyone") -> ShareView:
        """See ``EngineApi.share``."""
        if visibility != "everyone":
            raise NotSupported(
                f"visibility {visibility!r} is not offered yet; everyone on this network sees every share",
                "leave --to out, or do not share it",
            )
        kind = await asyncio.to_thread(shareable_kind, path)
        for share_id, view in self._views.items():
            if view.path == path:
                if name and name != view.name:
                    raise InvalidName(
                        f"{path} is already shared as {view.name!r}", f"first: peerterm unshare {share_id}"
                    )
                self._start_scan(share_id)
                return self._views[share_id]
        name = self._free_name(name, path)
        share_id = ShareId(secrets.token_hex(4))
        await self._store.add(share_id, name=name, path=Path(path), kind=kind, visibility=visibility)
        self._views[share_id] = ShareView(
            share_id=share_id,
            name=name,
            path=path,
            kind=kind,
            root="",
            sha256="",
            files=0,
            bytes=0,
            visibility=visibility,
            state="indexing",
        )
        log.info("shared path=%r id=%s", path, share_id)
        self._start_scan(share_id)
        return self._views[share_id]

    async def unshare(self, reference: str) -> ShareView:
        """See ``EngineApi.unshare``."""
        share_id = self._resolve(reference)
        view = self._views.pop(share_id)
        self._again.discard(share_id)
        if task := self._tasks.get(share_id):
            task.cancel()
            await asyncio.wait([task])
        await self._store.remove(share_id)
        self._bus.publish(ShareRemoved(share_id=share_id))
        self._on_catalog_changed()
        return view

    async def rescan(self, reference: str = "") -> list[ShareView]:
        """See ``EngineApi.rescan``."""
        chosen = [self._resolve(reference)] if reference else list(self._views)
        for share_id in chosen:
            self._start_scan(share_id)
        return [self._views[share_id] for share_id in chosen]

    def _resolve(self, reference: str) -> ShareId:
        found = [
            share_id
            for share_id, view in self._views.items()
            if reference in (share_id, view.name, view.path) or (reference and share_id.startswith(reference))
        ]
        if not found:
            raise NotFound(f"no share {reference!r}", "peerterm shares lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} shares", "use more of the id")
        return found[0]

    def _free_name(self, wanted: str, path: str) -> str:
        taken = {view.name for view in self._views.values()}
        name = wanted or Path(path).name or "root"
        check_name(name)
        if name not in taken:
            return name
        if wanted:
            raise InvalidName(f"another share is named {wanted!r}", "choose another --name")
        return next(free for n in range(2, len(taken) + 3) if (free := numbered(name, n)) not in taken)

    def _start_scan(self, share_id: ShareId) -> None:
        """Scan a share; while a scan of it is under way, once more after that one."""
        if share_id in self._tasks:
            self._again.add(share_id)
            self._set(share_id, state="indexing")
            return
        self._set(share_id, state="indexing", error="", done_files=0, done_bytes=0, eta=None)
        if task := self._service.start(self._scan(share_id), name=f"scan {share_id}"):
            self._tasks[share_id] = task
            task.add_done_callback(lambda _: self._scan_ended(share_id))

    def _scan_ended(self, share_id: ShareId) -> None:
        self._tasks.pop(share_id, None)
        if share_id in self._again and share_id in self._views:
            self._start_scan(share_id)
        self._again.discard(share_id)

    def _set(self, share_id: ShareId, **changes: object) -> None:
        if share_id not in self._views:
            return  # unshared meanwhile
        view = replace(self._views[share_id], **changes)  # type: ignore[arg-type]
        self._views[share_id] = view
        self._bus.publish(ShareChanged(share=view))

    async def _scan(self, share_id: ShareId) -> None:
        """Bring one share's entries up to date with the disk."""
        async with self._turn:
            try:
                await self._scan_now(share_id, Path(self._views[share_id].path))
            except ScanCancelled:
                log.info("scan cancelled id=%s", share_id)
            except InvalidPath as error:
                self._set(share_id, state="missing", error=error.advice)
            except PeertermError as error:
                log.warning("scan failed id=%s reason=%r", share_id, error.message)
                self._set(share_id, state="failed", error=error.advice)

    def _show_progress(self, share_id: ShareId, progress: ScanProgress) -> None:
        self._set(
            share_id,
            files=progress.files,
            bytes=progress.bytes,
            done_files=progress.done_files,
            done_bytes=progress.done_bytes,
            eta=progress.eta,
        )

    async def _scan_now(self, share_id: ShareId, path: Path) -> None:
        result = await scanned(
            path, self._settings, await self._store.hash_cache(), partial(self._show_progress, share_id)
        )
        outcome = await self._store.apply_scan(share_id, result)
        top = next(entry for entry in result.entries if not entry.path)
        self._set(
            share_id,
            state="indexing" if share_id in self._again else "ready",
            root=top.root.hex(),
            sha256=top.sha256.hex() if top.sha256 else "",
            files=top.files,
            bytes=top.size,
            done_files=top.files,
            done_bytes=top.size,
            eta=None,
            seq=outcome.seq,
            skipped=_lines(result.skipped),
        )
        if outcome.added or outcome.changed or outcome.removed:
            self._on_catalog_changed()


def _view_of(stored: StoredShare) -> ShareView:
    return ShareView(
        share_id=stored.share_id,
        name=stored.name,
        path=str(stored.path),
        kind=stored.kind,
        root=stored.root.hex() if stored.root else "",
        sha256=stored.sha256.hex() if stored.sha256 else "",
        files=stored.files,
        bytes=stored.size,
        visibility=stored.visibility,
        state="ready" if stored.root else "indexing",
    )


def _lines(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Say what was left out, one line each, and how many more there are."""
    lines = [f"{path}: {reason}" for path, reason in skipped[:MAX_SKIPPED_SHOWN]]
    if len(skipped) > MAX_SKIPPED_SHOWN:
        lines.append(f"and {len(skipped) - MAX_SKIPPED_SHOWN} more")
    return lines
