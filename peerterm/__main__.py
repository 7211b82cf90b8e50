"""The program's start: ``python -m peerterm`` and the ``peerterm`` script. Loads only what is asked for."""

from __future__ import annotations

import os
import sys

from peerterm.tui.terminal import has_screen


def main() -> int:
    """Run the command line; return its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # answered without loading the command line
        from peerterm import __version__  # noqa: PLC0415

        sys.stdout.write(f"peerterm {__version__}\n")
        return 0
    if not arguments and has_screen():
        return _show()
    from peerterm.cli.app import main as run  # noqa: PLC0415

    return run(arguments)


def _show() -> int:
    """Run the full-screen program; loading the command line would only delay its first frame."""
    from peerterm.errors import PeertermError  # noqa: PLC0415
    from peerterm.paths import Paths  # noqa: PLC0415
    from peerterm.tui import program  # noqa: PLC0415

    try:
        return program.run(Paths.resolve(None, os.environ))
    except PeertermError as error:
        from peerterm.cli.common import report  # noqa: PLC0415

        report(error, as_json=False)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
