"""The pane of files: what D and d download, what they ask first, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.views import SettingView, ShareView
from peerterm.config import Settings
from peerterm.errors import PeerRefused
from tests.fakes.browsable import file, folder, program
from tests.fakes.browsed import BOB, PAGES, enter
from tests.fakes.fake_engine import OWN_ID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.browsable import BrowsableEngine

OWN_SHARE = ShareView(
    share_id="00000001", name="Own", path="/own", kind="folder", root="", sha256="", files=1, bytes=10,
    visibility="everyone", state="ready",
)  # fmt: skip


async def test_d_downloads_what_is_marked_by_root(engine: BrowsableEngine) -> None:
    """The heading says how much is marked; the marks go once it is queued."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        await screen.press("G", "space", "k", "space")
        await screen.sees("2 marked, 11K")
        await screen.press("d")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))

        assert next(asked for asked in engine.asked if asked[0] == "get")[1:3] == (file("a.jpg").root, "")
        assert "marked" not in screen.text


async def test_many_downloads_are_asked_about_first(engine: BrowsableEngine) -> None:
    """Marking everything and a slip of the finger queue nothing."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("1,200 entries")
        await screen.press("A", "d")
        await screen.sees("Download 1,200 entries (1.2M)?")
        await screen.press("escape")
        none_yet = list(engine.asked)
        await screen.press("d", "y")
        await screen.until(lambda: len(engine.asked) > len(none_yet))

        assert not [asked for asked in none_yet if asked[0] == "get"]
        assert engine.asked[len(none_yet)][:2] == ("get", PAGES[0].root)


async def test_capital_d_asks_for_the_folder(engine: BrowsableEngine, tmp_path: Path) -> None:
    """It offers the configured one; what is typed is checked, and offered the next time."""
    (tmp_path / "a").touch()
    async with program(engine) as screen:
        await enter(screen, "bob", "movie.mkv")
        await screen.press("escape", "D")
        await screen.sees("Download movie.mkv (4.1G) into", "Downloads")
        await screen.press("ctrl+u")
        await screen.paste(f"{tmp_path}/a")
        await screen.press("enter")
        await screen.sees("/a is not")
        await screen.press("backspace", "backspace", "enter")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))
        await screen.press("D")
        await screen.sees("Download movie.mkv", str(tmp_path)[:60])

        assert ("get", file("movie.mkv").root, str(tmp_path), None) in engine.asked


async def test_peer_is_downloaded_by_its_shares(engine: BrowsableEngine) -> None:
    """At the top a row means everything that the peer shares."""
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")
        await screen.sees("Download everything that bob shares?")
        assert engine.asked == []
        await screen.press("y")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))

        assert ("get", folder("Photos").root, "", None) in engine.asked


async def test_peer_is_downloaded_beyond_its_first_page(engine: BrowsableEngine) -> None:
    """However many shares it has."""
    engine.folders[BOB.peer_id, ""] = PAGES[:501]
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")
        await screen.sees("Download everything that bob shares?")
        await screen.press("y")
        await screen.until(lambda: sum(asked[0] == "get" for asked in engine.asked) == 501)

        assert engine.asked[500][1] == PAGES[500].root


async def test_other_keys_do_not_lose_a_download(engine: BrowsableEngine) -> None:
    """While a peer is asked what it shares, the list may be sorted."""
    engine.folders[BOB.peer_id, ""] = PAGES[:501]
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d", "s")
        await screen.sees("Order")
        await screen.press("escape")
        engine.gate.set()

        await screen.sees("Download everything that bob shares?")


async def test_part_of_a_folder_is_downloaded_by_patterns(engine: BrowsableEngine, tmp_path: Path) -> None:
    """D asks for them after the folder to download into; none are all, and Esc takes it back."""
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("Photos/")
        await screen.press("D")
        await screen.sees("Download Photos")
        await screen.press("ctrl+u")
        await screen.paste(str(tmp_path))
        await screen.press("enter")
        await screen.sees("Only which files?")
        await screen.press("escape", "D", "enter")
        await screen.sees("Only which files?")
        await screen.paste("*.jpg /2024/")
        await screen.press("enter")
        await screen.until(lambda: bool(engine.asked))

        assert engine.asked == [("get", folder("Photos").root, str(tmp_path), ["*.jpg", "/2024/"])]


async def test_what_is_not_ready_is_not_downloaded(engine: BrowsableEngine) -> None:
    """An entry without a root says so instead; so does an empty folder."""
    engine.folders[BOB.peer_id, ""] = [file("new.iso", root="")]
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("new.iso")
        await screen.press("d")
        await screen.sees("there is nothing to download yet")
        engine.folders[BOB.peer_id, "Photos"] = []
        screen.app.browse(BOB.peer_id, "Photos/")
        await screen.sees("This folder is empty.")
        await screen.press("d")

        await screen.sees("nothing is here yet")


async def test_peer_that_refuses_to_be_downloaded_is_told(engine: BrowsableEngine) -> None:
    """The refusal is said in the status row."""
    engine.faults[BOB.peer_id] = PeerRefused("bob does not say", "ask bob")
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")

        await screen.sees("bob does not say (ask bob)")


async def test_own_shares_can_be_browsed_but_not_downloaded(engine: BrowsableEngine) -> None:
    """They are last of the list, and here already."""
    engine.known_shares = [OWN_SHARE]
    engine.folders[OWN_ID, ""] = [folder("Own")]
    async with program(engine) as screen:
        await enter(screen)
        await screen.sees("fake (this machine)")
        await screen.press("G", "d")
        await screen.sees("that is on this machine already")
        await screen.press("l")
        await screen.sees("fake:/", "Own/")
        await screen.press("d")

        assert not [asked for asked in engine.asked if asked[0] == "get"]


async def test_configured_folder_is_offered_as_it_is_now(
    engine: BrowsableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was only offered, and not typed, is asked for again the next time."""
    folders = ["/old/place", "/new/place"]

    async def settings() -> list[SettingView]:
        views = Settings().views()
        chosen = folders.pop(0)
        return [replace(view, value=chosen) if view.name == "files.download_dir" else view for view in views]

    monkeypatch.setattr(engine, "settings", settings)
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("movie.mkv")
        await screen.press("D")
        await screen.sees("/old/place")
        await screen.press("escape", "D")

        await screen.sees("/new/place")
