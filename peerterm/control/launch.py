"""Finds a profile's engine, or starts one as a process of its own that outlives the terminal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import peerterm
from peerterm.control.client import RemoteEngine
from peerterm.errors import ControlError, EngineBusy, EngineNotRunning, PeertermError, StorageError, by_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerterm.paths import Paths

START_SECONDS = 15.0
POLL_SECONDS = 0.02
RETRY_SECONDS = 0.5
"""How long a start that met another engine waits before it tries again."""

MAX_START_LOG_BYTES = 64 * 1024
ENGINE = (sys.executable, "-m", "peerterm")


async def attach(
    paths: Paths,
    *,
    start: bool = True,
    stays: bool = False,
    extra_args: Sequence[str] = (),
    seconds: float = START_SECONDS,
    command: Sequence[str] = ENGINE,
    on_start: Callable[[], None] = lambda: None,
) -> RemoteEngine:
    """Connect to the profile's engine; start one first if none runs.

    Several callers at once are fine: one engine wins the profile's lock, and all attach to it.

    Args:
        paths: The profile.
        start: Whether an engine may be started; if not, none running is an error at once.
        stays: Whether an engine that is started goes on without clients even if it is idle.
        extra_args: Further arguments of the engine that is started.
        seconds: How long an engine may take to get ready.
        command: What runs peerterm.
        on_start: Called when an engine is being started.

    Raises:
        EngineNotRunning: None runs and ``start`` is false.
        PeertermError: The engine could not start; as it said itself.

    Cancel: Safe; an engine that was started goes on.
    """
    until = time.monotonic() + seconds
    child: _Child | None = None
    not_before = 0.0
    while True:
        try:
            engine = await RemoteEngine.connect(paths.socket)
        except EngineNotRunning:
            if not start:
                raise
        else:
            engine.is_new = child is not None
            return engine
        now = time.monotonic()
        if child is None and now >= not_before:
            on_start()
            how = ["--no-ui", *([] if stays else ["--until-idle"]), "--quiet", "--json"]
            child = _Child(paths, [*command, *how, f"--profile={paths.home}", *extra_args])
        if child is not None and (failure := child.failure()) is not None:
            if not isinstance(failure, EngineBusy):
                raise failure
            child, not_before = None, now + RETRY_SECONDS  # the other engine is about to listen, or to end
        if now >= until:
            raise ControlError(
                f"the engine was not ready within {seconds:.0f} s", f"see why: {paths.log} and {paths.start_log}"
            )
        await asyncio.sleep(POLL_SECONDS)


async def wait_ready(paths: Paths, *, seconds: float) -> RemoteEngine:
    """Connect to the profile's engine as soon as somebody else has started it.

    Raises:
        EngineNotRunning: None was ready within ``seconds``.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return await RemoteEngine.connect(paths.socket)
        except EngineNotRunning:
            if time.monotonic() >= until:
                raise
        await asyncio.sleep(POLL_SECONDS)


def environment() -> dict[str, str]:
    """Return our environment, in which a process finds the source tree that we run from, wherever it starts."""
    root = Path(peerterm.__file__).parents[1]
    if root.name in {"site-packages", "dist-packages"}:
        return dict(os.environ)
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))}


class _Child:
    """An engine process that was started, detached from this terminal."""

    def __init__(self, paths: Paths, command: list[str]) -> None:
        self._log = paths.start_log
        try:
            keep = self._log.exists() and self._log.stat().st_size < MAX_START_LOG_BYTES
            with self._log.open("ab" if keep else "wb") as errors:
                self._offset = errors.tell()
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd=paths.home,  # neither keeps the user's folder busy nor imports from it
                    env=environment(),
                    start_new_session=True,
                )
        except OSError as error:
            raise StorageError(f"the engine cannot be started: {error}", "try: peerterm --no-ui") from error
        # Somebody must wait for the process, or it stays as a zombie while this client lives.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def failure(self) -> PeertermError | None:
        """Return why the engine ended before it was ready; ``None`` while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            lines = stream.read(MAX_START_LOG_BYTES).decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else f"it ended with {code}"
        return _reported(last) or ControlError(f"the engine could not start: {last}", f"see {self._log}")


def _reported(line: str) -> PeertermError | None:
    """Rebuild the error of a ``--json`` line, if it is one."""
    try:
        error = json.loads(line)["error"]
        return by_code().get(error["code"], PeertermError)(str(error["message"]), str(error["hint"]))
    except (ValueError, LookupError, TypeError):
        return None
