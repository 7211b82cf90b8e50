"""The command line: its verbs, its exit codes, and how errors are told."""

from __future__ import annotations

import difflib
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from peerterm import __version__
from peerterm.cli import (
    completion,
    demo,
    verbs_chat,
    verbs_config,
    verbs_content,
    verbs_engine,
    verbs_offers,
    verbs_peers,
    verbs_shares,
    verbs_stream,
    verbs_transfers,
)
from peerterm.cli.common import COMMON, AnyPath, Common, report
from peerterm.errors import Interrupted, PeertermError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWITCHES = {"--json", "--quiet", "-q", "--no-start"}

app = App(
    name="peerterm",
    help="Share, search and fetch files between the machines of one network, with nothing in between.",
    help_format="plaintext",
    help_epilogue="""Start here:
  peerterm share ~/Videos          offer a folder to everyone on this network
  peerterm peers                   who else is here
  peerterm search holiday          what they have
  peerterm get 3fa9c21b            fetch it
  peerterm stream 3fa9c21b         watch or hear it while it comes in
  peerterm chat send anna hello    talk; peerterm chat follow hears it

A REF is a root or its first 8 or more digits, sha256:HEX, or PEER/share/path.
A PEER is a name, an id, or the first digits of one.
Exit codes: 0 ok, 1 failed, 2 usage, 3 no engine, 4 peer unavailable or nothing
found, 5 integrity, 6 storage, 130 interrupted.""",
    version=f"peerterm {__version__}",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=(), show_default=False),
)
for _verbs in (
    verbs_shares,
    verbs_peers,
    verbs_content,
    verbs_stream,
    verbs_transfers,
    verbs_chat,
    verbs_offers,
    verbs_engine,
    verbs_config,
):
    _verbs.register(app)
demo.register(app)
completion.register(app)


@app.default
def start(
    *,
    no_ui: Annotated[bool, Parameter(help="Run the engine here, in the foreground.")] = False,
    until_idle: Annotated[bool, Parameter(help="With --no-ui: end when all is done and nobody looks.")] = False,
    plain: Annotated[bool, Parameter(help="Print an overview instead of the full-screen program.")] = False,
    name: Annotated[str | None, Parameter(help="What peers see this machine as.")] = None,
    port: Annotated[int | None, Parameter(help="TCP and UDP port; 0 chooses one.")] = None,
    interface: Annotated[list[str] | None, Parameter(help="Use this network interface only; repeatable.")] = None,
    peer: Annotated[list[str] | None, Parameter(help="HOST:PORT of a peer to dial; repeatable.")] = None,
    share: Annotated[list[AnyPath] | None, Parameter(help="Share this file or folder; repeatable.")] = None,
    download_dir: Annotated[AnyPath | None, Parameter(help="Folder for downloads.")] = None,
    common: Common = COMMON,
) -> int:
    """Run the full-screen program, or print an overview; starts the engine if none runs."""
    from peerterm.cli import overview
    from peerterm.cli.common import absolute

    flags: dict[str, object] = {
        "node.name": name,
        "node.port": port,
        "node.interfaces": interface or None,
        "node.peers": peer or None,
        "files.share": [absolute(path) for path in share] if share else None,
        "files.download_dir": absolute(download_dir) if download_dir else None,
    }
    given = {setting: value for setting, value in flags.items() if value is not None}
    if no_ui:
        from peerterm.cli import daemon

        return daemon.run(common, given, until_idle=until_idle)
    if until_idle:
        raise UsageError("--until-idle is for an engine in the foreground", "add --no-ui")
    return overview.run(common, given, is_plain=plain)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; only bugs raise."""
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = app(_verb_first(list(arguments)), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(_usage(error), as_json=as_json)
    except PeertermError as error:
        return _fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def _fail(error: PeertermError, *, as_json: bool) -> int:
    report(error, as_json=as_json)
    return error.exit_code


def _verb_first(tokens: list[str]) -> list[str]:
    """Move common options that stand before the verb behind it, where the parser expects them.

    Raises:
        UsageError: There is no such verb.
    """
    count = 0
    while count < len(tokens) and (tokens[count] in _SWITCHES or tokens[count].partition("=")[0] == "--profile"):
        count += 2 if tokens[count] == "--profile" else 1
    options, rest = tokens[:count], tokens[count:]
    if rest and not rest[0].startswith("-") and rest[0] not in app:
        verbs = [name for name in app if not name.startswith("-")]
        near = difflib.get_close_matches(rest[0], verbs, n=1)
        hint = f"did you mean: peerterm {near[0]}" if near else "peerterm --help lists all"
        raise UsageError(f"unknown verb: {rest[0]}", hint)
    if not options or not rest:
        return tokens
    verb = len(app.parse_commands(rest)[0])
    return rest[:verb] + options + rest[verb:]


def _usage(error: CycloptsError) -> UsageError:
    error.verbose = False
    chain = " ".join(error.command_chain or ())
    hint = f"peerterm {chain} --help".replace("  ", " ")
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return UsageError(f"too many arguments: {error.unused_tokens[0]}", hint)
    return UsageError(str(error).strip(), hint)
