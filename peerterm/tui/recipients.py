"""Peers as a user types them, several with commas between: what each is called, completion, and faults. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from peerterm.display import clean, short_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerterm.api.views import PeerView

SEPARATOR = ", "


def handles_of(peers: Iterable[PeerView]) -> dict[str, str]:
    """Return the ids of peers by what can be typed for each: its name, with the start of its id where it must be.

    That is where it has none, where it has a comma in it, and where others are called so. Online ones come first.
    """
    listed = sorted(peers, key=lambda peer: (peer.state != "online", peer.name.casefold(), peer.peer_id))
    names = {peer.peer_id: clean(peer.name).replace(",", "").strip() for peer in listed}
    counts = Counter(name.casefold() for name in names.values())
    handles: dict[str, str] = {}
    for peer in listed:
        name = names[peer.peer_id]
        is_plain = name and name == clean(peer.name).strip() and counts[name.casefold()] == 1
        handles[name if is_plain else f"{name}~{short_id(peer.peer_id)}"] = peer.peer_id
    return handles


def peers_in(text: str, handles: Mapping[str, str]) -> list[str]:
    """Return the ids that are meant, each once; what means nobody is left out."""
    known = {handle.casefold(): peer_id for handle, peer_id in handles.items()}
    found = [known.get(word.casefold(), "") for word in _words(text)]
    return list(dict.fromkeys(filter(None, found)))


def fault_of_peers(text: str, handles: Mapping[str, str]) -> str:
    """Return what is wrong with a list of peers; nothing if each is known."""
    known = {handle.casefold() for handle in handles}
    words = _words(text)
    if not words:
        return "type the name of somebody"
    unknown = [word for word in words if word.casefold() not in known]
    return f"nobody is called {unknown[0]}; Tab completes a name" if unknown else ""


def complete_peers(text: str, handles: Iterable[str]) -> list[str]:
    """Return how a list of peers may go on: with each who begins so and does not stand in it."""
    head, comma, tail = text.rpartition(",")
    before = f"{head}{SEPARATOR}" if comma else ""
    start, named = tail.strip().casefold(), {word.casefold() for word in _words(head)}
    return [
        f"{before}{handle}"
        for handle in handles
        if handle.casefold().startswith(start) and handle.casefold() not in named
    ]


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
