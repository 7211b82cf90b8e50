"""The documents say what the code does: messages, test vectors, verbs, bounds, links and commands."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
import subprocess
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import NODEFAULT, inspect

from peerterm.api import views
from peerterm.cli.app import app
from peerterm.core.lines import NO_HASH, ConversationId, Line
from peerterm.core.listing import ListingEntry, encode_listing
from peerterm.core.manifest import EMPTY_ROOT, chunk_digest, head_of, page_hash
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.errors import by_code
from peerterm.net import udp
from peerterm.net.identity import peer_id_of_key, tag
from peerterm.net.listener import DEFAULT_PORT
from peerterm.net.preamble import Preamble
from peerterm.net.tls import OPEN_NETWORK_SEED, network_certificate
from peerterm.wire.beacon import Beacon, BeaconKind, encode_beacon
from peerterm.wire.codec import encode
from peerterm.wire.lane import encode_reply_header, encode_request
from peerterm.wire.messages import (
    KINDS,
    Entry,
    Have,
    Hello,
    PeerAddress,
    Ping,
    TalkHead,
    TalkItem,
    TalkLine,
    TalkWant,
)
from peerterm.wire.session import CloseCode

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
PACKAGE = ROOT / "peerterm"

BOUND_NAME = re.compile(r"(MAX|MIN)_\w+|\w+_(SECONDS|PER_SECOND|RATE|BURST|BACKOFF|LIFETIME)")
"""Names that a constant of the code bears only if it is a bound."""


def rows(document: str, columns: int) -> list[list[str]]:
    """Return the cells of all table rows with so many columns."""
    text = (DOCS / document).read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line[1:].removesuffix("|").split("|")] for line in lines]
    return [cells for cells in found if len(cells) == columns]


def bare(cell: str) -> str:
    """Return what a cell names."""
    return cell.strip("`")


# protocol.md


def bounds_of(kind: inspect.Type) -> str:
    """Write the bounds of a number or a length."""
    least = getattr(kind, "ge", None) or getattr(kind, "min_length", None) or 0
    most = getattr(kind, "le", None) or getattr(kind, "max_length", None) or 0
    powers = {2**63 - 1: "2^63-1", 2**32 - 1: "2^32-1", 2**62: "2^62", -(2**62): "-2^62"}
    return f" {most}" if least == most else f" {powers.get(least, least)}..{powers.get(most, most)}"


def type_of(kind: inspect.Type) -> str:
    """Write a field's type as ``protocol.md`` does."""
    match kind:
        case inspect.StrType(pattern=str(pattern)):
            return f"text {pattern.removeprefix(chr(92) + 'A').removesuffix(chr(92) + 'Z')}"
        case inspect.LiteralType(values=values):
            return " or ".join(sorted(f'"{value}"' for value in values))
        case inspect.ListType(item_type=item):
            return f"list{bounds_of(kind)} of {type_of(item)}"
        case inspect.UnionType(types=types):
            return " or ".join(type_of(each) for each in types)
        case inspect.StructType(cls=cls):
            return str(cls.__name__)
        case inspect.BoolType() | inspect.NoneType():
            return {inspect.BoolType: "bool", inspect.NoneType: "nil"}[type(kind)]
    return {inspect.IntType: "int", inspect.StrType: "text", inspect.BytesType: "bytes"}[type(kind)] + bounds_of(
        kind
    )


def default_of(field: inspect.Field) -> str:
    """Write a field's default; empty if the field must be there."""
    if field.default is NODEFAULT:
        return "" if field.default_factory is NODEFAULT else "[]"
    if field.default is None:
        return "nil"
    return '""' if field.default in ("", b"") else str(field.default).lower()  # no bytes are written like no text


def message_fields(cls: type) -> list[tuple[str, str, str]]:
    """Return name, type and default of every field of a message."""
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    return [(field.encode_name, type_of(field.type), default_of(field)) for field in found.fields]


def test_protocol_names_every_message_with_its_fields() -> None:
    """The table of messages has each kind, each field, its type, its bounds and its default, and nothing else."""
    documented: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    current = ("", "")
    for kind, name, *field, _ in rows("protocol.md", 6):
        if name not in ("", "Message", "---"):
            current = (bare(kind), bare(name))
            documented[current] = []
        if current[1] and field[0]:
            documented[current].append((bare(field[0]), bare(field[1]), bare(field[2])))
    expected = {(str(number), cls.__name__): message_fields(cls) for number, cls in KINDS.items()}
    expected |= {
        ("part", cls.__name__): message_fields(cls)
        for cls in (PeerAddress, Entry, Have, TalkHead, TalkWant, TalkItem, TalkLine)
    }

    assert documented == expected


def vectors() -> dict[str, bytes | str]:
    """Compute every test vector of ``protocol.md``."""
    abc = head_of(3, chunk_digest(b"abc"))
    empty_listing = encode_listing([])
    empty_folder = head_of(1, chunk_digest(empty_listing)).root
    listing = encode_listing(
        [
            ListingEntry("b.txt", "file", 3, 1, abc.root, False, 1_600_000_000_000_000_000),
            ListingEntry("a", "folder", 0, 0, empty_folder, False, 0),
        ]
    )
    network = Ed25519PrivateKey.from_private_bytes(OPEN_NETWORK_SEED)
    device_key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    device = device_key.public_key()
    peer = peer_id_of_key(device)
    line = Line(
        conversation=ConversationId("#lan"),
        key=device.public_bytes_raw(),
        log=bytes(8),
        seq=1,
        prev=NO_HASH,
        sent_at=1_600_000_000_000,
        name="anna",
        kind="text",
        text="hello",
    ).signed_by(device_key.sign)
    beacon = Beacon(peer, bytes(range(8)), DEFAULT_PORT, 1, BeaconKind.HELLO)
    return {
        "empty file: head": head_of(0, b"").encode(),
        "empty file: root": EMPTY_ROOT,
        "`abc`: chunk digest": chunk_digest(b"abc"),
        "`abc`: page hash": page_hash(chunk_digest(b"abc")),
        "`abc`: head": abc.encode(),
        "`abc`: root": abc.root,
        "empty folder: listing": empty_listing,
        "empty folder: root": empty_folder,
        "folder: listing": listing,
        "folder: root": head_of(len(listing), chunk_digest(listing)).root,
        "open network: seed": OPEN_NETWORK_SEED,
        "open network: public key": network.public_key().public_bytes_raw(),
        "open network: SHA-256 of the authority's DER": hashlib.sha256(
            network_certificate(network).public_bytes(Encoding.DER)
        ).digest(),
        "device: peer id": peer,
        "device: tag": tag(peer),
        "frame: HELLO": encode(Hello(protocol=1, name="anna", instance=bytes(8), port=DEFAULT_PORT)),
        "frame: Ping": encode(Ping(nonce=7)),
        "line: what is signed": line.signed,
        "line: hash": line.hash,
        "line: signature": line.signature,
        "beacon": encode_beacon(beacon),
        "lane: request": encode_request(5, Piece(abc.root, PieceKind.CHUNK, 0)),
        "lane: answer": encode_reply_header(5, 3),
        "lane: refusal": encode_reply_header(5, 0, Refusal.NOT_HELD),
    }


def test_vectors_are_what_the_code_computes() -> None:
    """Every test vector printed is recomputed; none is missing and none is left over."""
    text = (DOCS / "protocol.md").read_text()
    section = text.partition("## Test vectors")[2].partition("\n## ")[0]
    printed = dict(re.findall(r"^\| ([^|]+) \| `(\w+)` \|$", section, re.MULTILINE))

    assert printed == {name: v if isinstance(v, str) else v.hex() for name, v in vectors().items()}


def test_protocol_names_every_code() -> None:
    """Close codes, refusals, kinds of pieces and of beacons, and the preambles stand in the document."""
    cells = {
        (bare(first), bare(second)) for first, second, *_ in (*rows("protocol.md", 2), *rows("protocol.md", 3))
    }
    text = (DOCS / "protocol.md").read_text()

    assert {(str(piece.value), piece.name) for piece in PieceKind} <= cells
    assert {(str(refusal.value), refusal.name) for refusal in Refusal if refusal is not Refusal.LOST} <= cells
    assert {str(code) for code in CloseCode} <= {first for first, _ in cells}
    assert all(f"`{preamble.value.decode()}`" in text for preamble in Preamble)
    assert all(f"`{kind.value}` {kind.name}" in text for kind in BeaconKind)
    assert f"`{udp.GROUP}`" in text
    assert f"`{udp.GROUP_IPV6}`" in text
    assert f"{DEFAULT_PORT}" in text


# Bounds


def written(name: str, value: float | tuple[float, ...]) -> str:
    """Write a bound as the documents do."""
    unit = " s" if re.search("SECONDS|BACKOFF|LIFETIME|PAUSE", name) and "PER_SECOND" not in name else ""
    unit = unit or (" a second" if name.endswith(("_RATE", "PER_SECOND")) else "")
    if isinstance(value, tuple):
        return (" to " if len(value) == 2 else ", ").join(f"{item:g}" for item in value) + unit
    for power, prefix in ((40, "TiB"), (20, "MiB"), (10, "KiB")):
        if value % 2**power == 0 and re.search("BYTES|BODY|ASSUMED_RATE|BLOB", name):
            return f"{int(value) >> power} {prefix}{unit}"
    for power in (62, 63, 32):
        if value in (2**power, 2**power - 1):
            return f"2^{power}" + "-1" * int(value % 2)
    return (f"{value:,}" if isinstance(value, int) else f"{value:g}") + unit


def value_of(module: str, name: str) -> Any:
    """Return a constant of the code, or the default of a dataclass's field."""
    holder, _, attribute = name.rpartition(".")
    loaded = importlib.import_module(f"peerterm.{module}")
    return getattr(attrgetter(holder)(loaded)() if holder else loaded, attribute)


@pytest.mark.parametrize("document", ["architecture.md", "protocol.md"])
def test_documented_bounds_are_those_of_the_code(document: str) -> None:
    """Each bound that a document names has that value in that module."""
    bounds = [
        (bare(name), value, bare(module)) for name, value, module, _ in rows(document, 4) if name.startswith("`")
    ]
    wrong = [
        f"{module}.{name}: {value} in the document, {actual} in the code"
        for name, value, module in bounds
        if (actual := written(name, value_of(module, name))) != value
    ]

    assert bounds
    assert wrong == []


def test_every_bound_of_the_code_is_documented() -> None:
    """A constant that is named like a bound stands in ``architecture.md``."""
    known = {(bare(module), bare(name)) for name, _, module, _ in rows("architecture.md", 4)}
    missing = [
        f"{module}.{target.id}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for module in [".".join(path.relative_to(PACKAGE).with_suffix("").parts)]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and BOUND_NAME.fullmatch(target.id) and (module, target.id) not in known
    ]

    assert missing == []


# cli.md


def verbs_of(parser: Any, prefix: str = "") -> set[str]:
    """Return the verbs of a parser, those of two words too."""
    found: set[str] = set()
    for name in parser:
        if not name.startswith("-"):
            found |= {f"{prefix}{name}"} | verbs_of(parser[name], f"{prefix}{name} ")
    return found


def documented_verbs() -> dict[str, str]:
    """Return the section of each verb."""
    parts = re.split(r"^### `(?:peerterm )?([^`]*)`\n", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def verb_name(heading: str) -> str:
    """Return the verb of a heading such as ``get REF...``: its leading words in lower case."""
    words = heading.split()
    return " ".join(word for word in words if re.fullmatch("[a-z]+", word))


def test_documented_verbs_are_those_of_the_program() -> None:
    """Every verb has a section, and every section is a verb's."""
    documented = {verb_name(heading) for heading in documented_verbs()} - {""}  # the bare command

    assert documented == verbs_of(app)


def test_every_flag_of_a_verb_is_documented() -> None:
    """A verb's section, or the one on common options, names each of its flags."""
    text = (DOCS / "cli.md").read_text()
    common = text.partition("## Common options")[2].partition("\n## ")[0]
    missing = [
        f"{verb} {flags[0]}"
        for heading, section in documented_verbs().items()
        for verb in [verb_name(heading)]
        for argument in app.parse_commands(verb.split())[1][-1].assemble_argument_collection()
        if (flags := [name for name in argument.names if name.startswith("--")])
        and f"`{flags[0]}" not in section + common
    ]

    assert missing == []


@pytest.mark.parametrize(
    "view",
    [
        "StatusView",
        "PeerView",
        "ShareView",
        "EntryView",
        "SearchHit",
        "TransferView",
        "IdentityView",
        "SettingView",
        "MessageView",
        "ConversationView",
        "OfferView",
    ],
)
def test_json_fields_are_documented(view: str) -> None:
    """The table of a view has each of its fields and no other."""
    text = (DOCS / "cli.md").read_text()
    section = text.partition(f"<!-- {view} -->")[2].partition("\n\n")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    assert documented == [field.name for field in fields(getattr(views, view))]


def test_exit_codes_are_documented() -> None:
    """Every exit code an error has stands in the table."""
    codes = {int(bare(first)) for first, _ in rows("cli.md", 2) if bare(first).isdigit()}

    assert codes == {0} | {error.exit_code for error in by_code().values()}


def test_examples_of_output_are_json() -> None:
    """Every JSON example can be read."""
    examples = re.findall(r"```json\n(.*?)```", (DOCS / "cli.md").read_text(), re.DOTALL)

    assert examples
    assert all(json.loads(example) is not None for example in examples)


# threats.md


def test_threats_name_tests_that_exist() -> None:
    """A defence that is claimed to be proved names a test of this tree."""
    text = (DOCS / "threats.md").read_text()
    claims = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    wrong = [
        f"{path}::{name}"
        for path, name in claims
        if not (ROOT / "tests" / path).exists() or f"def {name}(" not in (ROOT / "tests" / path).read_text()
    ]

    assert claims
    assert wrong == []


def test_threats_name_modules_that_exist() -> None:
    """Every module named as a defence is one."""
    modules = re.findall(r"`((?:core|wire|net|store|engine|control|cli)\.\w+)`", (DOCS / "threats.md").read_text())
    missing = {name for name in modules if not (PACKAGE / f"{name.replace('.', '/')}.py").exists()}

    assert modules
    assert missing == set()


# Links and commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file or folder."""
    links = re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#[^)]*)?\)", document.read_text())
    broken = [link for link in links if link and not (document.parent / link).exists()]

    assert broken == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """What ``.ci/run`` cuts out of the README is the one command a reader sees there."""
    script = (ROOT / ".ci" / "run").read_text()
    extraction = re.search(r"^test_command=\$\((sed .*)\)$", script, re.MULTILINE)
    block = re.search(r"<!-- test -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    assert extraction is not None
    assert block is not None
    cut = subprocess.run(["bash", "-c", extraction[1]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert cut == block[1]
    assert cut.count("\n") == 1
    assert 'eval "$test_command"' in script
