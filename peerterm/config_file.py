"""``config.toml`` as a file: read whole, edited in place, replaced in one step.

Knows no setting. Used by ``config`` alone.
"""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from peerterm.errors import ConfigError

MAX_CONFIG_BYTES = 1024 * 1024


def read(file: Path) -> dict[str, Any]:
    """Parse a TOML file; a missing one is empty.

    Raises:
        ConfigError: It cannot be read, is too large or is no TOML.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{file}: more than {MAX_CONFIG_BYTES} bytes", "is this the right file?")
        return tomllib.loads(content.decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "check the file and its permissions") from error
    except ValueError as error:  # also text that is not UTF-8
        raise ConfigError(f"{file}: {error}", "correct it, or move it away to start with defaults") from error


def edit(file: Path, section: str, key: str, value: object) -> None:
    """Set one value of a file that ``read`` accepts; comments and order stay, and a missing file is made.

    Raises:
        ConfigError: It cannot be written.
    """
    import tomlkit  # noqa: PLC0415 - only `config set`, `limit` and the settings screen edit the file

    document = tomlkit.parse(file.read_text()) if file.exists() else tomlkit.document()
    table = document.setdefault(section, tomlkit.table())
    table[key] = value
    _replace(file, tomlkit.dumps(document))


def begin(file: Path) -> None:
    """Make a file that sets nothing, if there is none.

    Raises:
        ConfigError: It cannot be written.
    """
    if not file.exists():
        _replace(file, "# What can be set here: peerterm config list\n")


def remove(file: Path, section: str, key: str) -> None:
    """Take one value out of a file that ``read`` accepts, if it is there; comments and order stay.

    Raises:
        ConfigError: It cannot be written.
    """
    import tomlkit  # noqa: PLC0415 - only the settings screen takes values back

    if not file.exists():
        return
    document = tomlkit.parse(file.read_text())
    table = document.get(section)
    if table is not None and key in table:
        del table[key]
        _replace(file, tomlkit.dumps(document))


def _replace(file: Path, text: str) -> None:
    try:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o600
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, prefix=".config-", delete=False, encoding="utf-8"
        ) as new:
            try:
                new.write(text)
                new.flush()
                os.fchmod(new.fileno(), mode)
                os.fsync(new.fileno())
                Path(new.name).replace(file)
            except OSError:
                Path(new.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written: {error.strerror}", "check the folder's permissions"
        ) from error
