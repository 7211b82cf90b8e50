"""Files handed to single people between real engines: through absences, kills, changes of mind; to nobody else."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lan import Lan, wait_until
from .load import MIB, meet, view
from .trees import describe, make_file

if TYPE_CHECKING:
    from .lan import Host

SCRIPTS = Path(__file__).parent
FOLDER_MIB = 1024 if os.environ.get("PEERTERM_LONG") else 64
FLOOD = 200
MAX_OPEN = 64


def offers(host: Host) -> list[dict[str, Any]]:
    """Return all offers that a host knows, oldest first."""
    found: list[dict[str, Any]] = host.json("inbox", "--all")
    return found


def offer_in(host: Host, *states: str, peer: str, seconds: float = 60) -> dict[str, Any]:
    """Wait until the newest offer between a host and a peer is in one of some states; return it."""

    def newest() -> dict[str, Any]:
        return ([{}] + [offer for offer in offers(host) if offer["peer_name"] == peer])[-1]

    wait_until(lambda: newest().get("state") in states, seconds, f"{states} of {peer}: {newest()}")
    return newest()


def states(host: Host) -> list[str]:
    """Return the states of all offers that a host knows."""
    return [offer["state"] for offer in offers(host)]


def granted(host: Host) -> tuple[int, int]:
    """Return how many private shares and grants a host that was stopped has kept."""
    with closing(sqlite3.connect(next(host.home.rglob("*.db")))) as database:
        [(shares,)] = database.execute("SELECT count(*) FROM private_shares")
        [(grants,)] = database.execute("SELECT count(*) FROM grants")
    return shares, grants


def files_below(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fetched(host: Host, transfer_id: str) -> int:
    """Return how much of a transfer is there."""
    return int(view(host, transfer_id)["bytes"])


def test_folder_for_three(work: Path) -> None:
    """Two are there, one comes later; some items, all, none; the sender is killed midway: all ends right."""
    folder, note = work / "photos", make_file(work / "note.txt", 5000, 7)
    for number in range(8):
        make_file(folder / f"day {number % 3}" / f"{number}.raw", FOLDER_MIB * MIB // 8, number)
    with Lan(5, uplink="400mbit") as lan:
        hosts = [lan.host(number, work / f"host{number}") for number in range(5)]
        sender, first, second, third, outsider = hosts
        meet(*hosts)
        third.stop()
        began = time.monotonic()
        sent = sender.json("send", "host1,host2,host3", folder, note)
        indexed = time.monotonic() - began
        got = [offer_in(host, "offered", peer="host0") for host in (first, second)]
        root = sent[0]["items"][0]["root"]

        assert [offer["state"] for offer in sent[2:]] == ["queued"]
        assert [offer["offer_id"] for offer in got] == [offer["offer_id"] for offer in sent[:2]]
        for host, reference in ((outsider, root), (outsider, sent[0]["items"][1]["root"])):
            assert host.run("get", reference, check=False).returncode == 4

        began = time.monotonic()
        whole = first.popen("accept", got[0]["offer_id"][:8], "-o", work / "one", "--wait", "--json")
        part = second.popen("accept", got[1]["offer_id"], "--items", "1", "-o", work / "two", "--wait")
        [photos, _] = offer_in(first, "accepted", peer="host0")["transfer_ids"]
        wait_until(lambda: fetched(first, photos) > FOLDER_MIB * MIB // 8, 60, "some of it is there")
        sender.kill()
        had = fetched(first, photos)
        sender.start()
        out, err = whole.communicate(timeout=300)
        assert whole.returncode == 0, err
        assert part.wait(300) == 0
        seconds = time.monotonic() - began

        assert had < FOLDER_MIB * MIB, "it was to be killed midway"
        assert json.loads(out)["state"] == "landed"
        assert describe(work / "one" / "photos") == describe(work / "two" / "photos") == describe(folder)
        assert (work / "one" / "note.txt").read_bytes() == note.read_bytes()
        assert files_below(work / "two") == [f"photos/{name}" for name in files_below(folder)]

        third.start()
        late = offer_in(third, "offered", peer="host0")
        third.run("decline", late["offer_id"])
        peers = ("host1", "host2", "host3")
        ends = {peer: offer_in(sender, "landed", "declined", peer=peer)["state"] for peer in peers}
        print(f"\n{FOLDER_MIB} MiB indexed in {indexed:.2f} s, with two in {seconds:.1f} s")
        print(f"the sender was killed when one of them had {had >> 20} MiB")
        assert ends == {"host1": "landed", "host2": "landed", "host3": "declined"}
        assert outsider.run("get", root, check=False).returncode == 4
        sender.stop()
        assert granted(sender) == (0, 0)


def test_both_sides_may_change_their_mind(work: Path) -> None:
    """A cancelled download declines the offer, a withdrawn offer cancels the download, and says why."""
    film = make_file(work / "film.mkv", 64 * MIB)
    with Lan(2, uplink="80mbit") as lan:
        sender, taker = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(sender, taker)
        waiting = sender.popen("send", "host1", film, "--wait")
        offer = offer_in(taker, "offered", peer="host0")
        [transfer] = taker.json("accept", offer["offer_id"])["transfer_ids"]
        wait_until(lambda: fetched(taker, transfer) > MIB, 30, "it is on its way")
        taker.run("cancel", transfer, "--delete")
        _, err = waiting.communicate(timeout=30)

        assert waiting.returncode == 4
        assert "host1 declined it" in err
        assert files_below(taker.downloads) == []

        sender.run("send", "host1", film)
        offer = offer_in(taker, "offered", peer="host0")
        waiting = taker.popen("accept", offer["offer_id"], "--wait")
        [transfer] = offer_in(taker, "accepted", peer="host0")["transfer_ids"]
        wait_until(lambda: fetched(taker, transfer) > MIB, 30, "it is on its way")
        began = time.monotonic()
        sender.run("withdraw", offer["offer_id"])
        _, err = waiting.communicate(timeout=30)
        seconds = time.monotonic() - began
        ended = view(taker, transfer)

        print(f"\nwithdrawn: the download ended {seconds:.2f} s after, the start of two verbs included")
        assert waiting.returncode == 4
        assert "host0 withdrew it" in err
        assert (ended["state"], ended["error"]) == (
            "cancelled",
            "host0 withdrew the offer (ask for it to be sent again)",
        )
        wait_until(lambda: files_below(taker.downloads) == [], 10, "what was fetched is removed")
        sender.stop()
        assert granted(sender) == (0, 0)


def test_offer_waits_for_its_peer(work: Path) -> None:
    """It is there within 2 s of both being online, though both restarted since."""
    note = make_file(work / "note.txt", 5000)
    with Lan(2) as lan:
        here, there = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(here, there)
        there.stop()
        [sent] = here.json("send", "host1", note)
        here.stop()
        here.start()
        watcher = here.watch()
        there.start()
        watcher.wait_for("peer_joined", 15)
        online_at = time.monotonic()
        wait_until(lambda: watcher.seen("offer_changed"), 10, "the offer is there")
        delivered = time.monotonic() - online_at
        offer = offer_in(there, "offered", peer="host0")
        there.run("accept", offer["offer_id"], "--wait")

        print(f"\nqueued offer delivered {delivered:.2f} s after both were online")
        assert sent["state"] == "queued"
        assert offer["offer_id"] == sent["offer_id"]
        assert delivered < 2
        assert (there.downloads / "note.txt").read_bytes() == note.read_bytes()


def test_offers_replace_nothing_and_write_nothing(work: Path) -> None:
    """``.bashrc`` offered twice harms no ``.bashrc``; a flood of offers writes no byte, and most is declined."""
    evil = work / ".bashrc"
    evil.write_text("evil")
    with Lan(2) as lan:
        sender, taker = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        sender.start(script=SCRIPTS / "flooder.py")
        meet(taker)
        home = work / "home"
        home.mkdir()
        (home / ".bashrc").write_text("mine")
        for _ in range(2):
            sender.run("send", "host1", evil)
            offer = offer_in(taker, "offered", peer="host0")
            taker.run("accept", offer["offer_id"], "-o", home, "--wait")

        assert {path.name: path.read_text() for path in home.iterdir()} == {
            ".bashrc": "mine",
            "_bashrc": "evil",
            "_bashrc (2)": "evil",
        }

        film = make_file(work / "film.mkv", 10 * MIB)
        before = files_below(work / "host1")
        began = time.monotonic()
        flood = sender.popen("host1", FLOOD, film, script=SCRIPTS / "offerer.py")
        _, err = flood.communicate(timeout=120)
        assert flood.returncode == 0, err
        wait_until(lambda: states(sender).count("declined") == FLOOD - MAX_OPEN, 60, "the others are declined")
        seconds = time.monotonic() - began
        shown = taker.json("inbox")

        print(f"\n{FLOOD} offers of {FLOOD * 10} MiB in {seconds:.1f} s: {len(shown)} are shown, 0 bytes written")
        assert len(shown) == MAX_OPEN
        assert [name for name in files_below(work / "host1") if name not in before and "profile" not in name] == []
        assert not taker.downloads.exists()
