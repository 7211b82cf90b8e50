"""What a user may call a content: a root, a flat SHA-256, a link, or a peer's path. Reads them, asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from peerterm.core.names import check_path
from peerterm.errors import UsageError

SCHEME = "peerterm"
_HEX = re.compile(r"[0-9a-f]{8,64}")
_HINT = "a reference is a root (8 or more hex digits), sha256:HEX, a peerterm: link, or PEER/share/path"


@dataclass(frozen=True, slots=True)
class HashReference:
    """A content by the start of a hash, in lower-case hex."""

    by: Literal["root", "sha256"]
    prefix: str


@dataclass(frozen=True, slots=True)
class PathReference:
    """A content by where a peer keeps it; ``path`` starts with the share's name."""

    peer: str
    path: tuple[str, ...]


def parse_reference(text: str) -> HashReference | PathReference:
    """Read a reference.

    Raises:
        UsageError: It has none of the known forms, or a name that no file can have.
    """
    text = text.strip()
    if text.startswith(f"{SCHEME}:"):
        root = text.removeprefix(f"{SCHEME}:").partition("?")[0]
        if len(root) != 64 or not _HEX.fullmatch(root):
            raise UsageError("this link names no root of 64 hex digits", _HINT)
        return HashReference("root", root)
    lowered = text.lower()
    if lowered.startswith("sha256:"):
        digest = lowered.removeprefix("sha256:")
        if len(digest) != 64 or not _HEX.fullmatch(digest):
            raise UsageError("a flat SHA-256 has 64 hex digits", _HINT)
        return HashReference("sha256", digest)
    if "/" in text:
        peer, *path = [part for part in text.split("/") if part] or [""]
        if path:
            check_path(path)
            return PathReference(peer, tuple(path))
    elif _HEX.fullmatch(lowered):
        return HashReference("root", lowered)
    raise UsageError(f"{text!r} is not a reference", _HINT)


def link_to(root: str, name: str = "", size: int | None = None) -> str:
    """Return the link that stands for a content; name and size are for people only."""
    details = [f"{key}={quote(str(value))}" for key, value in (("name", name), ("size", size)) if value]
    return f"{SCHEME}:{root}" + (f"?{'&'.join(details)}" if details else "")


def link_to_peer(peer_id: str, addresses: list[str]) -> str:
    """Return the link that stands for a peer, with where it may be found."""
    return f"{SCHEME}:peer/{peer_id}?" + "&".join(f"at={quote(address, safe='[]:')}" for address in addresses)


def name_in_link(text: str) -> str:
    """Return the name a link carries, empty when it has none. It is a hint by whoever made the link."""
    return parse_qs(urlsplit(text).query).get("name", [""])[0]
