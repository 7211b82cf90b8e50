"""Settings: what can be set, its default, and where a value came from.

A value is taken from a flag, else a ``PEERTERM_*`` variable, else ``config.toml``, else the default. The file is
edited only by ``set_value``. The engine and the command line read ``Settings``; core and wire are given plain
values.
"""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from peerterm import config_file
from peerterm import config_values as values
from peerterm.api.views import SettingView
from peerterm.core.names import MAX_DISPLAY_CHARACTERS
from peerterm.errors import ConfigError

Source: TypeAlias = Literal["default", "file", "environment", "flag"]


def _own_name() -> str:
    label = socket.gethostname().partition(".")[0]
    try:
        return values.peer_name(label[:MAX_DISPLAY_CHARACTERS])
    except values.BadValue:
        return "peerterm"


def _downloads() -> Path:
    from platformdirs import user_downloads_path  # noqa: PLC0415 - a verb without an engine never asks

    return user_downloads_path()


def _threads() -> int:
    return min(4, os.cpu_count() or 1)


def _setting(
    env: str,
    read: Callable[[object], Any],
    summary: str,
    *,
    default: Any = None,
    make: Callable[[], Any] | None = None,
) -> Any:
    metadata = {"env": env, "read": read, "help": summary}
    return field(default_factory=make or (lambda: default), metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How this machine appears on the network."""

    name: str = _setting(
        "PEERTERM_NAME", values.peer_name, "what peers see; the host's name if not set", make=_own_name
    )
    port: int = _setting(
        "PEERTERM_PORT",
        values.integer(0, 65535),
        "TCP port; 0 is 47470, or another if that is taken",
        default=0,
    )
    interfaces: tuple[str, ...] = _setting(
        "PEERTERM_INTERFACE",
        values.several(values.text),
        "network interfaces to use; none named means all",
        default=(),
    )
    peers: tuple[str, ...] = _setting(
        "PEERTERM_PEER", values.several(values.address), "HOST:PORT of peers that beacons do not reach", default=()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """What is shared, and where downloads go."""

    download_dir: Path = _setting(  # noqa: RUF009 - a field, as the others
        "PEERTERM_DOWNLOAD_DIR", values.path, "folder for downloads", make=_downloads
    )
    share: tuple[Path, ...] = _setting(
        "PEERTERM_SHARE", values.several(values.path), "paths shared at each start", default=()
    )
    share_hidden: bool = _setting(
        "PEERTERM_SHARE_HIDDEN", values.switch, "also share files whose names begin with a dot", default=False
    )
    ignore: tuple[str, ...] = _setting(
        "PEERTERM_IGNORE",
        values.several(values.text),
        "patterns, as in .gitignore, of files never shared",
        default=(),
    )
    scan_threads: int = _setting(
        "PEERTERM_SCAN_THREADS", values.integer(1, 64), "threads that read files for the index", make=_threads
    )
    scan_rate: int = _setting(
        "PEERTERM_SCAN_RATE", values.rate, "most bytes a second read for the index; 0 is no limit", default=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """How much of the network and the disk downloads and uploads may take."""

    running: int = _setting(
        "PEERTERM_RUNNING",
        values.integer(1, 100),
        "downloads that run at once; further ones are queued",
        default=3,
    )
    down_limit: int = _setting(
        "PEERTERM_DOWN_LIMIT", values.rate, "most bytes a second received, such as 10MiB; 0 is no limit", default=0
    )
    up_limit: int = _setting(
        "PEERTERM_UP_LIMIT", values.rate, "most bytes a second sent, such as 1.5M; 0 is no limit", default=0
    )
    upload_slots: int = _setting(
        "PEERTERM_UPLOAD_SLOTS",
        values.integer(1, 64),
        "peers served at once; others wait their turn",
        default=8,
    )
    min_free: int | None = _setting(
        "PEERTERM_MIN_FREE",
        values.automatic(values.amount),
        "bytes downloads leave free on a disk; auto is 2 %, at least 1 GiB, at most 10 %",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the engine writes down."""

    level: str = _setting(
        "PEERTERM_LOG_LEVEL",
        values.one_of("debug", "info", "warning", "error"),
        "least level written",
        default="info",
    )
    size_bytes: int = _setting(
        "PEERTERM_LOG_SIZE_BYTES",
        values.integer(65536, 2**30),
        "size at which the log file is rotated",
        default=5 * 1024**2,
    )
    keep: int = _setting(
        "PEERTERM_LOG_KEEP", values.integer(2, 100), "log files kept, the current one included", default=3
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one engine, by section. ``sources`` names where each value that is no default came from."""

    node: NodeSettings = field(default_factory=NodeSettings)
    files: FileSettings = field(default_factory=FileSettings)
    transfers: TransferSettings = field(default_factory=TransferSettings)
    log: LogSettings = field(default_factory=LogSettings)
    sources: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def load(
        cls, file: Path, *, env: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
    ) -> Settings:
        """Read ``config.toml`` if there is one, and lay variables and flags over it.

        Args:
            file: May be missing.
            env: The process environment.
            flags: Values by setting name, such as ``node.port``; ``None`` is a flag that was not given.

        Raises:
            ConfigError: An unknown key or a bad value; names the place, the key and the nearest match.
        """
        given: dict[str, tuple[object, Source, str]] = {
            name: (value, "file", f"{file}: {name}") for name, value in _read_file(file).items()
        }
        for name, item in _KNOWN.items():
            if text := (env or {}).get(item["env"]):
                given[name] = (text, "environment", item["env"])
        for name, value in (flags or {}).items():
            if value is not None:
                given[name] = (value, "flag", flag_name(name))
        by_section: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
        for name, (value, _, place) in given.items():
            section, _, key = name.partition(".")
            by_section[section][key] = _read_value(name, value, place)
        sections: dict[str, Any] = {section: kind(**by_section[section]) for section, kind in _SECTIONS.items()}
        return cls(**sections, sources={name: source for name, (_, source, _) in given.items()})

    def views(self) -> list[SettingView]:
        """Return every setting, by section, in the order they are declared."""
        defaults = Settings()
        return [
            SettingView(
                name=name,
                value=to_text(_value(self, name)),
                default=to_text(_value(defaults, name)),
                source=self.sources.get(name, "default"),
                help=item["help"],
            )
            for name, item in _KNOWN.items()
        ]


_SECTIONS: dict[str, type[NodeSettings | FileSettings | TransferSettings | LogSettings]] = {
    "node": NodeSettings,
    "files": FileSettings,
    "transfers": TransferSettings,
    "log": LogSettings,
}
_KNOWN: dict[str, Mapping[str, Any]] = {
    f"{section}.{item.name}": item.metadata for section, kind in _SECTIONS.items() for item in fields(kind)
}


def _value(settings: Settings, name: str) -> Any:
    section, _, key = name.partition(".")
    return getattr(getattr(settings, section), key)


def flag_name(name: str) -> str:
    """Return the command line's flag for a setting: ``--port`` for ``node.port``."""
    variable: str = _KNOWN[name]["env"]
    return "--" + variable.removeprefix("PEERTERM_").lower().replace("_", "-")


def to_text(value: object) -> str:
    """Write a value the way ``config set`` and the variables take it."""
    if isinstance(value, tuple):
        return ",".join(to_text(item) for item in value)
    if value is None:
        return values.AUTOMATIC
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_value(name: str, value: object, place: str) -> Any:
    try:
        return _KNOWN[name]["read"](value)
    except values.BadValue as error:
        raise ConfigError(f"{place}: {value!r:.100} {error}", f"{name}: {_KNOWN[name]['help']}") from error


def _read_file(file: Path) -> dict[str, object]:
    """Return the values of a file by full name; every name is known."""
    found: dict[str, object] = {}
    for section, content in config_file.read(file).items():
        if not isinstance(content, dict) or section not in _SECTIONS:
            raise _unknown(str(file), f"[{section}]" if isinstance(content, dict) else section)
        for key, value in content.items():
            if f"{section}.{key}" not in _KNOWN:
                raise _unknown(str(file), f"{section}.{key}")
            found[f"{section}.{key}"] = value
    return found


def _unknown(place: str, name: str) -> ConfigError:
    by_key = {full.partition(".")[2]: full for full in _KNOWN} | {
        f"[{section}]": f"[{section}]" for section in _SECTIONS
    }
    near = difflib.get_close_matches(name.rpartition(".")[2], by_key, n=1)
    return ConfigError(
        f"{place}: unknown setting {name!r:.100}",
        f"did you mean {by_key[near[0]]}?" if near else "peerterm config list shows all settings",
    )


def find_setting(name: str) -> str:
    """Return a setting's full name, given that or its key alone.

    Raises:
        ConfigError: There is none of that name.
    """
    if name in _KNOWN:
        return name
    fits = [full for full in _KNOWN if full.partition(".")[2] == name]
    if len(fits) == 1:
        return fits[0]
    raise _unknown("config", name)


def set_value(path: Path, key: str, text: str) -> None:
    """Set one value in ``config.toml``, keeping its comments and order; the file is replaced in one step.

    Args:
        path: The file; made if missing.
        key: Full name or key of a setting.
        text: The value as text; a list is separated by commas.

    Raises:
        ConfigError: Unknown key, bad value, or a file that cannot be read or written.
    """
    name = find_setting(key)
    value = _read_value(name, text, name)
    _read_file(path)
    section, _, field_name = name.partition(".")
    config_file.edit(path, section, field_name, _plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_text(value) if value is None or isinstance(value, Path) else value
