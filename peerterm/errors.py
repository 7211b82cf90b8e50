"""Every error peerterm reports: what happened, what to do next, and a code that never changes.

::

    PeertermError
    +- UsageError        the caller's fault                  exit 2
    |  +- InvalidPath, InvalidName, ConfigError, AmbiguousReference, NotSupported
    +- NotFound          nothing has it                      exit 4
    +- PeerError         one link or source only             exit 4
    |  +- ProtocolViolation, PeerUnavailable, PeerRefused
    |  +- AuthFailed
    |     +- WrongPeer, DialledSelf
    +- IntegrityError    bytes do not match their hash       exit 5
    +- StorageError      this machine's disk or database     exit 6
    |  +- DiskFull, SourceChanged, SchemaTooNew
    +- ControlError      reaching the engine                 exit 3
    |  +- EngineNotRunning, VersionMismatch
    +- EngineBusy, PortTaken, Interrupted

An operating-system or library error is mapped to one of these where it arises, with ``from``. A bug is not in
the tree and is not caught.
"""

from __future__ import annotations

from typing import ClassVar


class PeertermError(Exception):
    """The base of all errors a user may see.

    Attributes:
        message: What happened, naming the thing.
        hint: What to do next; may be empty.
        code: Stable identifier, sent to clients of the engine and, for peer errors, on the wire.
        exit_code: What a command ends with.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def advice(self) -> str:
        """The message, with the hint in brackets if there is one: for places that have one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(PeertermError):
    """What was asked cannot be meant."""

    code = "usage"
    exit_code = 2


class InvalidPath(UsageError):
    """A path that does not exist, cannot be read or cannot be shared."""

    code = "invalid_path"


class InvalidName(UsageError):
    """A file, share or peer name that is unsafe or too long."""

    code = "invalid_name"


class ConfigError(UsageError):
    """An unknown setting, or a value outside its range."""

    code = "config"


class AmbiguousReference(UsageError):
    """A prefix or name that fits more than one thing."""

    code = "ambiguous"


class NotSupported(UsageError):
    """A choice this version does not offer yet."""

    code = "not_supported"


class NotFound(PeertermError):
    """No share, peer, transfer or content fits the reference."""

    code = "not_found"
    exit_code = 4


class PeerError(PeertermError):
    """Something went wrong with one peer; others are unaffected."""

    code = "peer"
    exit_code = 4


class ProtocolViolation(PeerError):
    """A peer sent something the protocol does not allow."""

    code = "protocol"


class AuthFailed(PeerError):
    """A peer could not prove that it belongs to this network, or is not the one dialled."""

    code = "auth"


class WrongPeer(AuthFailed):
    """Another device than the one dialled answered."""

    code = "wrong_peer"


class DialledSelf(AuthFailed):
    """This very engine answered a dial."""

    code = "dialled_self"


class PeerUnavailable(PeerError):
    """A peer is not online, or left before it answered."""

    code = "peer_unavailable"


class PeerRefused(PeerError):
    """A peer answered, and said no."""

    code = "peer_refused"


class IntegrityError(PeertermError):
    """Bytes do not match the hash they were asked for by."""

    code = "integrity"
    exit_code = 5


class StorageError(PeertermError):
    """This machine's disk or database cannot do what was asked."""

    code = "storage"
    exit_code = 6


class DiskFull(StorageError):
    """No space, or no inodes, left where a file must go."""

    code = "disk_full"


class SourceChanged(StorageError):
    """A shared file is no longer what was indexed."""

    code = "source_changed"


class SchemaTooNew(StorageError):
    """The profile was written by a newer peerterm."""

    code = "schema_too_new"


class ControlError(PeertermError):
    """The engine cannot be reached."""

    code = "control"
    exit_code = 3


class EngineNotRunning(ControlError):
    """No engine runs on this profile, and none was to be started."""

    code = "engine_not_running"


class VersionMismatch(ControlError):
    """The engine that runs is of another version."""

    code = "version_mismatch"


class EngineBusy(PeertermError):
    """Another engine already runs on this profile, or too much was asked at once."""

    code = "engine_busy"


class PortTaken(PeertermError):
    """The port asked for is used by another program."""

    code = "port_taken"


class Interrupted(PeertermError):
    """The user stopped it."""

    code = "interrupted"
    exit_code = 130


def by_code() -> dict[str, type[PeertermError]]:
    """Return every error class by its code, for rebuilding an error that crossed a process boundary."""
    found: dict[str, type[PeertermError]] = {}
    queue: list[type[PeertermError]] = [PeertermError]
    while queue:
        kind = queue.pop()
        found[kind.code] = kind
        queue.extend(kind.__subclasses__())
    return found
