"""How a content is named to somebody else: as a link, and by where a peer keeps it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.api.views import PeerView


def link_to(root: str, name: str, size: int) -> str:
    """Return the link that stands for a content, empty without a root; name and size are for people only."""
    return f"peerterm:{root}?name={quote(name, safe='', errors='replace')}&size={size}" if root else ""


def reference_to(peer_id: str, path: str, peers: Iterable[PeerView]) -> str:
    """Return what ``peerterm get`` takes for a path of a peer, who is called by name if only one has that name."""
    names = {peer.peer_id: peer.name for peer in peers}
    name = names.get(peer_id, "")
    is_clear = name and "/" not in name and list(names.values()).count(name) == 1
    return f"{name if is_clear else peer_id}/{path}"
