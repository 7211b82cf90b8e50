"""The pictures of the documents: the same whenever they are drawn, and whole by themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fakes.pictures import PICTURES, draw, main

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
ELSEWHERE = re.compile(r"@font-face|@import|href|<!--|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)")


async def test_picture_is_the_same_at_every_run() -> None:
    """Nothing on it depends on the clock, the machine or chance."""
    first, second = await draw("transfers"), await draw("transfers")

    assert first == second
    assert "Lighthouse" in first


def test_every_picture_is_drawn(tmp_path: Path) -> None:
    """Each refers to nothing but itself: whoever shows it asks nobody for fonts."""
    main(tmp_path)
    found = {path.stem: path.read_text() for path in tmp_path.iterdir()}

    assert found.keys() == PICTURES.keys()
    assert [name for name, text in found.items() if ELSEWHERE.search(text)] == []


@pytest.mark.parametrize("name", PICTURES)
def test_documents_have_the_picture(name: str) -> None:
    """As ``nox -s screenshots`` wrote it."""
    text = (FOLDER / f"{name}.svg").read_text()

    assert text.startswith("<svg")
    assert not ELSEWHERE.search(text)
