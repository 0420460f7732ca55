"""tenacity's policies, for flows: they wait by yielding."""

from __future__ import annotations

import tenacity

from pyrqlite.flow.steps import Flow, OutOfTime, Sleep


class Retries:
    """The attempts that a policy allows:

    retries = Retries(policy)
    while (yield from retries.next()):
        try: ...
        except SomeError as error: retries.failed(error)
    """

    def __init__(self, policy: tenacity.Retrying) -> None:
        self._policy = policy.copy(reraise=True, retry_error_callback=None)
        self._policy.begin()
        self._state = tenacity.RetryCallState(self._policy, None, (), {})
        self._error: Exception | None = None

    def failed(self, error: Exception) -> None:
        """Note how an attempt ended."""
        self._error = error
        self._state.set_exception((type(error), error, error.__traceback__))

    def next(self) -> Flow[bool]:
        """True when it is time for an attempt; raises the last error where there is to be none."""
        while True:
            do = self._policy.iter(retry_state=self._state)
            if not isinstance(do, tenacity.DoSleep):
                return True
            self._state.prepare_for_next_attempt()
            try:
                yield Sleep(do)
            except OutOfTime as over:
                raise self._error or over from None
