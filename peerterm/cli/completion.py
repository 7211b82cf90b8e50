"""``--install-completion``: what the shell offers when Tab is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, Common
from peerterm.errors import StorageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def register(app: App) -> None:
    """Add the command."""

    def install_completion(
        *,
        shell: Annotated[
            Literal["bash", "zsh", "fish"] | None, Parameter(help="For which shell; this one, if not given.")
        ] = None,
        common: Common = COMMON,
    ) -> None:
        """Install completion for this shell."""
        file = _install(app, shell)
        common.emit({"path": str(file)}, [str(file)])
        common.talk("completion works in the next shell that is started")

    app.command(
        install_completion,
        name="--install-completion",
        help_epilogue="Examples:\n  peerterm --install-completion\n  peerterm --install-completion --shell zsh",
    )


def _install(app: App, shell: Literal["bash", "zsh", "fish"] | None) -> Path:
    """Write the shell's script, and the line that loads it into the shell's start file."""
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        chosen = shell or detect_shell()
        file = app.install_completion(shell=chosen, add_to_startup=True)
        if chosen == "bash":
            file.write_text(_with_bash_files(file.read_text()))
    except ShellDetectionError as error:
        raise UsageError(
            "the shell cannot be told", "name it: peerterm --install-completion --shell bash"
        ) from error
    except OSError as error:
        raise StorageError(f"completion cannot be installed: {error}") from error
    return file


def _with_bash_files(script: str) -> str:
    """Leave file names to bash itself, which knows of blanks, ``~`` and folders; ``compgen -f`` does not."""
    script = script.replace('COMPREPLY=( $(compgen -f -- "${cur}") )', "COMPREPLY=()")
    return script.replace("complete -F", "complete -o bashdefault -o default -F")
