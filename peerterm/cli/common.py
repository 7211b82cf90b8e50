"""What every verb shares: the common options, reaching the engine, and the rule for stdout and stderr.

stdout is data, stderr is talk. Every text a person reads passes ``display.clean`` here.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from cyclopts import Parameter

from peerterm.cli.table import Table
from peerterm.display import clean
from peerterm.errors import ControlError, InvalidPath, PeertermError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from cyclopts import Token

    from peerterm.control.client import RemoteEngine
    from peerterm.paths import Paths

MAX_SECONDS = 10**6
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@Parameter(name="*", group="Common options", negative=())
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of every verb; they may stand before the verb, too."""

    profile: Annotated[Path | None, Parameter(help="Folder of the profile; PEERTERM_HOME says the same.")] = None
    json: Annotated[bool, Parameter(help="Print one JSON value on stdout.")] = False
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], help="No progress and no talk, only errors.")] = False
    no_start: Annotated[bool, Parameter(help="Fail with exit code 3 if no engine runs.")] = False

    def paths(self) -> Paths:
        """Return the profile's paths; makes its folder."""
        from peerterm.paths import Paths

        return Paths.resolve(str(self.profile) if self.profile else None, os.environ)

    def talk(self, text: str) -> None:
        """Say something on stderr, on one line."""
        if not self.quiet:
            sys.stderr.write(f"{clean(text)}\n")
            sys.stderr.flush()

    def emit(self, value: object, lines: Iterable[str] | Table, *, exact: bool = False) -> None:
        """Print what a verb found: as JSON when asked to, else for people.

        ``exact`` lines name files of this machine: a script gets all of their characters, a terminal the safe ones.
        """
        if self.json:
            print_json(value)
        elif isinstance(lines, Table):
            lines.print()
        else:
            is_exact = exact and not sys.stdout.isatty()
            for line in lines:
                sys.stdout.write(f"{line if is_exact else clean(line)}\n")

    @asynccontextmanager
    async def engine(
        self,
        *,
        start: bool = True,
        stays: bool = True,
        extra_args: Sequence[str] = (),
        seconds: float | None = None,
    ) -> AsyncIterator[RemoteEngine]:
        """Attach to the profile's engine, which is started if need be and allowed, and given ``seconds``.

        One that is started ends with its last client if it does not stay and is idle.
        """
        from peerterm.control.launch import START_SECONDS, attach

        remote = await attach(
            self.paths(),
            start=start and not self.no_start,
            stays=stays,
            extra_args=extra_args,
            seconds=START_SECONDS if seconds is None else seconds,
            on_start=lambda: self.talk("starting the engine in the background (to end it: peerterm stop)"),
        )
        async with remote:
            yield remote


COMMON = Common()
"""No common option given."""


def print_json(value: object) -> None:
    """Print a view, or a list of views, as one line of ASCII JSON."""
    from peerterm.control.messages import to_plain

    sys.stdout.write(json.dumps(to_plain(value)) + "\n")


def report(error: PeertermError, *, as_json: bool) -> None:
    """Say on stderr what failed and what to do next."""
    if as_json:
        found = {"code": error.code, "message": error.message, "hint": error.hint}
        sys.stderr.write(json.dumps({"error": found}) + "\n")
        return
    sys.stderr.write(f"peerterm: {clean(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"  {clean(error.hint)}\n")


def report_all(errors: Sequence[PeertermError], *, as_json: bool) -> int:
    """Report what failed of several things; returns the exit code, that of the first."""
    for error in errors:
        report(error, as_json=as_json)
    return errors[0].exit_code if errors else 0


async def each(
    things: Iterable[Item], ask: Callable[[Item], Awaitable[Answer]]
) -> tuple[list[Answer], list[PeertermError]]:
    """Ask the engine for several things, one by one; one that is refused does not keep the others."""
    answers: list[Answer] = []
    refused: list[PeertermError] = []
    for thing in things:
        try:
            answers.append(await ask(thing))
        except ControlError:
            raise
        except PeertermError as error:
            refused.append(error)
    return answers, refused


@asynccontextmanager
async def stream(items: AsyncIterator[Item]) -> AsyncIterator[AsyncIterator[Item]]:
    """Use a stream of the engine and close it, which ends it on the engine's side."""
    try:
        yield items
    finally:
        await cast("AsyncGenerator[Item, None]", items).aclose()


def between(least: int, most: int) -> Callable[[object, float | None], None]:
    """Return a validator of an option: a number in a range, or none given."""

    def check(_: object, value: float | None) -> None:
        if value is not None and not least <= value <= most:  # what is not a number is not between any
            raise ValueError(f"It must be from {least} to {most}.")

    return check


SECONDS = Parameter(validator=between(0, MAX_SECONDS))
"""An option that is a time to wait."""


def _not_empty(_: object, tokens: Sequence[Token]) -> Path:
    """Read a path; an empty one would be the current folder."""
    if not tokens[0].value:
        raise InvalidPath("an empty path names nothing", "for the current folder, write .")
    return Path(tokens[0].value)


AnyPath = Annotated[Path, Parameter(converter=_not_empty)]


def absolute(path: str | Path) -> str:
    """Return a path as the engine, which has another current folder, must be told it."""
    if not str(path) or "\0" in str(path):
        raise InvalidPath("an empty path names nothing")
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - Path.absolute keeps ".."


def parse_size(text: str | None) -> int | None:
    """Read an amount of bytes, such as ``700``, ``10M`` (1000 based) or ``4GiB``; ``None`` was not given.

    Raises:
        UsageError: It is none.
    """
    from peerterm.config_values import amount

    return _read(amount, text)


def parse_rate(text: str | None) -> int | None:
    """Read bytes a second, as ``parse_size``, with or without ``/s``; ``none`` is 0, which is no limit.

    Raises:
        UsageError: It is none.
    """
    from peerterm.config_values import rate

    return _read(rate, text)


def _read(read: Callable[[object], int], text: str | None) -> int | None:
    from peerterm.config_values import BadValue

    try:
        return None if text is None else read(text)
    except BadValue as error:
        raise UsageError(f"{text!r:.100} {error}") from error
