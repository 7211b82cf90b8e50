"""One log: the next line is taken, a known one recognised, two in one place are a fork."""

from __future__ import annotations

from dataclasses import replace

from peerterm.core.line_log import LineLog, Verdict
from peerterm.core.lines import NO_HASH
from tests.fakes.logs import made_line, made_log


def filled(count: int) -> LineLog:
    log = LineLog()
    for line in made_log(count):
        assert log.judge(line) is Verdict.NEXT
        log.append(line.hash)
    return log


def test_lines_follow_each_other() -> None:
    """Each is the next one once the one before it is held; held ones are known, others later."""
    lines = made_log(5)
    log = filled(3)

    assert (log.first, log.seq, log.last_hash) == (1, 3, lines[2].hash)
    assert [log.judge(line) for line in lines] == [Verdict.KNOWN] * 3 + [Verdict.NEXT, Verdict.LATER]
    assert LineLog().last_hash == NO_HASH


def test_other_line_in_a_place_is_a_fork() -> None:
    """Whether the place is taken, or the line does not follow the one held."""
    log = filled(3)

    assert log.judge(made_line(1, 2, made_log(1)[0].hash, text="other")) is Verdict.FORK
    assert log.judge(made_line(1, 4, b"\1" * 32)) is Verdict.FORK
    assert LineLog().judge(made_line(1, 1, b"\1" * 32)) is Verdict.FORK


def test_other_signature_makes_no_other_line() -> None:
    """What was signed counts."""
    assert filled(1).judge(replace(made_line(), signature=b"")) is Verdict.KNOWN


def test_log_may_begin_anywhere() -> None:
    """What the first line held follows is not known, so anything is right; what comes before it is not wanted."""
    lines = made_log(9)
    log = LineLog(7)

    assert (log.seq, log.judge(lines[6]), log.judge(lines[5])) == (6, Verdict.NEXT, Verdict.KNOWN)

    log.append(lines[6].hash)

    assert (log.judge(lines[7]), log.judge(lines[8])) == (Verdict.NEXT, Verdict.LATER)
    assert log.judge(made_line(1, 8, b"\1" * 32)) is Verdict.FORK


def test_forgotten_lines_are_known() -> None:
    """What was held once is not taken again."""
    log = filled(3)
    log.forget_first()

    assert (log.first, log.seq) == (2, 3)
    assert [log.judge(line) for line in made_log(3)] == [Verdict.KNOWN] * 3


def test_forked_log_goes_on_with_what_came_first() -> None:
    """What others branch off it is known by then."""
    log = filled(2)
    log.is_forked = True

    assert log.judge(made_log(3)[2]) is Verdict.NEXT
    assert log.judge(made_line(1, 3, b"\1" * 32)) is Verdict.KNOWN
    assert log.judge(made_line(1, 1, text="other")) is Verdict.KNOWN
