"""A fake engine behind a real socket, and a way to run verbs against it."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.cli.app import main
from peerterm.cli.progress import Bars
from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.serving import ServedEngine, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Outcome:
    """What a verb returned and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON value of stdout."""
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a profile of its own, which the environment names."""
    monkeypatch.setenv("PEERTERM_HOME", str(tmp_path / "profile"))
    return tmp_path / "profile"


@pytest.fixture
def fake() -> FakeEngine:
    """Return the engine; a test fills it before it runs a verb."""
    return FakeEngine()


@pytest.fixture
def serving(home: Path, fake: FakeEngine) -> Iterator[ServedEngine]:
    """Serve the engine on the profile's socket."""
    with served(fake, Paths.resolve(str(home), {}).socket) as engine:
        yield engine


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command line in this process."""

    def run_one(*arguments: str) -> Outcome:
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run_one


@pytest.fixture
def interrupt_at_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl+C as soon as a verb shows progress."""

    def interrupt(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bars, "show", interrupt)
