"""Repeats a request until it succeeds, with the delays of `backoff`; the one retry policy of the kube source and sink."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from orchestrator.errors import KubeError
from orchestrator.sources.kube.backoff import Failures, delay_s

Result = TypeVar("Result")


class Patience:
    """Counts failures of one kind of request. `progress` starts anew: whoever calls knows what counts as success."""

    def __init__(self) -> None:
        self._failures = Failures()

    def progress(self) -> None:
        self._failures = Failures()

    def failed(self, error: KubeError) -> float:
        """Count a failure and return how many seconds to wait."""
        self._failures = self._failures.another(error.status)
        return delay_s(error, self._failures, random.random())  # noqa: S311 - jitter is no secret

    async def persist(self, request: Callable[[], Awaitable[Result]], failed: Callable[[KubeError], None]) -> Result:
        """Return what `request` returns once it raises no KubeError any more; `failed` hears of each one."""

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return self.failed(error) if isinstance(error, KubeError) else 0.0

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, KubeError):
                failed(error)

        async def attempt() -> Result:  # tenacity awaits what is surely a coroutine function only
            return await request()

        retrying = AsyncRetrying(wait=wait, retry=retry_if_exception_type(KubeError), before_sleep=tell)
        return await retrying(attempt)
