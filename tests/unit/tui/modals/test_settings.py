"""The settings screen: what it shows, saves, refuses and takes back."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from peerterm.config import Settings
from peerterm.tui.modals.settings import SECTIONS, SettingsScreen
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, text_of, until, until_shown

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the settings are kept; no variable gives one."""
    for name in [name for name in os.environ if name.startswith("PEERTERM_") or name == "NO_COLOR"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLORTERM", "truecolor")
    return tmp_path / "config.toml"


async def opened(pilot: Pilot[None], file: Path, *, attached: bool = True) -> None:
    """Open the settings, once there is an engine."""
    program = pilot.app
    assert isinstance(program, Program)
    await until(pilot, lambda: program.attachment.is_attached is attached and (attached or program.attachment.lost))
    program.push_screen(SettingsScreen(file))
    await until_shown(pilot, "choose a section")


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type over what stands in a field."""
    await pilot.press("end", "ctrl+u", *text)


async def go(pilot: Pilot[None], section: str, field: int = 0) -> None:
    """Go from the list of sections to a field of one."""
    await pilot.press(*["down"] * list(SECTIONS).index(section), "enter", *["down"] * field)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 18)])
async def test_every_setting_is_offered_with_its_value(file: Path, size: tuple[int, int]) -> None:
    """Each section lists all of its settings as ``config list`` has them, at every size."""
    missing: list[str] = []
    async with Program(FakeEngine()).run_test(size=size) as pilot:
        await opened(pilot, file)
        for section in SECTIONS:
            shown = text_of(pilot.app)
            for view in Settings.load(file).views():
                place, _, name = view.name.partition(".")
                is_shown = any(name in line and view.value[:20] in line for line in shown.splitlines())
                if place == section and not is_shown:
                    missing.append(view.name)
            await pilot.press("j")

    assert set(SECTIONS) == {view.name.partition(".")[0] for view in Settings().views()}
    assert missing == []


async def test_enter_saves_and_says_that_the_engine_must_restart(file: Path) -> None:
    """A value goes to the file at once, keeps its comments, and waits for the engine visibly."""
    file.write_text("# mine\n")
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "transfers")
        await typed(pilot, "7")
        await pilot.press("enter")
        await until_shown(pilot, "1 change not taken up by the engine yet; F5 restarts it")
        shown = text_of(pilot.app)

    assert file.read_text() == "# mine\n\n[transfers]\nrunning = 7\n"
    assert "* running" in shown
    assert "The engine that runs has 3; F5 restarts it" in " ".join(shown.replace("│", " ").split())


async def test_leaving_a_field_saves_it(file: Path) -> None:
    """Going to the next field is enough."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "node")
        await typed(pilot, "lab-7")
        await pilot.press("tab")
        await until(pilot, file.exists)

    assert Settings.load(file).node.name == "lab-7"


async def test_bad_value_is_told_while_it_is_typed_and_never_saved(file: Path) -> None:
    """The validator of ``config set`` speaks at once; leaving and closing lose nothing but the bad value."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "node", 1)
        await typed(pilot, "77777")
        await until_shown(pilot, "77777: must be a whole number from 0 to 65535")
        await pilot.press("enter", "down")
        await until_shown(pilot, "! port")
        await pilot.press("escape")
        await until_shown(pilot, "node.port stayed as before")

    assert not file.exists()


async def test_escape_takes_back_then_closes(file: Path) -> None:
    """The first Esc reverts the field, the second closes."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "transfers")
        await typed(pilot, "9")
        await pilot.press("escape")
        await until_shown(pilot, "running         3")
        is_open = isinstance(pilot.app.screen, SettingsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SettingsScreen))

    assert is_open
    assert not file.exists()


async def test_default_comes_back(file: Path) -> None:
    """Ctrl+r takes a value out of the file, or back what was typed."""
    file.write_text('[node]\nport = 5000 # mine\nname = "a"\n')
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "node", 1)
        await pilot.press("ctrl+r")
        await until_shown(pilot, "port            0")
        await pilot.press("5", "ctrl+r")
        await until_shown(pilot, "port            0")

    assert file.read_text() == '[node]\nname = "a"\n'


async def test_limit_is_set_at_once(file: Path) -> None:
    """A limit goes to the engine that runs, and to the file; nothing waits."""
    engine = FakeEngine()
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "transfers", 1)
        await typed(pilot, "10MiB")
        await pilot.press("enter")
        await until_shown(pilot, "10485760")
        await pilot.press("down")
        await typed(pilot, "1M")
        await pilot.press("enter")
        await until(pilot, lambda: engine.limits.up)
        await until(pilot, lambda: Settings.load(file).transfers.up_limit)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not Settings.load(file).transfers.up_limit)
        shown = text_of(pilot.app)

    assert (engine.limits.down, engine.limits.up) == (10 * 2**20, 0)
    assert Settings.load(file).transfers.down_limit == 10 * 2**20
    assert "not taken up" not in shown


async def test_theme_changes_at_once(file: Path) -> None:
    """Each theme can be chosen by the arrow keys, and is seen at once."""
    themes = []
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "ui")
        for name in ("peerterm-dark", "peerterm-light", "peerterm-contrast", "ansi-dark", "ansi-light"):
            await pilot.press("right")
            await until_shown(pilot, f"< {name} >")
            await until(pilot, partial(lambda name: pilot.app.theme == name, name))
            themes.append(Settings.load(file).ui.theme)
        await pilot.press("right", "left")
        await until(pilot, lambda: Settings.load(file).ui.theme == "ansi-light")

    assert themes == ["peerterm-dark", "peerterm-light", "peerterm-contrast", "ansi-dark", "ansi-light"]


async def test_keymap_works_at_once_and_a_clash_is_refused(file: Path) -> None:
    """Keys of one's own replace the usual ones and stand in the hints; what clashes is told and not saved."""
    program = Program(FakeEngine())
    async with program.run_test(size=(120, 36)) as pilot:
        await opened(pilot, file)
        await go(pilot, "ui", 3)
        await typed(pilot, "peers.filter=d")
        await until_shown(pilot, "d means both")
        await typed(pilot, "peers.none=d")
        await until_shown(pilot, "there is no action peers.none")
        await typed(pilot, "peers.send=o")
        await pilot.press("enter")
        await until(pilot, lambda: program.user_keymap)
        await pilot.press("escape")
        await until_shown(pilot, "o send")
        await pilot.press("o")
        await until_shown(pilot, "nobody is here yet")

    assert Settings.load(file).ui.keymap == {"peers.send": "o"}


async def test_variable_wins_and_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable gives cannot be changed here, and the screen names the variable."""
    monkeypatch.setenv("PEERTERM_RUNNING", "5")
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await go(pilot, "transfers")
        await until_shown(pilot, "PEERTERM_RUNNING gives it")
        await typed(pilot, "6")
        await until_shown(pilot, "6: is given by PEERTERM_RUNNING; unset that first")
        await pilot.press("enter", "escape", "ctrl+r", "escape")

    assert not file.exists()


async def test_settings_work_without_an_engine(file: Path) -> None:
    """They are read from the file and written there, limits too, and the screen says who will take them."""
    async with Program().run_test(size=(80, 24)) as pilot:
        await opened(pilot, file, attached=False)
        await until_shown(pilot, "No engine runs; it takes these settings when it starts.")
        await go(pilot, "transfers", 1)
        await typed(pilot, "5k")
        await pilot.press("enter")
        await until_shown(pilot, "5000")

    assert Settings.load(file).transfers.down_limit == 5000


async def test_engine_is_restarted_after_a_question(file: Path) -> None:
    """F5 asks, ends the engine, waits for the next one and compares with that."""
    first, second = FakeEngine(), FakeEngine()
    program = Program(first, second)
    async with program.run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await pilot.press("f5")
        await until_shown(pilot, "Restart the engine?")
        await pilot.press("n", "f5", "y")
        await until(pilot, lambda: second.open_streams and not program._is_dirty)

    assert (await first.status()).state == "stopping"
    assert (await second.status()).state == "ready"


@pytest.mark.parametrize("content", ["[node\n", "[node]\nprot = 1\n"])
async def test_broken_file_is_told_and_left_alone(file: Path, content: str) -> None:
    """The screen says what is wrong with the file; it offers nothing that would overwrite it."""
    file.write_text(content)
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(SettingsScreen(file))
        await until_shown(pilot, "node.port" if "prot" in content else "correct it")
        await pilot.press("ctrl+r", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SettingsScreen))

    assert file.read_text() == content


async def test_file_that_cannot_be_written_is_told(file: Path) -> None:
    """The value stays in its field, marked by nothing but the message."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file.parent / "absent" / "config.toml")
        await go(pilot, "transfers")
        await typed(pilot, "4")
        await pilot.press("enter")
        await until_shown(pilot, "cannot be written")


async def test_file_is_that_of_the_engine(file: Path) -> None:
    """Without a file given, it is the one of the profile that the engine runs on; before any, there is none."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.model.status)  # type: ignore[attr-defined]
        pilot.app.push_screen(SettingsScreen())
        await until_shown(pilot, "/profile/config.toml")
    async with Program().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(SettingsScreen())
        await until_shown(pilot, "not known yet")


async def test_words_and_sections_go_round_and_show_the_focus(file: Path) -> None:
    """Keys of both are those of a list; q closes where nothing is typed."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        await pilot.press("k", "l", "down", "h")
        await until_shown(pilot, "< off >")
        await until(pilot, file.exists)
        await pilot.press("up", "up", "q")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SettingsScreen))

    assert Settings.load(file).ui.mouse == "off"


async def test_engine_is_not_ended_if_none_could_start(file: Path) -> None:
    """Because its settings have a fault, or because this program may not start one."""
    engine = FakeEngine()
    program = Program(engine)
    async with program.run_test(size=(80, 24)) as pilot:
        await opened(pilot, file)
        program.attachment.may_start = False
        await pilot.press("f5")
        await until_shown(pilot, "may not start an engine")
        program.attachment.may_start = True
        file.write_text("[node\n")
        await pilot.press("f5", "y")
        await pilot.pause()

        assert "Restart the engine?" not in text_of(program)
        assert (await engine.status()).state == "ready"


async def test_smallest_screen_names_every_section_and_the_way_out(file: Path) -> None:
    """Nothing of it is cut off."""
    async with Program(FakeEngine()).run_test(size=(40, 12)) as pilot:
        await until(pilot, lambda: pilot.app.attachment.is_attached)  # type: ignore[attr-defined] # a Program
        pilot.app.push_screen(SettingsScreen(file))
        await until_shown(pilot, "Network")

        assert all(title in text_of(pilot.app) for title in (*SECTIONS.values(), "Esc"))
