"""Verbs about conversations: chat send, log, follow, rooms, join, leave, mute, read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.cli.chat_text import moment, spoken
from peerterm.cli.common import COMMON, Common, between
from peerterm.cli.table import Table
from peerterm.display import counted, some
from peerterm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import ConversationView
    from peerterm.config import Settings

MAX_LOG_LINES = 1000
MAX_INPUT_BYTES = 64 * 1024
"""Most that is read of standard input; the longest message is shorter."""

Where = Annotated[str, Parameter(help="A room (#name), or a peer: its name, id or first digits of that.")]
Room = Annotated[str, Parameter(help="Its name, such as #lan; in most shells in quotes.")]


def register(app: App) -> None:
    """Add the verbs."""
    chat = App(
        name="chat",
        help="Talk with peers and in rooms.",
        help_epilogue="Examples:\n  peerterm chat\n  peerterm chat send anna 'the film is up'\n"
        "  peerterm chat follow '#lan'",
    )
    chat.command(
        send,
        help_epilogue="Examples:\n  peerterm chat send anna 'lunch?'\n  peerterm chat send '#lan' --me 'waves'\n"
        "  uptime | peerterm chat send anna -",
    )
    chat.command(log, help_epilogue="Examples:\n  peerterm chat log anna\n  peerterm chat log '#lan' -n 200 --json")
    chat.command(
        follow,
        help_epilogue="Examples:\n  peerterm chat follow\n  peerterm chat follow '#lan' -n 20\n"
        "  peerterm chat follow --json | jq -r 'select(.state == \"received\").text'",
    )
    chat.command(rooms, help_epilogue="Example:\n  peerterm chat rooms")
    chat.command(join, help_epilogue="Example:\n  peerterm chat join '#films'")
    chat.command(leave, help_epilogue="Example:\n  peerterm chat leave '#films'")
    chat.command(mute, help_epilogue="Examples:\n  peerterm chat mute '#lan'\n  peerterm chat mute '#lan' --off")
    chat.command(read, help_epilogue="Example:\n  peerterm chat read anna")
    chat.default(rooms)
    app.command(chat)


async def send(
    where: Where,
    text: Annotated[str, Parameter(help="What to say; - takes it from standard input.", allow_leading_hyphen=True)],
    /,
    *,
    me: Annotated[bool, Parameter(help="Say it as something you do: * anna waves.")] = False,
    common: Common = COMMON,
) -> None:
    """Say something to a peer or in a room. It is kept until it is there, however long that takes."""
    said = _standard_input() if text == "-" else text
    async with common.engine() as engine:
        message = await engine.say(where, said, kind="me" if me else "text")
    common.emit(message, spoken(message))
    if message.state == "queued":
        common.talk("nobody is there to take it now; it goes by itself as soon as somebody is")


def _standard_input() -> str:
    """Return what is on standard input, without the end of its last line.

    Raises:
        UsageError: It is too long for a message, or no text.
    """
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError("standard input is too long for a message", "send it as a file")
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not UTF-8 text", "send it as a file") from error


async def log(
    where: Where,
    /,
    *,
    lines: Annotated[
        int,
        Parameter(
            name=["--lines", "-n"],
            validator=between(1, MAX_LOG_LINES),
            help="How many messages, at most 1000.",
            show_default=True,
        ),
    ] = 50,
    before: Annotated[str, Parameter(help="Only messages before the one with this id.")] = "",
    common: Common = COMMON,
) -> None:
    """Show the newest messages of a conversation, the oldest of them first."""
    async with common.engine() as engine:
        found = await engine.messages(where, lines, before)
    common.emit(found, (text for message in found for text in spoken(message)))
    if not found:
        common.talk(f"{where}: nothing was said" + " before that" * bool(before))
    elif len(found) == lines and not common.json:
        common.talk(f"what was said before: add --before {found[0].id}")


async def follow(
    where: Annotated[str, Parameter(help="A room or a peer; all conversations, if not given.")] = "",
    /,
    *,
    lines: Annotated[
        int,
        Parameter(
            name=["--lines", "-n"],
            validator=between(0, MAX_LOG_LINES),
            help="Begin with so many messages that are here already.",
            show_default=True,
        ),
    ] = 0,
    notices: Annotated[
        bool, Parameter(help="Say with --json, too, who comes and who goes: messages of kind notice.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Print messages as they come, until interrupted; with --json one object a line."""
    from peerterm.cli.chat_following import Following

    wanted = notices or (not common.json and _settings(common).chat.notices)
    await Following(where, lines, common, notices=wanted).run()


def _settings(common: Common) -> Settings:
    from peerterm.config import Settings

    return Settings.load(common.paths().config, env=os.environ)


async def rooms(*, common: Common = COMMON) -> None:
    """List rooms and conversations with peers, that with the newest message first."""
    async with common.engine() as engine:
        found = await engine.conversations()
    common.emit(found, _table(found))


def _table(conversations: Sequence[ConversationView]) -> Table:
    rows = [
        (
            view.name,
            view.unread or "",
            some([member.name for member in view.members]),
            moment(view.last_at) if view.last_at else "",
            _state(view),
        )
        for view in conversations
    ]
    return Table(("conversation~", "unread>", "here~", "last", "state"), rows, "nothing was said yet")


def _state(view: ConversationView) -> str:
    return ", ".join(["left"] * (not view.is_member) + ["muted"] * view.is_muted)


async def join(room: Room, /, *, common: Common = COMMON) -> None:
    """Become a member of a room; it comes to be by that."""
    async with common.engine() as engine:
        found = await engine.join(room)
    common.emit(found, [f"{found.name}: {counted(len(found.members), 'other member')}"])


async def leave(room: Room, /, *, common: Common = COMMON) -> None:
    """Be a member of a room no longer; what was said there stays readable."""
    async with common.engine() as engine:
        found = await engine.leave(room)
    common.emit(found, [f"{found.name}: left"])


async def mute(
    where: Where,
    /,
    *,
    off: Annotated[bool, Parameter(help="Let it be heard again.")] = False,
    common: Common = COMMON,
) -> None:
    """Let a conversation count as read whatever is said there, and raise no notice."""
    async with common.engine() as engine:
        found = await engine.mute(where, is_muted=not off)
    common.emit(found, [f"{found.name}: {'muted' if found.is_muted else 'heard again'}"])


async def read(where: Where, /, *, common: Common = COMMON) -> None:
    """Note that you have seen all of a conversation; a peer sees that its messages were read."""
    async with common.engine() as engine:
        found = await engine.read(where)
    common.emit(found, [f"{found.name}: read"])
