"""What the project checks: ``nox`` runs the default sessions, ``nox -s NAME`` one, ``nox -l`` lists all."""

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

GROUPS = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install peerterm, editable, and the named dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(GROUPS, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and the direction of imports."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check every type, strictly."""
    install(session, "types")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run unit and contract tests with branch coverage; core and wire must be covered whole."""
    install(session, "test")
    session.run("pytest", "--numprocesses=auto", "--cov", "--cov-report=", *session.posargs)
    if not session.posargs:
        session.run("coverage", "report", "--include=peerterm/core/*,peerterm/wire/*", "--fail-under=100")
        session.run("coverage", "report", "--omit=peerterm/core/*,peerterm/wire/*", "--fail-under=90")


@nox.session
def property(session: nox.Session) -> None:  # noqa: A001
    """Run the property tests at length."""
    install(session, "test")
    session.run("pytest", "tests/property", "--hypothesis-profile=long", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed every decoder with garbage."""
    install(session, "test")
    session.run("pytest", "tests/fuzz", "--hypothesis-profile=long", "--timeout=900", *session.posargs)


@nox.session
def sim(session: nox.Session) -> None:
    """Run swarms on a virtual clock."""
    install(session, "test")
    session.run("pytest", "tests/sim", *session.posargs)


@nox.session
def netns(session: nox.Session) -> None:
    """Run real engines in network namespaces; needs root, iproute2 and nftables."""
    install(session, "test")
    session.run("pytest", "tests/netns", "-m", "not endurance and not stream", "--timeout=300", *session.posargs)


@nox.session
def endurance(session: nox.Session) -> None:
    """Kill, cut, damage and fill real engines in network namespaces for a quarter of an hour; needs root."""
    install(session, "test")
    session.run("pytest", "tests/netns", "-m", "endurance", "--timeout=300", "-s", *session.posargs)


@nox.session
def stream(session: nox.Session) -> None:
    """Play films over narrow cables in mpv, Chromium, curl and ffprobe; needs root."""
    install(session, "test")
    session.run("pytest", "tests/netns", "-m", "stream", "--timeout=900", "-s", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; prints figures, and fails only far beyond what is wanted."""
    install(session, "test")
    session.run("pytest", "tests/bench", "--timeout=900", "-s", *session.posargs)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Draw the pictures of the documents anew."""
    install(session, "test")
    session.run("python", "-m", "tests.fakes.pictures", "docs/pictures")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and check that it starts on its own."""
    session.install("build")
    session.run("python", "-m", "build", "--outdir", "dist")
    session.install("--force-reinstall", "--no-deps", "--find-links=dist", "--no-index", "peerterm")
    session.install("peerterm")
    session.run("peerterm", "--version")
