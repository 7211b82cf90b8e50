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

from peerterm.display import clean
from peerterm.errors import InvalidPath, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from rich.console import Console

    from peerterm.control.client import RemoteEngine
    from peerterm.errors import PeertermError
    from peerterm.paths import Paths

PIPE_COLUMNS = 4096
"""Width of a table that no terminal shows: wide enough that nothing is cut."""

MAX_SIZE = 2**62
_UNITS = {"": 1, "b": 1} | {
    prefix + end: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
Item = TypeVar("Item")


@Parameter(name="*", group="Common options", negative=())
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of every verb; they may stand before the verb, too."""

    profile: Annotated[Path | None, Parameter(help="Folder of the profile; PEERTERM_HOME says the same.")] = None
    json: Annotated[bool, Parameter(help="Print one JSON value on stdout.", show_default=False)] = False
    quiet: Annotated[
        bool, Parameter(name=["--quiet", "-q"], help="No progress and no talk, only errors.", show_default=False)
    ] = False
    no_start: Annotated[bool, Parameter(help="Fail with exit code 3 if no engine runs.", show_default=False)] = (
        False
    )

    def paths(self) -> Paths:
        """Return the profile's paths; makes its folder."""
        from peerterm.paths import Paths

        return Paths.resolve(str(self.profile) if self.profile else None, os.environ)

    def talk(self, text: str) -> None:
        """Say something on stderr, on one line."""
        if not self.quiet:
            sys.stderr.write(f"{clean(text)}\n")
            sys.stderr.flush()

    def emit(self, value: object, lines: Iterable[str] | Table) -> None:
        """Print what a verb found: as JSON when asked to, else for people."""
        if self.json:
            print_json(value)
        elif isinstance(lines, Table):
            lines.print()
        else:
            for line in lines:
                sys.stdout.write(f"{clean(line)}\n")

    @asynccontextmanager
    async def engine(self, *, start: bool = True, extra_args: Sequence[str] = ()) -> AsyncIterator[RemoteEngine]:
        """Attach to the profile's engine, which is started if need be and allowed."""
        from peerterm.control.launch import attach

        remote = await attach(
            self.paths(),
            start=start and not self.no_start,
            extra_args=extra_args,
            on_start=lambda: self.talk("starting the engine in the background (to end it: peerterm stop)"),
        )
        async with remote:
            yield remote


COMMON = Common()
"""No common option given."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for people. Cells may hold anything; columns whose name ends in ``>`` are right-aligned."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = ""

    def print(self) -> None:
        """Print the rows on stdout, or on stderr what it means that there are none."""
        if not self.rows:
            sys.stderr.write(f"{self.empty}\n" if self.empty else "")
            return
        from rich.table import Table as RichTable

        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in self.columns:
            justify = "right" if name.endswith(">") else "left"
            table.add_column(name.rstrip(">"), justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
        for row in self.rows:
            table.add_row(*(clean(str(cell)) for cell in row))
        console().print(table)


def console(*, stderr: bool = False) -> Console:
    """Return a console that reads nothing in its text as markup, and cuts nothing in a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_COLUMNS
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


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


@asynccontextmanager
async def stream(items: AsyncIterator[Item]) -> AsyncIterator[AsyncIterator[Item]]:
    """Use a stream of the engine and close it, which ends it on the engine's side."""
    try:
        yield items
    finally:
        await cast("AsyncGenerator[Item, None]", items).aclose()


def absolute(path: str | Path) -> str:
    """Return a path as the engine, which has another current folder, must be told it."""
    if not str(path) or "\0" in str(path):
        raise InvalidPath("an empty path names nothing")
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - Path.absolute keeps ".."


def parse_size(text: str | None) -> int | None:
    """Read an amount of bytes, such as ``700``, ``10M`` (1000 based) or ``4GiB``.

    Raises:
        UsageError: It is none.
    """
    if text is None:
        return None
    number = text.strip().lower().rstrip("kmgtib ")
    unit = text.strip().lower()[len(number) :].strip()
    try:
        size = int(float(number) * _UNITS[unit])
    except (ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{text!r:.100} is no size", "write it like 700, 10M or 4GiB") from error
    if not 0 <= size <= MAX_SIZE:
        raise UsageError(f"{text!r:.100} is out of range")
    return size
