"""The messages of the control socket."""

from __future__ import annotations

import inspect

import msgpack
import pytest

from peerterm.api import events
from peerterm.api.engine import EngineApi
from peerterm.api.events import Event, Notice, PeerLeft
from peerterm.control.messages import (
    Call,
    Error,
    Greeting,
    decode,
    encode,
    event_from_dict,
    event_to_dict,
    from_error,
    from_plain,
    methods,
    read_arguments,
    to_error,
)
from peerterm.errors import DiskFull, PeertermError, ProtocolViolation, by_code
from peerterm.wire.frame import FrameDecoder
from tests.fakes.fake_engine import make_peer


def frame_of(data: bytes) -> tuple[int, bytes]:
    """Return kind and body of one frame."""
    (frame,) = FrameDecoder(max_body=10_000).feed(data)
    return frame.kind, frame.body


def test_message_survives_the_round_trip() -> None:
    """What is encoded decodes to the same value."""
    call = Call(id=7, method="share", arguments={"path": "/a\udcff", "name": "b"})

    assert decode(*frame_of(encode(call))) == call


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\x80", b"\x81\x01\x02"])
def test_garbage_is_a_protocol_violation(body: bytes) -> None:
    """Every failure to decode is the one documented error."""
    with pytest.raises(ProtocolViolation):
        decode(2, body)


def test_unknown_kind_of_frame_is_refused() -> None:
    """A kind that no message has is an error, not a guess."""
    with pytest.raises(ProtocolViolation, match="unknown kind"):
        decode(99, b"\x80")


def test_greeting_of_a_later_version_can_be_read() -> None:
    """Fields that are not known yet are ignored, so that versions can be compared."""
    body = msgpack.packb({"control_version": 9, "app_version": "9.0", "colour": "red"})

    assert decode(1, body) == Greeting(control_version=9, app_version="9.0")


@pytest.mark.parametrize("kind", list(by_code().values()))
def test_every_error_is_rebuilt_by_its_code(kind: type[PeertermError]) -> None:
    """Type, message and hint cross the socket."""
    rebuilt = from_error(to_error(1, kind("what", "do")))

    assert (type(rebuilt), rebuilt.message, rebuilt.hint) == (kind, "what", "do")


def test_error_of_an_unknown_code_is_still_an_error() -> None:
    """A code of a later version becomes the base class."""
    assert type(from_error(Error(id=1, code="new", message="m"))) is PeertermError
    assert type(from_error(to_error(1, DiskFull("m")))) is DiskFull


def test_event_names_are_unique() -> None:
    """The name alone tells which class an event is of."""
    kinds = [kind for _, kind in inspect.getmembers(events, inspect.isclass) if hasattr(kind, "event")]

    assert len({kind.event for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("event", [Notice(level="info", text="x"), PeerLeft(peer=make_peer("a"), reason="bye")])
def test_event_survives_the_round_trip(event: Event) -> None:
    """An event is plain data with its name in it."""
    plain = event_to_dict(event)

    assert plain["event"] == event.event
    assert event_from_dict(plain) == event


@pytest.mark.parametrize(
    "plain", [None, [], {}, {"event": "unknown"}, {"event": []}, {"event": "notice", "level": 3}]
)
def test_other_data_is_no_event(plain: object) -> None:
    """What cannot be read is refused."""
    with pytest.raises(ProtocolViolation):
        event_from_dict(plain)


def test_methods_are_those_of_the_contract() -> None:
    """Nothing but the contract can be called, and streams are known as such."""
    names = {name for name in vars(EngineApi) if not name.startswith("_")}

    assert set(methods()) == names
    assert {name for name, method in methods().items() if method.is_stream} == {"search", "events"}


def test_arguments_are_checked_and_completed() -> None:
    """Defaults of the contract fill in what a client left out."""
    browse = methods()["browse"]

    assert read_arguments(browse, {"peer": "a"}) == {"peer": "a", "path": "", "after": "", "limit": 500}


@pytest.mark.parametrize("arguments", [{}, {"peer": 3}, {"peer": "a", "extra": 1}, {"peer": "a", "limit": "9"}])
def test_wrong_arguments_are_refused(arguments: dict[str, object]) -> None:
    """Missing, unknown and mistyped arguments never reach the engine."""
    with pytest.raises(ProtocolViolation):
        read_arguments(methods()["browse"], arguments)


def test_value_of_another_type_is_refused() -> None:
    """A view that lacks a field is not made."""
    with pytest.raises(ProtocolViolation):
        from_plain({"peer_id": 1}, type(make_peer("a")))
