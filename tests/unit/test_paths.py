"""Where a profile lies, and that only its user gets in."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from peerterm.errors import InvalidPath
from peerterm.paths import MAX_SOCKET_PATH_BYTES, Paths


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Yield a folder whose path is short."""
    with tempfile.TemporaryDirectory(prefix="pt") as folder:
        yield Path(folder)


def test_profile_argument_beats_the_variable(tmp_path: Path) -> None:
    """The folder is made, for this user only."""
    given = Paths.resolve(str(tmp_path / "a" / "b"), {"PEERTERM_HOME": str(tmp_path / "c")})
    variable = Paths.resolve(None, {"PEERTERM_HOME": str(tmp_path / "c")})

    assert given.home == tmp_path / "a" / "b"
    assert variable.home == tmp_path / "c"
    assert mode(given.home) == mode(given.socket.parent) == 0o700


def test_default_profile_is_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice it lies in the user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert Paths.resolve(None, {}).home == tmp_path / "peerterm"


def test_relative_profile_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of another folder finds the same profile."""
    monkeypatch.chdir(tmp_path)

    assert Paths.resolve("p", {}).home == tmp_path / "p"


def test_one_profile_has_one_socket_whatever_it_is_called(tmp_path: Path) -> None:
    """A symbolic link to a profile is that profile."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()

    assert Paths.resolve(str(tmp_path / "link"), {}) == Paths.resolve(str(tmp_path / "real"), {})


def test_long_profile_path_has_a_short_socket(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket lies in a private folder under the runtime folder, a different one for each profile."""
    runtime, temporary = short_folder / "r", short_folder / "t"
    runtime.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(temporary))
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    one = Paths.resolve(str(tmp_path / ("a" * 120)), env)
    two = Paths.resolve(str(tmp_path / ("b" * 120)), env)
    without = Paths.resolve(str(tmp_path / ("a" * 120)), {"XDG_RUNTIME_DIR": "/absent"})

    assert one.socket.parent == two.socket.parent == runtime / f"peerterm-{os.getuid()}"
    assert mode(one.socket.parent) == 0o700
    assert one.socket != two.socket
    assert without.socket.is_relative_to(temporary)
    assert max(len(os.fsencode(x.socket)) for x in (one, two, without)) <= MAX_SOCKET_PATH_BYTES


def test_planted_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link or a foreign folder where the socket would lie is not used."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "run").symlink_to(elsewhere)
    with pytest.raises(InvalidPath, match="not a folder of this user"):
        Paths.resolve(str(tmp_path / "p"), {})
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(InvalidPath, match="not a folder of this user"):
        Paths.resolve(str(tmp_path / "q"), {})


def test_open_folder_is_closed(tmp_path: Path) -> None:
    """A run folder that others may enter is corrected before a socket is in it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)

    assert mode(Paths.resolve(str(tmp_path), {}).socket.parent) == 0o700


def test_profile_that_is_a_file_is_named(tmp_path: Path) -> None:
    """The error says which path and what to choose."""
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidPath, match="file") as raised:
        Paths.resolve(str(tmp_path / "file"), {})

    assert "--profile" in raised.value.hint


def test_no_short_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If even the temporary folder is too deep the user is told."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / ("t" * 120)))

    with pytest.raises(InvalidPath, match="short enough"):
        Paths.resolve(str(tmp_path / ("a" * 120)), {})
