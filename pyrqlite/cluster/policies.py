"""How often to try again, and with what pauses: tenacity's policies, for each reason to do so."""

from __future__ import annotations

import tenacity

from pyrqlite.errors import (
    InterfaceError,
    NoLeaderError,
    OutcomeUnknownError,
    SerializationError,
)


def until_there_is_a_leader() -> tenacity.Retrying:
    """For 10 seconds; elections take up to 3, and their end is noticed within half of one."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=0.5),
        retry=tenacity.retry_if_exception_type(NoLeaderError),
    )


def until_the_outcome_is_known() -> tenacity.Retrying:
    """For a minute, and five times at the least, since one attempt may take as long."""
    return tenacity.Retrying(
        stop=tenacity.stop_all(tenacity.stop_after_attempt(5), tenacity.stop_after_delay(60)),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=1),
        retry=tenacity.retry_if_exception_type(OutcomeUnknownError),
    )


def until_nobody_interferes() -> tenacity.Retrying:
    """Up to 20 attempts, with random pauses that grow to a second."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(20),
        wait=tenacity.wait_random_exponential(multiplier=0.005, max=1),
        retry=tenacity.retry_if_exception_type(SerializationError),
        reraise=True,
    )


def check_policy(name: str, policy: object) -> None:
    """Raise InterfaceError for what is no policy that the driver can follow."""
    if policy is None or isinstance(policy, tenacity.Retrying):
        return
    if isinstance(policy, tenacity.AsyncRetrying):
        raise InterfaceError(
            f"{name} is a tenacity.AsyncRetrying: give a tenacity.Retrying, asyncio waits by it too"
        )
    raise InterfaceError(f"{name}={policy!r} is no policy: give an object of tenacity.Retrying")
