"""The shape of the code base: who imports whom, how long a module may be, what a start may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "peerterm"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 500

# Importing the first may not load any of the rest.
APART = {
    "peerterm": {"asyncio", "msgspec", "cyclopts", "rich"},
    "peerterm.__main__": {"asyncio", "cyclopts", "rich", "textual"},
    "peerterm.api.engine": {"asyncio", "msgspec", "sqlite3", "ssl"},
    "peerterm.core": {"asyncio", "socket", "ssl", "sqlite3", "threading"},
    "peerterm.engine.engine": {"textual", "aiohttp", "cyclopts", "rich"},
    "peerterm.cli.app": {"textual", "aiohttp", "aiosqlite", "cryptography"},
}


def loaded_by(module: str) -> set[str]:
    """Import a module in a fresh interpreter and return the top-level packages it loaded."""
    script = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", APART)
def test_import_stays_light(module: str) -> None:
    """A part of the program does not drag in what only another part needs."""
    loaded = loaded_by(module)

    assert not loaded & APART[module]


@pytest.mark.parametrize("package", ["core", "wire"])
def test_pure_packages_name_no_io(package: str) -> None:
    """No module of a pure package imports I/O, a clock, or the global random generator."""
    banned = {"asyncio", "socket", "ssl", "sqlite3", "threading", "time", "pathlib", "os", "subprocess"}
    found = {
        f"{path.name}: {name}"
        for path in (PACKAGE / package).rglob("*.py")
        for name in imports_of(path)
        if name.partition(".")[0] in banned
    }

    assert not found


def imports_of(path: Path) -> set[str]:
    """Return the full names of all modules a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_short_and_says_what_it_owns(path: Path) -> None:
    """No module grows over the limit, and each opens with a docstring."""
    text = path.read_text()

    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text))


def test_every_core_and_wire_module_has_its_test() -> None:
    """The unit tests mirror the pure packages file by file."""
    unit = PACKAGE.parent / "tests" / "unit"
    missing = [
        str(path.relative_to(PACKAGE))
        for package in ("core", "wire")
        for path in (PACKAGE / package).glob("*.py")
        if path.name != "__init__.py" and not (unit / package / f"test_{path.name}").exists()
    ]

    assert not missing
