"""Lets headless Chromium play a stream, sends it to nine tenths, and tells how far it came, as JSON.

Called as ``browser.py URL PROFILE-FOLDER``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 30.0
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)
# The page knows its film as ``v``, by the element's id, from the moment it has come that far.
_STATE = "JSON.stringify([v.currentTime, v.duration || 0, v.error ? v.error.message : '', v.seeking])"


class Page:
    """The only page of a browser, steered by Chrome's DevTools Protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def run(self, script: str) -> Any:
        """Run a script; return its value."""
        self._number += 1
        parameters = {"expression": script, "awaitPromise": True}
        await self._socket.send_json({"id": self._number, "method": "Runtime.evaluate", "params": parameters})
        while (answer := await self._socket.receive_json(timeout=PATIENCE)).get("id") != self._number:
            pass
        return answer["result"]["result"].get("value")

    async def until(self, condition: str) -> list[Any]:
        """Wait until the film is so; return its time, length, error, and whether it seeks."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self.run(f"v.error !== null || ({condition})"):
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            seen = await self.run("JSON.stringify([v.readyState, v.networkState, v.paused, v.currentTime])")
            raise AssertionError(f"not {condition}: {seen}") from error
        state: list[Any] = json.loads(await self.run(_STATE))
        return state


async def main(url: str, profile: Path) -> None:
    """Play, seek, play on."""
    page = profile.with_suffix(".html")
    page.write_text(f"<video id=v src={json.dumps(url)} autoplay muted></video>")
    command = ["chromium", *_ARGUMENTS, f"--user-data-dir={profile}", page.as_uri()]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(PATIENCE):
            while not (port_file := profile / "DevToolsActivePort").exists():
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            pages = await (await session.get(f"http://127.0.0.1:{port}/json")).json()
            (target,) = [each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page"]
            async with session.ws_connect(target) as socket:
                film = Page(socket)
                first = await film.until("v.currentTime > 1")
                await film.run("v.currentTime = v.duration * 0.9")
                after = await film.until("!v.seeking && v.currentTime > v.duration * 0.9 + 1")
        print(json.dumps({"first": first[0], "after_seek": after[0], "error": first[2] or after[2]}))
    finally:
        browser.terminate()
        browser.wait(PATIENCE)


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
