"""The program's start: ``python -m peerterm`` and the ``peerterm`` script. Loads only what is asked for."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # answered without loading the command line
        from peerterm import __version__  # noqa: PLC0415

        sys.stdout.write(f"peerterm {__version__}\n")
        return 0
    from peerterm.cli.app import main as run  # noqa: PLC0415

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
