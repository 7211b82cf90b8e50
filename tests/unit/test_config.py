"""Settings: order of sources, errors, editing, and their documentation."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from peerterm import config
from peerterm import config_values as values
from peerterm.config import (
    Settings,
    begin_file,
    fault_of,
    find_setting,
    flag_name,
    reset_value,
    set_value,
    to_text,
    variable_name,
    words_of,
)
from peerterm.errors import ConfigError
from peerterm.player.finding import AUTO, NONE, PLAYERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where config.toml would be."""
    return tmp_path / "config.toml"


def test_defaults_need_no_file(file: Path) -> None:
    """Without file, variables and flags everything has a value."""
    settings = Settings.load(file)

    assert settings.node.port == 0
    assert settings.node.name
    assert 1 <= settings.files.scan_threads <= 4
    assert settings.files.download_dir.is_absolute()
    assert settings.sources == {}


def test_flag_beats_variable_beats_file(file: Path) -> None:
    """Each source overrides those below it, and is remembered."""
    file.write_text('[node]\nname = "f"\nport = 1\n[files]\nscan_rate = 7\n')
    env = {"PEERTERM_NAME": "e", "PEERTERM_PORT": "2", "HOME": "/"}

    settings = Settings.load(file, env=env, flags={"node.name": "g", "node.port": None})

    assert (settings.node.name, settings.node.port, settings.files.scan_rate) == ("g", 2, 7)
    assert settings.sources == {"node.name": "flag", "node.port": "environment", "files.scan_rate": "file"}


def test_lists_come_from_text_and_from_toml(file: Path) -> None:
    """A variable separates with commas, the file has an array."""
    file.write_text('[node]\npeers = ["a:1", "[fe80::1%eth0]:2"]\n[files]\nshare = ["/a"]\n')

    settings = Settings.load(file, env={"PEERTERM_INTERFACE": "lo, eth0,"}, flags={"files.share": ["/b", "/c"]})

    assert settings.node.peers == ("a:1", "[fe80::1%eth0]:2")
    assert settings.node.interfaces == ("lo", "eth0")
    assert settings.files.share == (Path("/b"), Path("/c"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[node]\nprot = 1", "node.port"),
        ("[nodes]\nport = 1", "[node]"),
        ("port = 1", "node.port"),
        ("[files]\nzzzzzz = 1", "config list"),
    ],
)
def test_unknown_key_names_file_key_and_nearest(file: Path, text: str, told: str) -> None:
    """A typing error is found, not ignored."""
    file.write_text(text)

    with pytest.raises(ConfigError) as raised:
        Settings.load(file)

    assert str(file) in raised.value.message
    assert told in raised.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("node.port", "70000"),
        ("node.port", "true"),
        ("node.port", '"x"'),
        ("node.port", "1.5"),
        ("node.name", '""'),
        ("node.name", '"a\\u001bb"'),
        ("node.name", "3"),
        ("node.peers", '["nowhere"]'),
        ("node.peers", '["a:0"]'),
        ("node.peers", "3"),
        ("node.interfaces", "[3]"),
        ("files.download_dir", '"relative"'),
        ("files.download_dir", '"~nobody-of-this-name/x"'),
        ("files.download_dir", '"/a\\u0000b"'),
        ("files.share_hidden", '"perhaps"'),
        ("transfers.running", "0"),
        ("transfers.running", "101"),
        ("transfers.down_limit", "-1"),
        ("transfers.down_limit", '"fast"'),
        ("transfers.up_limit", '"2TiB"'),
        ("transfers.up_limit", "1.5"),
        ("transfers.upload_slots", "65"),
        ("transfers.min_free", '"some"'),
        ("transfers.min_free", "-1"),
        ("transfers.min_free", "true"),
        ("stream.player", '"winamp"'),
        ("stream.player", "3"),
        ("stream.cache", '"255MiB"'),
        ("stream.cache", '"much"'),
        ("events.on_event", '"notify \\"x"'),
        ("events.on_event", '"\\"\\" x"'),
        ("events.on_event", '["notify"]'),
        ("events.on_event_kinds", '["peer_fell"]'),
        ("files.accept_from", '["anna"]'),
        ("log.level", '"loud"'),
        ("ui.theme", '"dark"'),
        ("ui.mouse", "true"),
        ("ui.keymap", "3"),
        ("ui.keymap", '"files.get"'),
        ("ui.keymap", '"files.get="'),
        ("ui.keymap", '"files.get=?"'),
        ("ui.keymap", "{files = 3}"),
        ("ui.keymap", '{"files.get" = []}'),
        ("ui.keymap", '{"files.get" = [3]}'),
        ("ui.keymap", '{"Files.get" = "d"}'),
    ],
)
def test_bad_value_names_file_and_key(file: Path, key: str, value: str) -> None:
    """A value outside its range is told with its place."""
    section, _, name = key.partition(".")
    file.write_text(f"[{section}]\n{name} = {value}\n")

    with pytest.raises(ConfigError) as raised:
        Settings.load(file)

    assert f"{file}: {key}" in raised.value.message
    assert "must" in raised.value.message or "names" in raised.value.message


def test_bad_variable_and_bad_flag_are_named() -> None:
    """The error says where the value came from."""
    absent = Path("/absent")

    with pytest.raises(ConfigError, match="PEERTERM_PORT: 'x'"):
        Settings.load(absent, env={"PEERTERM_PORT": "x"})
    with pytest.raises(ConfigError, match="--interface: 3"):
        Settings.load(absent, flags={"node.interfaces": 3})


@pytest.mark.parametrize("content", [b"[node", b"\xff", b"a = 1\n" * 300_000])
def test_file_that_cannot_be_parsed_is_named(file: Path, content: bytes) -> None:
    """Broken, binary and huge files are refused."""
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=re.escape(str(file))):
        Settings.load(file)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder in its place is an error with a hint."""
    with pytest.raises(ConfigError, match="directory"):
        Settings.load(tmp_path)


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("0", False), ("TRUE", True)])
def test_switch_takes_the_usual_words(text: str, value: bool) -> None:
    """Variables are text."""
    settings = Settings.load(Path("/absent"), env={"PEERTERM_SHARE_HIDDEN": text})

    assert settings.files.share_hidden is value


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0", 0), ("none", 0), ("700", 700), ("10MiB", 10 * 2**20), ("1.5M", 1_500_000), ("2 MB/s", 2_000_000)],
)
def test_limits_take_units(text: str, rate: int, file: Path) -> None:
    """In a variable and in the file; a plain number is bytes a second."""
    file.write_text(f'[transfers]\nup_limit = "{text}"\n')

    settings = Settings.load(file, env={"PEERTERM_DOWN_LIMIT": text})

    assert (settings.transfers.down_limit, settings.transfers.up_limit) == (rate, rate)


def test_limit_that_is_set_can_be_read_again(file: Path) -> None:
    """``config set`` and ``limit`` write the same plain number."""
    set_value(file, "down_limit", "10MiB")

    assert file.read_text() == "[transfers]\ndown_limit = 10485760\n"
    assert Settings.load(file).transfers.down_limit == 10 * 2**20


def test_room_kept_on_a_disk_is_automatic_unless_set(file: Path) -> None:
    """``auto`` is the default, can be written and read, and is shown as such."""
    auto = Settings()
    set_value(file, "min_free", "5MB")
    fixed = Settings.load(file)
    set_value(file, "min_free", "auto")
    again = Settings.load(file)

    assert auto.transfers.min_free is None
    assert fixed.transfers.min_free == 5_000_000
    assert again.transfers.min_free is None
    assert 'min_free = "auto"' in file.read_text()
    assert {view.name: view.value for view in again.views()}["transfers.min_free"] == "auto"


def test_player_is_a_name_or_a_command(file: Path) -> None:
    """The names are those that can be found; the cache takes units."""
    set_value(file, "player", "vlc -f {url}")
    set_value(file, "cache", "3GiB")
    settings = Settings.load(file)

    assert (Settings().stream.player, Settings().stream.cache) == ("auto", 2 * 2**30)
    assert (settings.stream.player, settings.stream.cache) == ("vlc -f {url}", 3 * 2**30)
    assert (AUTO, NONE, *PLAYERS) == values.PLAYERS


def test_command_for_events_is_checked_where_it_is_set(file: Path) -> None:
    """It is quoted as for a shell; what it is told of can be chosen, and nothing is none."""
    set_value(file, "on_event", "notify 'a b'")
    set_value(file, "on_event_kinds", "mention, peer_left")
    settings = Settings.load(file)

    assert Settings().events.on_event == values.command(" ") == ""
    assert settings.events.on_event == "notify 'a b'"
    assert settings.events.on_event_kinds == ("mention", "peer_left")
    assert set(Settings().events.on_event_kinds) < set(values.EVENT_KINDS)
    with pytest.raises(ConfigError, match="quoted as for a shell: No closing quotation"):
        set_value(file, "on_event", "notify 'a b")


def test_host_name_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default name is the first label, cut to what peers accept; one they never accept is not used."""
    names = {}
    for host in ("lab7.example.org", "x" * 63, "la\x1bb", ""):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        names[host] = config.NodeSettings().name

    assert list(names.values()) == ["lab7", "x" * 32, "peerterm", "peerterm"]


def test_views_say_where_values_come_from() -> None:
    """A view is complete and textual."""
    views = {
        view.name: view
        for view in Settings.load(Path("/absent"), flags={"node.interfaces": ["lo", "eth0"]}).views()
    }

    assert (views["node.interfaces"].value, views["node.interfaces"].source) == ("lo,eth0", "flag")
    assert views["files.share_hidden"].value == "false"
    assert all(view.help for view in views.values())


def test_set_value_keeps_comments_and_mode(file: Path) -> None:
    """Only the one value changes."""
    file.write_text("# mine\n[node]\nport = 1 # keep\n\n[log]\nlevel = 'info'\n")
    file.chmod(0o640)

    set_value(file, "port", "2")
    set_value(file, "files.ignore", "*.tmp, *.bak")
    set_value(file, "files.download_dir", "/d")

    text = file.read_text()
    assert "# mine\n[node]\nport = 2 # keep\n" in text
    assert file.stat().st_mode & 0o777 == 0o640
    settings = Settings.load(file)
    assert settings.files.ignore == ("*.tmp", "*.bak")
    assert settings.files.download_dir == Path("/d")


def test_set_value_makes_a_private_file(file: Path) -> None:
    """A new file is for this user only, and nothing else is left in the folder."""
    set_value(file, "node.name", "x")

    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_set_value_refuses_what_could_not_be_read_again(file: Path) -> None:
    """Neither a bad value nor a broken file is written over."""
    with pytest.raises(ConfigError):
        set_value(file, "node.port", "x")
    with pytest.raises(ConfigError, match=r"node\.prt"):
        set_value(file, "node.prt", "1")
    file.write_text("[node\n")
    with pytest.raises(ConfigError):
        set_value(file, "node.port", "1")

    assert file.read_text() == "[node\n"


def test_set_value_reports_a_folder_it_cannot_write(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(ConfigError, match="cannot be written"):
        set_value(tmp_path / "absent" / "config.toml", "node.port", "1")


def test_failed_replacement_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stays, the new one goes."""
    file.write_text("")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(ConfigError, match="No space"):
        set_value(file, "node.port", "1")

    assert list(file.parent.iterdir()) == [file]


def test_key_alone_is_enough() -> None:
    """Keys are unique across sections, so that they can be typed."""
    names = [view.name for view in Settings().views()]

    assert find_setting("download_dir") == "files.download_dir"
    assert len({name.partition(".")[2] for name in names}) == len(names)
    assert flag_name("node.interfaces") == "--interface"
    assert to_text(("a", True)) == "a,true"


def test_document_lists_every_setting_and_no_other() -> None:
    """docs/configuration.md has each name with its variable and its meaning."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| `(PEERTERM_[A-Z_]+)` \| .* \| (.+) \|$", DOCUMENT.read_text(), re.M)
    declared = [(name, item["env"], item["help"]) for name, item in config._KNOWN.items()]

    assert rows == declared


@pytest.mark.parametrize(
    "content",
    [
        '[ui.keymap]\n"files.get" = "d,ctrl+g"\n"peers.sort" = ["f5"]\n',
        '[ui]\nkeymap.files.get = "d ctrl+g"\nkeymap.peers.sort = "f5"\n',
        '[ui]\nkeymap = "files.get=d ctrl+g, peers.sort=f5"\n',
    ],
)
def test_keymap_is_a_table_or_text(file: Path, content: str) -> None:
    """However it is written, an action has its keys, separated by commas."""
    file.write_text(content)

    assert Settings.load(file).ui.keymap == {"files.get": "d,ctrl+g", "peers.sort": "f5"}


def test_keymap_that_is_set_can_be_read_again(file: Path) -> None:
    """``config set`` writes a table, the views show what it takes, and nothing empties it."""
    text = "files.get=d ctrl+g,peers.sort=f5"
    set_value(file, "ui.keymap", text)
    written = file.read_text()
    shown = {view.name: view.value for view in Settings.load(file).views()}["ui.keymap"]
    set_value(file, "keymap", "")

    assert written == '[ui.keymap]\n"files.get" = "d,ctrl+g"\n"peers.sort" = "f5"\n'
    assert shown == text
    assert Settings.load(file).ui.keymap == {}


def test_value_is_taken_back(file: Path) -> None:
    """Only the one line goes; without it or a file nothing happens."""
    file.write_text("[node]\nport = 1 # mine\n# keep\nname = 'a'\n")

    reset_value(file, "port")
    reset_value(file, "node.port")
    reset_value(file, "log.level")
    reset_value(file.parent / "absent", "port")

    assert file.read_text() == "[node]\n# keep\nname = 'a'\n"
    assert list(file.parent.iterdir()) == [file]


def test_value_is_not_taken_back_from_a_broken_file(file: Path) -> None:
    """A file that cannot be read stays as it is."""
    file.write_text("[node\n")
    with pytest.raises(ConfigError):
        reset_value(file, "port")

    assert file.read_text() == "[node\n"


def test_file_is_begun_once(file: Path) -> None:
    """It is private and sets nothing; one that is there stays."""
    begin_file(file)
    sources, mode = Settings.load(file).sources, file.stat().st_mode & 0o777
    file.write_text("[node]\nport = 1\n")
    begin_file(file)

    assert (sources, mode) == ({}, 0o600)
    assert file.read_text() == "[node]\nport = 1\n"


def test_program_can_ask_what_a_setting_takes() -> None:
    """Its words, its variable, and what is wrong with a text."""
    assert words_of("log.level") == ("debug", "info", "warning", "error")
    assert words_of("files.share_hidden") == ("true", "false")
    assert words_of("node.port") == ()
    assert variable_name("node.port") == "PEERTERM_PORT"
    assert fault_of("node.port", "1") == ""
    assert fault_of("node.port", "x") == "must be a whole number from 0 to 65535"
