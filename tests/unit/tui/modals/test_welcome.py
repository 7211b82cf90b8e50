"""The first start: who is asked, what the answers do, and that nothing is shared by accident."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Snapshot
from peerterm.config import Settings
from peerterm.tui.modals.welcome import Welcome, is_first_start
from peerterm.tui.model import Model
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, text_of, until, until_shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the settings would be; no variable gives one."""
    for name in [name for name in os.environ if name.startswith("PEERTERM_")]:
        monkeypatch.delenv(name)
    return tmp_path / "config.toml"


async def model_of(engine: FakeEngine) -> Model:
    """Return a model with the engine's first snapshot."""
    model = Model()
    status, shares = await engine.status(), await engine.shares()
    model.apply(Snapshot(status=status, peers=[], shares=shares, transfers=engine.known_transfers))
    return model


async def test_only_a_profile_without_any_answer_is_asked(file: Path, tmp_path: Path) -> None:
    """A setting in the file or in a variable, a share, or a transfer: somebody was here before."""
    new, sharing, fetching = FakeEngine(), FakeEngine(), FakeEngine()
    await sharing.share(str(tmp_path))
    fetching.known_transfers = [make_transfer("a")]

    assert is_first_start(file, {}, await model_of(new))
    assert not is_first_start(file, {}, Model())
    assert not is_first_start(file, {"PEERTERM_INTERFACE": "lo"}, await model_of(new))
    assert not is_first_start(file, {"PEERTERM_PORT": "x"}, await model_of(new))
    assert not is_first_start(file, {}, await model_of(sharing))
    assert not is_first_start(file, {}, await model_of(fetching))
    file.touch()
    assert not is_first_start(file, {}, await model_of(new))


async def test_escape_keeps_defaults_shares_nothing_and_is_remembered(file: Path, tmp_path: Path) -> None:
    """Whatever was typed is dropped; the engine goes on, and nobody is asked again."""
    engine = FakeEngine()
    program = Program(engine)
    async with program.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: program.model.status)
        program.push_screen(Welcome(file))
        await until_shown(pilot, "Folder to share")
        await pilot.press("x", "tab", "tab", *str(tmp_path), "escape")
        await until(pilot, file.exists)

    assert Settings.load(file).sources == {}
    assert engine.known_shares == []
    assert not is_first_start(file, {}, await model_of(engine))


async def test_answers_are_kept_and_the_engine_starts_with_them(file: Path, tmp_path: Path) -> None:
    """Name and folder are written, the folder is shared, and an engine that reads them takes over."""
    first, second = FakeEngine(), FakeEngine()
    program = Program(first, second)
    async with program.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: program.model.status)
        program.push_screen(Welcome(file))
        await until_shown(pilot, "Folder to share")
        await pilot.press("ctrl+u", *"anna", "down", "ctrl+u", *f"{tmp_path}/new", "down", *str(tmp_path), "enter")
        await until(pilot, lambda: second.open_streams and not program._is_dirty)

    assert Settings.load(file).node.name == "anna"
    assert Settings.load(file).files.download_dir == tmp_path / "new"
    assert [share.path for share in first.known_shares] == [str(tmp_path)]


async def test_untouched_defaults_are_not_written(file: Path) -> None:
    """Enter at once is as good as Esc: the engine need not start again."""
    engine = FakeEngine()
    program = Program(engine)
    async with program.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: program.model.status)
        program.push_screen(Welcome(file))
        await until_shown(pilot, "Folder to share")
        await pilot.press("enter")
        await until(pilot, file.exists)

    assert Settings.load(file).sources == {}
    assert (await engine.status()).state == "ready"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["ctrl+u", "enter"], "nothing: is no name"),
        (["tab", "ctrl+u", *"here", "enter"], "here: must be an absolute path"),
        (["tab", "tab", *"/nowhere/at/all", "enter"], "does not exist"),
    ],
)
async def test_bad_answer_is_told(file: Path, keys: list[str], told: str) -> None:
    """The dialog stays, with the reason, until the answer is changed."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(Welcome(file))
        await until_shown(pilot, "Folder to share")
        await pilot.press(*keys)
        await until_shown(pilot, told)
        await pilot.press("a")
        await until(pilot, lambda: told not in str(pilot.app.screen.query_one("#fault").render()))

    assert not file.exists()


async def test_path_is_completed(file: Path, tmp_path: Path) -> None:
    """Right takes the way that a path may go on."""
    (tmp_path / "Videos").mkdir()
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(Welcome(file))
        await until_shown(pilot, "Folder to share")
        await pilot.press("tab", "tab", *f"{tmp_path}/Vi")
        field = pilot.app.screen.query_one("#share")
        await until(pilot, lambda: field._suggestion)  # type: ignore[attr-defined]
        await pilot.press("right")

    assert field.value == f"{tmp_path}/Videos/"  # type: ignore[attr-defined]


async def test_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The program says so and goes on."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(Welcome(tmp_path / "no" / "config.toml"))
        await until_shown(pilot, "Folder to share")
        await pilot.press("escape")
        await until_shown(pilot, tmp_path.name[:20])


async def test_smallest_screen_shows_each_answer_and_the_keys(file: Path) -> None:
    """It scrolls to what is typed; faults and keys stay."""
    program = Program(FakeEngine())
    async with program.run_test(size=(40, 12)) as pilot:
        await until(pilot, lambda: program.model.status)
        program.push_screen(Welcome(file))
        await until_shown(pilot, "Your name")
        await pilot.press("tab", "tab", *"/gone", "enter")
        await until_shown(pilot, "does not exist")

        assert "Enter accept" in text_of(program)
        assert "/gone " in text_of(program).replace("│", " ")
