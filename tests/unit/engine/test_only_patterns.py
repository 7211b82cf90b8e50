"""Patterns that choose files of a folder: bad ones are refused, and what they leave out is bounded too."""

from __future__ import annotations

import pytest

from peerterm.core.ids import Root
from peerterm.engine import plan as module
from peerterm.engine.plan import Plan, chosen_by
from peerterm.errors import IntegrityError, UsageError
from tests.fakes.fake_peer import child

TOP, FILE, SUB = (Root(bytes([number]) * 32) for number in range(1, 4))


@pytest.mark.parametrize("pattern", ["!", "\\", "a\\"])
def test_bad_pattern_is_the_users_mistake(pattern: str) -> None:
    """It is named, whoever finds it: the door, or the plan of a transfer that was kept."""
    with pytest.raises(UsageError, match="no pattern") as refused:
        chosen_by(["*.mkv", pattern])
    with pytest.raises(UsageError, match="no pattern"):
        Plan([pattern])

    assert repr(pattern) in refused.value.message


def test_patterns_choose_and_none_choose_all() -> None:
    """As in a ``.gitignore`` file, but what fits is taken."""
    spec = chosen_by(["*.mkv", "!b.mkv"])

    assert spec
    assert [spec.match_file(name) for name in ("a.mkv", "b.mkv", "c")] == [True, False, False]
    assert chosen_by([]) is None


def test_files_left_out_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal sub-folders full of files that nobody wants would keep the engine busy for hours."""
    monkeypatch.setattr(module, "MAX_FILES", 10)
    plan = Plan(["*.mkv"])
    plan.add_folder(TOP)
    plan.unfold(TOP, [child(f"{number}", SUB, kind="folder") for number in range(4)])
    sub = [child("a.mkv", FILE, 1), child("b", FILE, 1), child("c", FILE, 1)]

    with pytest.raises(IntegrityError, match="more than 10 files"):
        plan.unfold(SUB, sub)
