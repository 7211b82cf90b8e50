"""Credit that follows the measured rate, and patience that ends."""

from __future__ import annotations

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.window import (
    ASSUMED_RATE,
    MAX_BACKOFF_SECONDS,
    MAX_REQUESTS,
    MAX_WINDOW_BYTES,
    MIN_WINDOW_BYTES,
    SILENCE_SECONDS,
    STALL_SECONDS,
    Patience,
    Window,
)


def window_at(rate: int) -> Window:
    """Return a window whose source has delivered at this many bytes a second."""
    window = Window()
    window.open(rate, 10.0)
    window.close(rate, 11.0)
    window.received(rate, 11.0)
    return window


def test_target_is_one_second_within_its_bounds() -> None:
    """The window holds what a source delivers in a second, 4 to 16 MiB."""
    assert Window().target == MIN_WINDOW_BYTES
    assert window_at(1000).target == MIN_WINDOW_BYTES
    assert window_at(5 * CHUNK_BYTES).target == 5 * CHUNK_BYTES
    assert window_at(900 * CHUNK_BYTES).target == MAX_WINDOW_BYTES


def test_room_ends_before_the_target_is_exceeded() -> None:
    """A piece is asked for only if even a whole chunk fits."""
    window = Window()
    window.open(MIN_WINDOW_BYTES - CHUNK_BYTES, 0.0)

    assert window.has_room()

    window.open(1, 0.0)

    assert not window.has_room()


def test_little_is_in_flight_while_a_player_waits() -> None:
    """A tenth of a second's worth, at least a chunk; an urgent one may join."""
    for window, chunks in ((Window(), 1), (window_at(CHUNK_BYTES), 1), (window_at(35 * CHUNK_BYTES), 3)):
        for _ in range(chunks):
            assert window.has_lead(is_urgent=False)
            window.open(CHUNK_BYTES, 20.0)

        assert not window.has_lead(is_urgent=False)
        assert window.has_lead(is_urgent=True)

        window.open(CHUNK_BYTES, 20.0)

        assert not window.has_lead(is_urgent=True)


def test_low_rate_leaves_room_for_one_piece() -> None:
    """Under a limit a second's worth may be in flight, and always one piece."""
    window = window_at(900 * CHUNK_BYTES)
    window.open(CHUNK_BYTES, 0.0)

    assert window.has_room(2 * CHUNK_BYTES)
    assert not window.has_room(2 * CHUNK_BYTES - 1)

    window.close(CHUNK_BYTES, 0.0)

    assert window.has_room(1)


def test_small_pieces_are_bounded_by_number() -> None:
    """At most 64 requests are open, however small."""
    window = Window()
    for _ in range(MAX_REQUESTS):
        assert window.has_room()
        window.open(1, 0.0)

    assert not window.has_room()


def test_rate_is_smoothed() -> None:
    """A new sample moves the rate towards itself."""
    window = window_at(1000)
    window.open(2000, 11.0)
    window.close(2000, 12.0)
    window.received(2000, 12.0)

    assert window.rate is not None
    assert 1000 < window.rate < 2000


def test_time_without_requests_does_not_count() -> None:
    """A source is not slower because nobody asked it."""
    window = window_at(1000)
    window.open(1000, 500.0)
    window.close(1000, 501.0)
    window.received(1000, 501.0)

    assert window.rate == 1000


def test_bursts_are_measured_together() -> None:
    """Pieces that come within a tenth of a second make one sample."""
    window = Window()
    window.open(3000, 10.0)
    window.received(1000, 10.05)

    assert window.rate is None

    window.received(1000, 10.5)

    assert window.rate == 4000


def test_due_counts_what_is_ahead() -> None:
    """A piece comes after all that is in flight."""
    window = window_at(1000)
    window.open(500, 20.0)

    assert window.due(500, 20.0) == 21.0
    assert Window().due(int(ASSUMED_RATE), 0.0) == 1.0


def test_back_off_doubles_up_to_its_bound() -> None:
    """Each refusal after a back-off doubles it; a delivery starts over."""
    patience = Patience()
    waits = []
    now = 100.0
    for _ in range(6):
        patience.back_off(now)
        waits.append(patience.ready_at - now)
        now = patience.ready_at
    patience.delivered()
    patience.back_off(now)

    assert waits == [1.0, 2.0, 4.0, 8.0, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS]
    assert patience.ready_at - now == 1.0


def test_refusals_during_a_back_off_count_as_one() -> None:
    """A lane that breaks with many requests open is one failure."""
    patience = Patience()
    patience.back_off(100.0)
    patience.back_off(100.5)

    assert patience.ready_at == 101.0


def test_back_off_ends_on_time() -> None:
    """``resume`` clears a back-off that is over, and only then."""
    patience = Patience()
    patience.back_off(100.0)
    patience.resume(100.9)

    assert patience.ready_at == 101.0

    patience.resume(101.0)

    assert patience.ready_at == 0.0


def test_byte_ends_the_silence() -> None:
    """Whatever was heard starts both limits anew, and settles what was owed."""
    patience = Patience()
    patience.is_owing = True
    patience.heard(50.0)

    assert not patience.is_owing
    assert patience.gives_up_at == 50.0 + SILENCE_SECONDS


def test_silence_is_stalling_then_the_end() -> None:
    """The deadline is the stall first and, once stalled, the silence."""
    patience = Patience()
    patience.heard_at = 100.0

    assert patience.deadline == 100.0 + STALL_SECONDS
    assert not patience.has_stalled(patience.deadline - 1)
    assert patience.has_stalled(patience.deadline)

    patience.is_stalled = True

    assert not patience.has_stalled(patience.deadline)
    assert patience.deadline == 100.0 + SILENCE_SECONDS
    assert patience.is_silent(patience.deadline)
    assert not patience.is_silent(patience.deadline - 1)
