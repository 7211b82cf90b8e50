"""Open requests: what was asked is answered once, in bounds."""

from __future__ import annotations

import pytest

from peerterm.errors import ProtocolViolation
from peerterm.wire import requests as r
from peerterm.wire.messages import (
    KINDS,
    Answer,
    BrowseRequest,
    Failure,
    FindAnswer,
    FindRequest,
    Request,
    SearchAnswer,
    SearchRequest,
)
from peerterm.wire.requests import OurRequests, TheirRequests


def find(request_id: int) -> FindRequest:
    return FindRequest(request=request_id, by="root", prefix="01234567")


def asked(*request_ids: int) -> OurRequests:
    requests = OurRequests()
    for request_id in request_ids:
        requests.ask(find(request_id))
    return requests


def test_every_request_has_its_answer() -> None:
    """No kind of request lacks the class its answer must have."""
    assert set(r.ANSWERS) == {kind for kind in KINDS.values() if issubclass(kind, Request)}
    assert set(r.ANSWERS.values()) == {kind for kind in KINDS.values() if issubclass(kind, Answer)} - {Failure}


def test_answer_in_parts_ends_the_request_with_the_last() -> None:
    """Parts are taken until one is done; a further one answers nothing."""
    requests = asked(1)

    assert requests.take(FindAnswer(request=1, hits=[], done=False))
    assert requests.take(FindAnswer(request=1, hits=[]))
    with pytest.raises(ProtocolViolation, match="not open"):
        requests.take(FindAnswer(request=1, hits=[]))


def test_failure_answers_anything() -> None:
    """A failure is taken in place of the answer that is due."""
    assert asked(1).take(Failure(request=1, code="not_found"))


@pytest.mark.parametrize(
    "answer",
    [
        FindAnswer(request=2, hits=[]),
        SearchAnswer(request=1, hits=[]),
        Failure(request=1, code="x", done=False),
    ],
    ids=["never-asked", "wrong-type", "endless-failure"],
)
def test_answer_that_does_not_fit_is_a_violation(answer: Answer) -> None:
    """An answer must match an open request and its type."""
    with pytest.raises(ProtocolViolation):
        asked(1).take(answer)


def test_answer_without_end_is_a_violation() -> None:
    """The number of parts is bounded."""
    requests = asked(1)
    part = FindAnswer(request=1, hits=[], done=False)
    taken = [requests.take(part) for _ in range(r.MAX_ANSWER_PARTS - 1)]

    assert all(taken)
    with pytest.raises(ProtocolViolation, match="does not end"):
        requests.take(part)


def test_late_answer_to_a_forgotten_request_is_ignored() -> None:
    """All parts of a late answer are let pass; what comes after the last is a violation."""
    requests = asked(1)
    requests.forget(1)

    assert not requests.take(FindAnswer(request=1, hits=[], done=False))
    assert not requests.take(FindAnswer(request=1, hits=[]))
    with pytest.raises(ProtocolViolation):
        requests.take(FindAnswer(request=1, hits=[]))


def test_forgetting_an_answered_request_does_nothing() -> None:
    """Only what is open can be forgotten."""
    requests = OurRequests()
    requests.forget(1)

    with pytest.raises(ProtocolViolation):
        requests.take(FindAnswer(request=1, hits=[]))


def test_forgotten_requests_are_bounded() -> None:
    """The oldest of too many forgotten requests is no longer known."""
    requests = OurRequests()
    for request_id in range(1, r.MAX_FORGOTTEN + 2):
        requests.ask(find(request_id))
        requests.forget(request_id)

    assert not requests.take(FindAnswer(request=2, hits=[]))
    with pytest.raises(ProtocolViolation):
        requests.take(FindAnswer(request=1, hits=[]))


def test_new_id_avoids_open_and_forgotten_ones() -> None:
    """After the last id comes the first again, but none that may still be answered."""
    requests = OurRequests()
    requests._last_id = r.MAX_REQUEST_ID - 1
    requests.ask(find(1))
    requests.ask(find(2))
    requests.forget(2)

    assert [requests.new_id(), requests.new_id()] == [r.MAX_REQUEST_ID, 3]


def test_more_requests_than_allowed_are_our_bug() -> None:
    """Who asks must keep to the bound."""
    requests = asked(*range(1, r.MAX_ASKED + 1))

    with pytest.raises(AssertionError):
        requests.ask(find(1000))


def test_too_many_open_requests_are_turned_down() -> None:
    """Over the bound a request is refused, until one of the others is answered."""
    requests = TheirRequests()
    taken = [requests.take(find(request_id), now=0) for request_id in range(1, r.MAX_ASKED_OF_US + 1)]

    assert all(taken)
    assert not requests.take(find(999), now=0)
    requests.answer(FindAnswer(request=1, hits=[]))
    assert requests.take(find(999), now=0)


def test_request_is_open_until_the_last_part() -> None:
    """A part that is not done leaves the request open."""
    requests = TheirRequests()
    requests.take(find(5), now=0)

    requests.answer(FindAnswer(request=5, hits=[], done=False))
    assert 5 in requests
    requests.answer(FindAnswer(request=5, hits=[]))
    assert 5 not in requests


def test_id_of_an_open_request_cannot_be_used_again() -> None:
    """Two open requests of one id are a violation."""
    requests = TheirRequests()
    requests.take(find(5), now=0)

    with pytest.raises(ProtocolViolation, match="5"):
        requests.take(find(5), now=0)


def test_searches_are_fewer_than_other_requests() -> None:
    """A burst of searches is let in, then so many a second; other requests are not counted."""
    requests = TheirRequests()

    def search(request_id: int, now: float) -> bool:
        return requests.take(SearchRequest(request=request_id, text="x"), now)

    burst = [search(request_id, now=100) for request_id in range(1, r.SEARCH_BURST + 4)]

    assert burst == [True] * r.SEARCH_BURST + [False] * 3
    assert requests.take(BrowseRequest(request=99), now=100)
    assert [search(n, now=100 + 1.5 / r.SEARCHES_PER_SECOND) for n in (100, 101)] == [True, False]
