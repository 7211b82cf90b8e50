"""What clients hear of uploads."""

from __future__ import annotations

from dataclasses import replace

from peerterm.api.events import Event, TransferChanged, TransferRemoved
from peerterm.api.views import TransferView
from peerterm.engine.upload_news import UploadNews
from tests.fakes.fake_engine import make_transfer


class Ear:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def publish(self, event: Event) -> None:
        self.heard.append(event)


def test_uploads_are_told_while_they_move_and_when_they_end() -> None:
    """A row comes, grows and goes; one that stands still is not told again."""
    ear, views = Ear(), list[TransferView]()
    news = UploadNews(ear, lambda: views)  # type: ignore[arg-type] # all it needs of a bus
    first = make_transfer("to bob", direction="up", transfer_id="up-bob", bytes=10, seconds=1.0)

    news.tell()
    views.append(first)
    news.tell()
    views[0] = replace(first, seconds=2.0, rate=1.0)
    news.tell()
    views[0] = replace(first, bytes=20, seconds=3.0)
    news.tell()
    views.clear()
    news.tell()
    news.tell()

    assert ear.heard == [
        TransferChanged(transfer=first),
        TransferChanged(transfer=replace(first, bytes=20, seconds=3.0)),
        TransferRemoved(transfer_id="up-bob"),
    ]
