"""peerterm.player.remote: what the environment tells of where somebody sits."""

from __future__ import annotations

import pytest

from peerterm.player.remote import lacks_screen, tunnel_command

URL = "http://127.0.0.1:41234/secret/film.mkv"
SSH = {"SSH_CONNECTION": "10.0.0.9 50000 10.0.0.2 22", "USER": "alice"}


@pytest.mark.parametrize(
    ("environment", "lacks"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, False),
        (SSH, True),
        (SSH | {"DISPLAY": ""}, True),
        (SSH | {"DISPLAY": "localhost:10.0"}, False),
        (SSH | {"WAYLAND_DISPLAY": "wayland-0"}, False),
    ],
)
def test_screen_is_missed_over_ssh_alone(environment: dict[str, str], lacks: bool) -> None:
    """A machine one sits at has its own ways to show a film; over SSH it takes a display."""
    assert lacks_screen(environment) is lacks


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({}, ""),
        ({"SSH_CONNECTION": "nonsense"}, ""),
        (SSH, "ssh -L 41234:127.0.0.1:41234 alice@10.0.0.2"),
        (SSH | {"USER": ""}, "ssh -L 41234:127.0.0.1:41234 10.0.0.2"),
        (SSH | {"USER": "a b"}, "ssh -L 41234:127.0.0.1:41234 'a b@10.0.0.2'"),
        (
            SSH | {"SSH_CONNECTION": "fe80::9 50000 fd00::2 2222"},
            "ssh -L 41234:127.0.0.1:41234 -p 2222 alice@fd00::2",
        ),
    ],
)
def test_tunnel_leads_back_the_way_the_session_came(environment: dict[str, str], command: str) -> None:
    """To the address, port and user of this session; the stream's port is the same at both ends."""
    assert tunnel_command(URL, environment) == command
