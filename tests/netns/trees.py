"""Files and folders to share, and a strict comparison."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_file(path: Path, size: int, seed: int = 0) -> Path:
    """Write a file of pseudo-random bytes; every MiB of it is different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        block = hashlib.shake_256(str(seed).encode()).digest(min(size, 1 << 20))
        for index in range(size >> 20):
            file.write(index.to_bytes(8, "big") + block[8:])
        file.write(block[: size & 0xFFFFF])
    return path


def make_hard_tree(top: Path, files: int) -> Path:
    """Make a tree with everything a file system allows and a transfer might trip over."""
    top.mkdir(parents=True)
    deep = top
    for level in range(40):
        deep /= f"level {level}"
    names = [
        "plain.txt", "with spaces  .txt", "überraschung.ogg", "u\u0308berraschung.ogg", "日本語のファイル.txt",
        "emoji 🎬.mkv", "a'b\"c$d`e;f&g|h.txt", "con.txt", "12:30.txt", "-dash", "trailing.",
        "x" * 251 + ".bin", "ß" * 127,
    ]  # fmt: skip
    for number, name in enumerate(names):
        make_file(top / name, 100 + number, number)
    (deep).mkdir(parents=True)
    make_file(deep / "bottom.bin", 4097)
    (top / "empty folder" / "inside").mkdir(parents=True)
    (top / "empty file").touch()
    for number in range(files - len(names) - 2):
        path = top / f"group {number % 50:02}" / f"file {number:05}.dat"
        make_file(path, [0, 1, 4096, 70_000][number % 4] + number % 7 * (number % 4 > 0), number)
        if number % 3 == 0:
            path.chmod(0o755)
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_123_456_789 + number))
    return top


def describe(top: Path) -> dict[str, tuple[object, ...]]:
    """Return everything that must survive: names, kinds, bytes, modes and times, by relative path."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(top):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), top)] = ("folder",)
        for name in files:
            path = os.path.join(folder, name)
            status = os.stat(path)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            is_executable = bool(status.st_mode & 0o100)
            found[os.path.relpath(path, top)] = ("file", digest, status.st_size, is_executable, status.st_mtime_ns)
    return found


def sha256(path: Path) -> str:
    """Return a file's flat SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
