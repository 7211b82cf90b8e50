"""Verbs about settings: config list, get, set, path."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, Common
from peerterm.cli.table import Table


def register(app: App) -> None:
    """Add the verbs."""
    config = App(
        name="config",
        help="Show or change settings.",
        help_epilogue="Examples:\n  peerterm config\n  peerterm config set node.name lab-7",
    )
    config.command(config_list, name="list", help_epilogue="Example:\n  peerterm config list")
    config.command(config_get, name="get", help_epilogue="Example:\n  peerterm config get node.port")
    config.command(
        config_set,
        name="set",
        help_epilogue="Examples:\n  peerterm config set node.name lab-7\n"
        "  peerterm config set node.interfaces eth0,wlan0",
    )
    config.command(config_path, name="path", help_epilogue='Example:\n  $EDITOR "$(peerterm config path)"')
    config.default(config_list)
    app.command(config)


async def config_list(
    *,
    running: Annotated[bool, Parameter(help="Ask the running engine, flags included.")] = False,
    common: Common = COMMON,
) -> None:
    """List all settings, their values and where those come from."""
    from peerterm.config import Settings

    if running:
        async with common.engine(start=False) as engine:
            found = await engine.settings()
    else:
        found = Settings.load(common.paths().config, env=os.environ).views()
    rows = [(item.name, item.value, item.source, item.help) for item in found]
    common.emit(found, Table(("setting", "value~", "from", "meaning~"), rows))


def config_get(
    key: Annotated[str, Parameter(help="A name such as node.port, or port.")], /, *, common: Common = COMMON
) -> None:
    """Print the value of one setting."""
    from peerterm.config import Settings, find_setting

    name = find_setting(key)
    found = next(item for item in Settings.load(common.paths().config, env=os.environ).views() if item.name == name)
    common.emit(found, [found.value])


def config_set(
    key: Annotated[str, Parameter(help="A name such as node.port, or port.")],
    value: Annotated[str, Parameter(help="The new value; several are separated by commas.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Change a setting in config.toml; comments there stay. An engine takes it up when it starts."""
    from peerterm.config import find_setting, set_value
    from peerterm.control.lock import is_held

    paths = common.paths()
    set_value(paths.config, key, value)
    if is_held(paths.lock):
        common.talk("the engine that runs takes it up when it starts next: peerterm stop, then any verb")
    common.emit({"name": find_setting(key), "value": value, "file": str(paths.config)}, [])


def config_path(*, common: Common = COMMON) -> None:
    """Print where config.toml is, or would be."""
    path = str(common.paths().config)
    common.emit({"path": path}, [path])
