"""Which requests are open on a link, ours and the peer's, and every bound on them. Part of ``wire.session``."""

from __future__ import annotations

from peerterm.core.buckets import TokenBucket
from peerterm.errors import ProtocolViolation
from peerterm.wire.messages import (
    Answer,
    BrowseAnswer,
    BrowseRequest,
    Failure,
    FindAnswer,
    FindRequest,
    InterestAnswer,
    InterestRequest,
    LocateAnswer,
    LocateRequest,
    Request,
    SearchAnswer,
    SearchRequest,
    TalkPullAnswer,
    TalkPullRequest,
)

MAX_ASKED = 64
MAX_ASKED_OF_US = 256
MAX_FORGOTTEN = 256
MAX_ANSWER_PARTS = 256
MAX_REQUEST_ID = 2**32 - 1
SEARCHES_PER_SECOND = 10.0
SEARCH_BURST = 20

ANSWERS: dict[type[Request], type[Answer]] = {
    SearchRequest: SearchAnswer,
    BrowseRequest: BrowseAnswer,
    FindRequest: FindAnswer,
    LocateRequest: LocateAnswer,
    InterestRequest: InterestAnswer,
    TalkPullRequest: TalkPullAnswer,
}


class OurRequests:
    """What we asked and the peer has not answered yet.

    Invariant: at most ``MAX_ASKED`` open, each answered by at most ``MAX_ANSWER_PARTS`` parts of the type due.
    """

    def __init__(self) -> None:
        self._last_id = 0
        self._open: dict[int, tuple[type[Answer], int]] = {}  # the answer due, and how many parts came
        self._forgotten: dict[int, None] = {}  # in the order of forgetting

    def new_id(self) -> int:
        """Return an id that no request bears which may still be answered."""
        while True:
            self._last_id = self._last_id % MAX_REQUEST_ID + 1
            if self._last_id not in self._open and self._last_id not in self._forgotten:
                return self._last_id

    def ask(self, request: Request) -> None:
        """Wait for the answer to a request. The caller keeps to ``MAX_ASKED`` and to ids from ``new_id``."""
        assert len(self._open) < MAX_ASKED
        assert request.request not in self._open
        self._open[request.request] = (ANSWERS[type(request)], 0)

    def forget(self, request_id: int) -> None:
        """Wait no longer for an answer; should it come late, it is ignored."""
        if self._open.pop(request_id, None) is None:
            return
        self._forgotten[request_id] = None
        if len(self._forgotten) > MAX_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]

    def take(self, answer: Answer) -> bool:
        """Take a part of an answer; return whether anyone waits for it.

        Raises:
            ProtocolViolation: It answers nothing that is open, is of the wrong type, or never ends.
        """
        request_id = answer.request
        if request_id in self._forgotten:
            if answer.done:
                del self._forgotten[request_id]
            return False
        if request_id not in self._open:
            raise ProtocolViolation(f"an answer to request {request_id}, which is not open")
        due, parts = self._open[request_id]
        if not isinstance(answer, (due, Failure)):
            raise ProtocolViolation(f"{type(answer).__name__} where {due.__name__} is due")
        if answer.done:
            del self._open[request_id]
        elif isinstance(answer, Failure) or parts + 1 >= MAX_ANSWER_PARTS:
            raise ProtocolViolation(f"the answer to request {request_id} does not end")
        else:
            self._open[request_id] = (due, parts + 1)
        return True


class TheirRequests:
    """What the peer asked and we have not answered yet.

    Invariant: at most ``MAX_ASKED_OF_US`` open.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._searches = TokenBucket(SEARCHES_PER_SECOND, SEARCH_BURST)

    def __contains__(self, request_id: int) -> bool:
        return request_id in self._open

    def take(self, request: Request, now: float) -> bool:
        """Take a request; return ``False`` if the peer asks too much.

        Raises:
            ProtocolViolation: Its id is that of an open one.
        """
        if request.request in self._open:
            raise ProtocolViolation(f"request {request.request} is open already")
        is_flood = isinstance(request, SearchRequest) and not self._searches.take(now)
        if is_flood or len(self._open) >= MAX_ASKED_OF_US:
            return False
        self._open.add(request.request)
        return True

    def answer(self, answer: Answer) -> None:
        """Note that we send a part of an answer."""
        assert answer.request in self._open
        if answer.done:
            self._open.remove(answer.request)
