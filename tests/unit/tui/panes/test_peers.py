"""The pane of peers, on the screen of a program that runs on an engine in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import PeerLeft, TransferChanged, TransferRemoved
from peerterm.api.views import EntryView, SourceView
from peerterm.errors import PeerUnavailable
from peerterm.tui.terminal import Terminal
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown

if TYPE_CHECKING:
    from peerterm.api.views import BrowsePage


def rows(program: Program) -> list[str]:
    """Return the lines of the table."""
    return [line for line in text_of(program).split("\n")[3:-2] if line.strip()]


async def test_who_is_online_comes_first() -> None:
    """With state, offer, rate and when it was seen; the heading counts."""
    program = Program(populated())
    async with running(program):
        assert [line.split() for line in rows(program)] == [
            [">", "bob", "●", "online", "2", "412G", "39M/s", "now"],
            ["carol", "●", "online", "1", "18G", "4.0M/s", "now"],
            ["erin", "○", "offline", "4", "9.1G", "-", "7d"],
        ]
        assert text_of(program).split("\n")[1] == " 2 peers online, 3 known"


async def test_state_is_told_without_colours_and_pictures() -> None:
    """In a terminal of ASCII a sign and a word say it."""
    engine = FakeEngine()
    engine.known_peers = [make_peer("a"), make_peer("b", state="connecting"), make_peer("c", state="offline")]
    program = Program(engine, terminal=Terminal(is_ascii=True))
    async with running(program):
        shown = [line[2:] for line in rows(program)]

        assert all(line.isascii() for line in shown)
        assert [" ".join(line.split()[1:3]) for line in shown] == ["@ online", "~ connecting", "o offline"]


async def test_wide_screen_says_address_trust_and_id() -> None:
    """What 80 columns have no room for."""
    program = Program(populated())
    async with running(program, (120, 36)):
        assert rows(program)[0].split()[-3:] == ["192.168.1.20:47470", "known", "00000133"]


async def test_peers_come_and_go() -> None:
    """A row each for ever, since they may come back; the cursor stays on whom it was on."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("j")
        engine.peer_joined(make_peer("adam"))
        await until(pilot, lambda: "adam" in rows(program)[0])
        assert rows(program)[2].startswith("> carol")
        engine.announce(
            PeerLeft(peer=replace(engine.known_peers[0], state="offline", last_seen=0.0), reason="lost")
        )
        await until_shown(pilot, "bob is offline (lost)")

        assert [line.strip("> ").split()[0] for line in rows(program)] == ["adam", "carol", "bob", "erin"]
        assert text_of(program).split("\n")[1] == " 2 peers online, 4 known"


async def test_time_since_a_peer_was_seen_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although nothing is heard of those who are offline; none of them was seen now."""
    now = time.time()
    monkeypatch.setattr("peerterm.tui.panes.peers.AGING_SECONDS", 0.05)
    monkeypatch.setattr("peerterm.tui.format.time.time", lambda: now)
    engine = FakeEngine()
    engine.known_peers = [make_peer("bob", state="offline", last_seen=now - 5)]
    program = Program(engine)
    async with running(program) as pilot:
        assert rows(program)[0].split()[-1] == "<1min"
        now += 120
        await until(pilot, lambda: rows(program)[0].split()[-1] == "2min")
        await pilot.press("i")

        await until_shown(pilot, "last seen  2min ago")


async def test_rate_follows_transfers() -> None:
    """Of all that run with a peer, both ways; none is a dash."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        carol = engine.known_peers[1]
        source = SourceView(peer_id=carol.peer_id, name="carol", bytes=1, rate=500.0)
        for key in ("x", "y"):
            view = make_transfer(key, transfer_id=key, sources=[source])
            engine.announce(TransferChanged(transfer=view))
        await until_shown(pilot, "4.0M/s")
        for view in engine.known_transfers:
            engine.announce(TransferChanged(transfer=replace(view, state="paused")))

        await until(pilot, lambda: "1.0K/s" in rows(program)[1])


async def test_sort_offers_every_column_there_is() -> None:
    """The same again turns it round; 0 takes any order away; none of them fails."""
    program = Program(populated())
    async with running(program, (120, 36)) as pilot:
        for digit in "123456789":
            await pilot.press("s", digit)
            await until(pilot, lambda: len(program.screen_stack) == 1)
            await pilot.pause()
            assert "▲" in text_of(program), digit
        assert "Id▲" in text_of(program)
        await pilot.press("s", "9")
        await until_shown(pilot, "Id▼")
        assert "erin" in rows(program)[-2]
        await pilot.press("s", "0")

        await until(pilot, lambda: "▼" not in text_of(program))


async def test_sort_by_rate_puts_the_fastest_first() -> None:
    """Which is what one looks for."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("s", "5")

        await until(
            pilot, lambda: [line.strip("> ").split()[0] for line in rows(program)] == ["bob", "carol", "erin"]
        )


async def test_filter_looks_at_name_address_and_id() -> None:
    """While it is typed."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("slash", *"1.21")
        await until(pilot, lambda: len([line for line in rows(program) if "line" in line]) == 1)

        assert "carol" in rows(program)[0]


async def test_enter_browses() -> None:
    """What the peer shares, and back."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("enter")
        await until_shown(pilot, "Photos/")
        assert text_of(program).split("\n")[1].startswith(" bob:/")


async def test_double_click_browses() -> None:
    """As Enter does."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.click(offset=(5, 3), times=2)

        await until_shown(pilot, "bob:/")


async def test_all_of_a_peer_is_downloaded() -> None:
    """Each of its shares that has content; of the marked ones if there are any."""
    engine = FakeEngine()
    engine.known_peers = [make_peer("bob"), make_peer("eve")]
    entry = EntryView(name="Photos", kind="folder", size=1, root="ab", mtime=1.0)
    engine.entries = [entry, replace(entry, name="Music", root="")]
    engine.progress = {"ab": [make_transfer("Photos")]}
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("A", "d")
        await until_shown(pilot, "Download everything that bob, eve shares?")
        await pilot.press("y")
        await until_shown(pilot, "2 downloads queued")

        assert [asked[1] for asked in engine.asked] == ["ab", "ab"]


@pytest.mark.parametrize("key", ["enter", "d", "y", "i"])
async def test_without_a_peer_keys_say_so(key: str) -> None:
    """Nobody shall think that the program hangs."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        assert "Listening; nobody is here yet." in text_of(program)
        await pilot.press(key)
        await pilot.pause()

        assert text_of(program).split("\n")[-2].strip() in {
            "nobody is here yet", "nothing to copy", "nothing is here yet"
        }  # fmt: skip


async def test_peer_that_shares_nothing_has_nothing_to_download() -> None:
    """Which is said."""
    engine = FakeEngine()
    engine.known_peers = [make_peer("bob", shares=0)]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("d")
        await until_shown(pilot, "Download everything")
        await pilot.press("y")

        await until_shown(pilot, "there is nothing to download yet")


async def test_peer_that_does_not_answer_is_told() -> None:
    """With what its link said."""

    class Silent(FakeEngine):
        async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
            raise PeerUnavailable("bob does not answer", "try again")

    engine = Silent()
    engine.known_peers = [make_peer("bob")]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("d")
        await until_shown(pilot, "Download everything")
        await pilot.press("y")

        await until_shown(pilot, "bob does not answer (try again)")


async def test_all_that_is_known_can_be_read_and_copied() -> None:
    """The whole id above all."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("i")
        await until_shown(pilot, "version    0.1.0")
        assert engine.known_peers[0].peer_id in text_of(program)
        await pilot.press("escape", "y")
        await until_shown(pilot, "address  192.168.1.20:47470")
        await pilot.press("i")
        await until(pilot, lambda: program.copied)
        assert program.copied == [engine.known_peers[0].peer_id]
        await pilot.press("y", "t")
        await until_shown(pilot, "Select with the terminal's own means")

        assert engine.known_peers[0].peer_id in text_of(program)


async def test_rate_of_an_upload_that_ended_is_taken_away() -> None:
    """The engine forgets uploads; nothing says a last time that they do not move."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        carol = engine.known_peers[1]
        source = SourceView(peer_id=carol.peer_id, name="carol", bytes=1, rate=500.0)
        engine.announce(
            TransferChanged(transfer=make_transfer("x", transfer_id="x", direction="up", sources=[source]))
        )
        for view in engine.known_transfers:
            engine.announce(TransferChanged(transfer=replace(view, state="paused", sources=[])))
        await until_shown(pilot, "500B/s")
        engine.announce(TransferRemoved(transfer_id="x"))

        await until(pilot, lambda: "500B/s" not in text_of(program))


async def test_own_link_is_shown_as_text_and_code() -> None:
    """With where this machine is found; y copies it."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await pilot.press("L")
        await until_shown(pilot, "fake at 127.0.0.1")
        assert "peerterm:fake" in text_of(program)
        await pilot.press("y")

        assert program.copied == ["peerterm:fake"]
