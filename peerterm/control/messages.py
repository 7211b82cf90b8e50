"""What crosses the control socket: frames between one engine and its clients, and the values inside them.

Both sides send a ``Greeting`` first. Then the client sends ``Call``, ``More`` and ``Cancel``; the engine answers a
call with one ``Result``, or with ``Item`` frames and an ``End``, or with an ``Error``. Of a stream at most
``STREAM_WINDOW`` items are under way: the client grants further ones with ``More`` as it uses them, so a slow
client makes the engine wait, not buffer. Values are plain MessagePack; both sides check them against the types of
``EngineApi``. Names of files may hold lone surrogates (bytes that are no UTF-8) and pass unchanged.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import msgpack
import msgspec

from peerterm.api import events, views
from peerterm.api.engine import EngineApi
from peerterm.api.events import Event
from peerterm.errors import PeertermError, ProtocolViolation, by_code
from peerterm.wire.frame import encode_frame

CONTROL_VERSION = 1
MAX_CLIENT_BODY = 1024 * 1024
"""Largest body a client may send, in bytes."""

MAX_SERVER_BODY = 16 * 1024 * 1024
"""Largest body the engine may send, in bytes."""

STREAM_WINDOW = 64
GREETING_SECONDS = 5.0
SEND_SECONDS = 30.0
"""How long one side waits for the other to read what is already written."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame of either side."""

    control_version: int
    app_version: str


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Run a method of ``EngineApi``. ``id`` is unique among the client's open calls."""

    id: int
    method: str
    arguments: dict[str, Any]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a method returned."""

    id: int
    value: Any


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a stream."""

    id: int
    value: Any


class More(msgspec.Struct, frozen=True, kw_only=True):
    """Grant a stream further items."""

    id: int
    count: int


class End(msgspec.Struct, frozen=True, kw_only=True):
    """A stream has no further items."""

    id: int


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """What a call failed with."""

    id: int
    code: str
    message: str
    hint: str = ""


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Give up a call; nothing further is sent for it, except what is under way."""

    id: int


Message: TypeAlias = Greeting | Call | Result | Item | More | End | Error | Cancel
_KINDS: dict[int, type[Message]] = dict(
    enumerate((Greeting, Call, Result, Item, More, End, Error, Cancel), start=1)
)
_NUMBERS = {kind: number for number, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    """Return a message as one frame."""
    body = msgpack.packb(msgspec.structs.asdict(message), unicode_errors="surrogatepass")
    return encode_frame(_NUMBERS[type(message)], body)


def decode(kind: int, body: bytes) -> Message:
    """Return the message of a frame.

    Raises:
        ProtocolViolation: It is none.
    """
    if kind not in _KINDS:
        raise ProtocolViolation(f"unknown kind of frame: {kind}")
    try:
        plain = msgpack.unpackb(body, unicode_errors="surrogatepass")
        return msgspec.convert(plain, _KINDS[kind])
    except (ValueError, msgspec.ValidationError) as error:  # all that msgpack raises is a ValueError
        raise ProtocolViolation(f"frame cannot be read: {error}") from error


def to_error(number: int, error: PeertermError) -> Error:
    """Return an error as a message."""
    return Error(id=number, code=error.code, message=error.message, hint=error.hint)


def from_error(error: Error) -> PeertermError:
    """Rebuild an error; one of an unknown code is a plain ``PeertermError``."""
    return by_code().get(error.code, PeertermError)(error.message, error.hint)


_EVENTS: dict[str, type[Event]] = {kind.event: kind for kind in get_args(Event)}


def event_to_dict(event: Event) -> dict[str, Any]:
    """Return an event as plain data: ``{"event": NAME, ...}``."""
    return {"event": event.event, **msgspec.to_builtins(event)}


def event_from_dict(plain: object) -> Event:
    """Rebuild an event.

    Raises:
        ProtocolViolation: It is none.
    """
    kind = _EVENTS.get(str(plain.get("event"))) if isinstance(plain, dict) else None
    if kind is None:
        raise ProtocolViolation("unknown event")
    event: Event = from_plain(plain, kind)
    return event


def to_plain(value: object) -> Any:
    """Return what a method returned, or one item of its stream, as plain data."""
    return event_to_dict(value) if isinstance(value, get_args(Event)) else msgspec.to_builtins(value)


def from_plain(plain: object, kind: Any) -> Any:
    """Rebuild a value of a type that ``EngineApi`` names.

    Raises:
        ProtocolViolation: It is of another type.
    """
    if kind == Event:
        return event_from_dict(plain)
    try:
        return msgspec.convert(plain, kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise ProtocolViolation(f"value cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of ``EngineApi``: the struct its arguments are checked by, and whether it is a stream."""

    arguments: type[msgspec.Struct]
    is_stream: bool


@cache
def methods() -> Mapping[str, Method]:
    """Return what a client may call, by name; nothing else can be reached through the socket."""
    known = {**vars(views), **vars(events), "AsyncIterator": AsyncIterator}
    found: dict[str, Method] = {}
    for name, function in inspect.getmembers(EngineApi, inspect.isfunction):
        if name.startswith("_"):
            continue
        hints = get_type_hints(function, localns=known)
        found[name] = Method(
            arguments=msgspec.defstruct(name, _fields(function, hints), kw_only=True, forbid_unknown_fields=True),
            is_stream=get_origin(hints["return"]) is AsyncIterator,
        )
    return found


def _fields(function: Any, hints: Mapping[str, Any]) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    declared: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name != "self":
            required = parameter.default is inspect.Parameter.empty
            declared.append((name, hints[name]) if required else (name, hints[name], parameter.default))
    return declared


def read_arguments(method: Method, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check a call's arguments.

    Raises:
        ProtocolViolation: One is missing, unknown or of another type.
    """
    return msgspec.structs.asdict(from_plain(arguments, method.arguments))
