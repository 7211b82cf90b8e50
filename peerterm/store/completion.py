"""Work that must not be left half done when whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_stop: ContextVar[threading.Event | None] = ContextVar("_stop", default=None)


async def to_its_end(
    work: Coroutine[Any, Any, _Result], on_cancelled: Callable[[], None] = lambda: None
) -> _Result:
    """Await work to its end even if the caller is cancelled meanwhile; only then pass the cancellation on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancelled()
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


async def until_stopped(
    work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **options: _Arguments.kwargs
) -> _Result:
    """Run blocking work in a thread, as long as it may take; await its end whatever happens.

    Cancel: the work ends at its next ``check_stopped``, and what it did until then stays done.
    """
    stop = threading.Event()

    def run() -> _Result:
        _stop.set(stop)  # in this call only: a thread works in a context of its own
        return work(*arguments, **options)

    return await to_its_end(asyncio.to_thread(run), stop.set)


def check_stopped() -> None:
    """End the work of ``until_stopped`` here if nobody waits for it any more; elsewhere do nothing.

    Raises:
        CancelledError: Let it pass.
    """
    if (stop := _stop.get()) and stop.is_set():
        raise asyncio.CancelledError
