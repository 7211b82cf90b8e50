"""Settings: what can be set, its default, and where a value came from.

A value is taken from a flag, else a ``PEERTERM_*`` variable, else ``config.toml``, else the default. The file is
edited only by ``set_value``. The engine and the command line read ``Settings``; core and wire are given plain
values.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from peerterm import config_file
from peerterm import config_values as values
from peerterm.api.views import SettingView
from peerterm.config_sections import (
    ChatSettings,
    EventSettings,
    FileSettings,
    LogSettings,
    NodeSettings,
    StreamSettings,
    TransferSettings,
    UiSettings,
)
from peerterm.errors import ConfigError

__all__ = [
    "ChatSettings",
    "EventSettings",
    "FileSettings",
    "LogSettings",
    "NodeSettings",
    "Settings",
    "StreamSettings",
    "TransferSettings",
    "UiSettings",
    "begin_file",
    "fault_of",
    "find_setting",
    "flag_name",
    "reset_value",
    "set_value",
    "to_text",
    "variable_name",
    "words_of",
]

Source: TypeAlias = Literal["default", "file", "environment", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one engine, by section. ``sources`` names where each value that is no default came from."""

    node: NodeSettings = field(default_factory=NodeSettings)
    files: FileSettings = field(default_factory=FileSettings)
    transfers: TransferSettings = field(default_factory=TransferSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    chat: ChatSettings = field(default_factory=ChatSettings)
    events: EventSettings = field(default_factory=EventSettings)
    log: LogSettings = field(default_factory=LogSettings)
    ui: UiSettings = field(default_factory=UiSettings)
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


_Section: TypeAlias = (
    NodeSettings
    | FileSettings
    | TransferSettings
    | StreamSettings
    | ChatSettings
    | EventSettings
    | LogSettings
    | UiSettings
)
_SECTIONS: dict[str, type[_Section]] = {
    "node": NodeSettings,
    "files": FileSettings,
    "transfers": TransferSettings,
    "stream": StreamSettings,
    "chat": ChatSettings,
    "events": EventSettings,
    "log": LogSettings,
    "ui": UiSettings,
}
_KNOWN: dict[str, Mapping[str, Any]] = {
    f"{section}.{item.name}": item.metadata for section, kind in _SECTIONS.items() for item in fields(kind)
}


def _value(settings: Settings, name: str) -> Any:
    section, _, key = name.partition(".")
    return getattr(getattr(settings, section), key)


def variable_name(name: str) -> str:
    """Return the environment variable of a setting: ``PEERTERM_PORT`` for ``node.port``."""
    variable: str = _KNOWN[name]["env"]
    return variable


def flag_name(name: str) -> str:
    """Return the command line's flag for a setting: ``--port`` for ``node.port``."""
    return "--" + variable_name(name).removeprefix("PEERTERM_").lower().replace("_", "-")


def words_of(name: str) -> tuple[str, ...]:
    """Return all words that a setting can be; none if it can be others."""
    read = _KNOWN[name]["read"]
    if read is values.switch:
        return ("true", "false")
    return read.words if isinstance(read, values.OneOf) else ()


def fault_of(name: str, text: str) -> str:
    """Return what is wrong with a text as the value of a setting; nothing if it can be set."""
    try:
        _KNOWN[name]["read"](text)
    except values.BadValue as error:
        return str(error)
    return ""


def to_text(value: object) -> str:
    """Write a value the way ``config set`` and the variables take it."""
    if isinstance(value, tuple):
        return ",".join(to_text(item) for item in value)
    if isinstance(value, Mapping):
        return ",".join(f"{action}={keys.replace(',', ' ')}" for action, keys in value.items())
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


def begin_file(path: Path) -> None:
    """Make a ``config.toml`` that sets nothing, if there is none: the sign that the user was asked once.

    Raises:
        ConfigError: It cannot be written.
    """
    config_file.begin(path)


def reset_value(path: Path, key: str) -> None:
    """Take one value out of ``config.toml``, so that its default holds.

    Raises:
        ConfigError: Unknown key, or a file that cannot be read or written.
    """
    section, _, field_name = find_setting(key).partition(".")
    _read_file(path)
    config_file.remove(path, section, field_name)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return to_text(value) if value is None or isinstance(value, Path) else value
