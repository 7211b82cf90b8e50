"""References: every form a user may write, and links."""

from __future__ import annotations

import pytest

from peerterm.engine.references import (
    HashReference,
    PathReference,
    link_to,
    link_to_peer,
    name_in_link,
    parse_reference,
)
from peerterm.errors import UsageError

ROOT = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (ROOT, HashReference("root", ROOT)),
        (f"  {ROOT.upper()}\n", HashReference("root", ROOT)),
        ("deadbeef", HashReference("root", "deadbeef")),
        (f"sha256:{ROOT}", HashReference("sha256", ROOT)),
        (f"SHA256:{ROOT.upper()}", HashReference("sha256", ROOT)),
        (f"peerterm:{ROOT}", HashReference("root", ROOT)),
        (f"peerterm:{ROOT}?name=a%20b&size=3", HashReference("root", ROOT)),
        ("anna/music/one.ogg", PathReference("anna", ("music", "one.ogg"))),
        ("anna//music/", PathReference("anna", ("music",))),
        ("deadbeef/music", PathReference("deadbeef", ("music",))),
        ("anna/Größe 1", PathReference("anna", ("Größe 1",))),
    ],
)
def test_every_form_is_understood(text: str, meant: object) -> None:
    """Roots and their starts, flat sums, links and paths, in either case and with stray blanks and slashes."""
    assert parse_reference(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "anna/",
        "abcdef",
        "xyz",
        "deadbeefg",
        ROOT + "0",
        "sha256:12",
        f"sha256:{ROOT}0",
        f"sha256:{'g' * 64}",
        "peerterm:12345678",
        f"peerterm:{'g' * 64}",
        f"peerterm:peer/{ROOT}?at=1.2.3.4:5",
        "anna/..",
        "anna/a\0b",
        "anna/" + "x" * 300,
        "anna/" + "x/" * 70,
    ],
)
def test_what_is_no_reference_is_refused_with_a_hint(text: str) -> None:
    """The error shows the known forms; nothing is guessed."""
    with pytest.raises(UsageError) as raised:
        parse_reference(text)

    assert raised.value.message


def test_link_is_read_back() -> None:
    """A link that was made means its root and carries the name, whatever is in it."""
    link = link_to(ROOT, "a & b?.mkv", 7)

    assert parse_reference(link) == HashReference("root", ROOT)
    assert name_in_link(link) == "a & b?.mkv"
    assert link.endswith("&size=7")


def test_bare_link_has_no_name() -> None:
    """Name and size are optional."""
    assert link_to(ROOT) == f"peerterm:{ROOT}"
    assert name_in_link(link_to(ROOT)) == ""


def test_link_to_a_peer_lists_its_addresses() -> None:
    """Addresses stay readable, IPv6 ones too."""
    assert link_to_peer(ROOT, ["1.2.3.4:5", "[fe80::1]:6"]) == f"peerterm:peer/{ROOT}?at=1.2.3.4:5&at=[fe80::1]:6"
