"""peerterm.core.names: what may be a name, and which names are made from it."""

from __future__ import annotations

import unicodedata

import pytest

from peerterm.core.names import (
    MAX_DEPTH,
    PART_SUFFIX,
    check_display_name,
    check_name,
    check_path,
    collision_key,
    landing_name,
    numbered,
    part_name,
)
from peerterm.errors import InvalidName

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
SURROGATES = ["\ud800", "\udbff", "\udc00", "\udcff", "\udfff"]
TRAVERSALS = [
    "..",
    ".",
    "",
    "/",
    "//",
    "../",
    "/..",
    "./",
    "../x",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a/",
    "/a",
    "a/../b",
    "\\",
    "..\\x",
    "\\\\server\\share",
    "C:\\Windows",
    "a\\b",
    "\\..\\",
]
HOSTILE = [
    *TRAVERSALS,
    *(f"{at}x" for at in CONTROLS),
    *(f"x{at}" for at in CONTROLS),
    *(f"x{at}y" for at in CONTROLS),
    *SURROGATES,
    *(f"a{at}b" for at in SURROGATES),
    "x" * 256,
    "ü" * 128,
    "😀" * 64,
    "x" * 100_000,
    f"film.mkv{PART_SUFFIX}",
    PART_SUFFIX,
    "film.mkv.PeerTerm-Part",
]
ORDINARY = [
    "a",
    "film.mkv",
    "aux.c",
    "CON",
    "12:30.txt",
    'what is "this"?',
    "a*b",
    "trailing dot.",
    "trailing space ",
    " leading space",
    "...",
    ".bashrc",
    "~",
    "-rf",
    "$(reboot)",
    "x" * 255,
    "ü" * 127,
    unicodedata.normalize("NFC", "Größe"),
    unicodedata.normalize("NFD", "Größe"),
    "日本語.txt",
    "👩‍👩‍👧.png",
]
WINDOWS_ONLY = [
    *(f"a{at}b" for at in '<>:"|?*'),
    "x.",
    "x ",
    "...",
    "CON",
    "con",
    "nul.txt",
    "AUX.tar.gz",
    "prn ",
    "COM1",
    "com9.log",
    "COM¹",
    "com³.txt",
    "LPT1",
    "lpt².txt",
    "CONIN$",
    "conout$.txt",
    "nul .txt",
]


def test_the_table_of_hostile_names_is_large_enough() -> None:
    """The table holds at least two hundred different names."""
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:40])
def test_hostile_name_is_refused(name: str) -> None:
    """No name that could leave its folder, passes; and the message is safe to print."""
    with pytest.raises(InvalidName) as caught:
        check_name(name)

    assert caught.value.message.isprintable()
    assert caught.value.message.isascii()
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("name", ORDINARY, ids=lambda name: ascii(name)[:40])
def test_ordinary_name_passes(name: str) -> None:
    """A name that is ordinary on POSIX travels, and so does the path of it."""
    check_name(name)
    check_path((name, name))

    assert not name.lower().endswith(PART_SUFFIX)


@pytest.mark.parametrize("name", WINDOWS_ONLY)
def test_windows_refuses_more(name: str) -> None:
    """What Windows cannot hold passes here, and is refused only on request."""
    check_name(name)

    with pytest.raises(InvalidName):
        check_name(name, windows=True)


@pytest.mark.parametrize("name", ["console", "com10", "COM0", "lpt", "a.con", "nulls.txt", "x.y", "auxiliary"])
def test_windows_accepts_what_only_resembles_a_device(name: str) -> None:
    """A name that merely starts like a device is no device."""
    assert check_name(name, windows=True) is None  # type: ignore[func-returns-value]


def test_path_has_bounded_depth() -> None:
    """64 levels pass, 65 do not."""
    check_path(["a"] * MAX_DEPTH)

    with pytest.raises(InvalidName, match="65 levels"):
        check_path(["a"] * (MAX_DEPTH + 1))


def test_path_has_bounded_length() -> None:
    """4096 bytes pass, slashes included; one more does not."""
    check_path(["x" * 255] * 16)

    with pytest.raises(InvalidName, match="longer than 4096"):
        check_path(["x" * 255] * 16 + ["x"])


def test_every_component_of_a_path_is_checked() -> None:
    """One bad component spoils the path, wherever it is."""
    for path in (("..", "a"), ("a", ".."), ("a", "", "b")):
        with pytest.raises(InvalidName):
            check_path(path)


@pytest.mark.parametrize("name", ["", "x" * 33, "日" * 32 + "x", "a\nb", "..", "😀" * 25])
def test_display_name_is_short_and_safe(name: str) -> None:
    """A peer's or share's name has at most 32 characters and 96 bytes, and is a valid name."""
    check_display_name("日" * 32)
    check_display_name("Anna's laptop")

    with pytest.raises(InvalidName):
        check_display_name(name)


@pytest.mark.parametrize(
    ("name", "landed"),
    [(".bashrc", "_bashrc"), ("..x", "__x"), ("...", "___"), ("film.mkv", "film.mkv"), ("a.b", "a.b")],
)
def test_nothing_lands_hidden(name: str, landed: str) -> None:
    """Leading dots are neutralised, and nothing else."""
    assert landing_name(name) == landed


def test_unsafe_name_does_not_land() -> None:
    """Neutralising dots makes no bad name good."""
    with pytest.raises(InvalidName):
        landing_name("..")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("film.mkv", "film (2).mkv"),
        ("data.tar.gz", "data (2).tar.gz"),
        ("data.TAR.zst", "data (2).TAR.zst"),
        ("README", "README (2)"),
        (".bashrc", ".bashrc (2)"),
        ("a.b.c", "a.b (2).c"),
        ("ends.", "ends. (2)"),
        ("Dr. Who", "Dr. Who (2)"),
        (".tar.gz", ".tar (2).gz"),
    ],
)
def test_number_goes_before_the_suffix(name: str, expected: str) -> None:
    """The number leaves the suffix, by which programs know a file, at the end."""
    assert numbered(name, 2) == expected


def test_number_goes_last_in_a_folder() -> None:
    """A folder's dots start no suffix."""
    assert numbered("release 1.2", 3, is_folder=True) == "release 1.2 (3)"


@pytest.mark.parametrize("name", ["x" * 251 + ".mkv", "ü" * 125 + ".mkv", "😀" * 63, "x" * 255])
def test_numbered_name_stays_valid(name: str) -> None:
    """A long stem is cut between characters, never the suffix."""
    made = numbered(name, 9999)

    check_name(made)
    assert "(9999)" in made
    assert made.endswith(".mkv") == name.endswith(".mkv")


def test_part_name_is_the_name_and_the_suffix() -> None:
    """Whoever looks into the folder sees what is being fetched."""
    assert part_name("film.mkv") == "film.mkv.peerterm-part"


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "😀" * 63])
def test_part_name_of_a_long_name_stays_within_255_bytes(name: str) -> None:
    """A long name is cut between characters, and two that differ only at the end stay apart."""
    made, other = part_name(name), part_name(name[:-1] + "z")

    assert made.endswith(PART_SUFFIX)
    assert len(made.encode()) <= 255
    assert made != other


def test_collision_key_is_equal_where_disks_fold_case_or_accents() -> None:
    """Names that differ in case or in normal form alone collide; others do not."""
    assert collision_key("GRÖSSE") == collision_key(unicodedata.normalize("NFD", "größe"))
    assert collision_key("a") != collision_key("b")
