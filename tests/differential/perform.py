"""Perform a case on a server that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rqlite_embedded import EmbeddedServer
from tests.differential.answers import Answer, Normalizer
from tests.differential.model import Case, Step
from tests.differential.profiles import PROFILES
from tests.plain_http import PlainClient, Response
from tests.rqlited import running_node, wait_until
from tests.servers import Server, empty_database


class SetupFailed(Exception):
    """The ground for a case could not be prepared."""


@dataclass
class Target:
    """A server under test.

    Args:
        authorization: who may load a database, if not everybody.
    """

    url: str
    authorization: str = ""

    @cached_property
    def _client(self) -> PlainClient:
        return PlainClient(self.url)

    @cached_property
    def _normalizer(self) -> Normalizer:
        return Normalizer(self.url)

    def close(self) -> None:
        self._client.close()

    def perform(self, case: Case) -> list[Answer]:
        """Empty the database, send the steps, and give the answers that count.

        Raises:
            SetupFailed: a step that prepares was not answered as it must be.
        """
        self.empty()
        answers = []
        last = None
        for step in case.steps:
            if step.load_answer and last is not None:
                step = step.but(body=last.body)
            last = self._send(step)
            if step.setup:
                expect_success(step, last)
            else:
                answers.append(self._normalizer.answer(step, last))
        return answers

    def empty(self) -> None:
        """Load an empty database: nothing of earlier cases stays, not even in connections."""
        step = Step("POST", "/db/load", empty_database(), setup=True)
        expect_success(step, self._send(step))

    def _send(self, step: Step) -> Response:
        headers = dict(step.headers)
        if step.setup and self.authorization:
            headers["Authorization"] = self.authorization
        if not step.until:
            return self._client.send(step.method, step.target, step.body, headers)

        def found() -> Response | None:
            response = self._client.send(step.method, step.target, step.body, headers)
            return response if step.until.encode() in response.body else None

        return wait_until(found, what=f"{step.until!r} in the answer to {step.target}", seconds=5)


def expect_success(step: Step, response: Response) -> None:
    shown = f"{step.method} {step.target}: {response.status} {response.body[:500]!r}"
    if response.status != 200:
        raise SetupFailed(shown)
    document = json.loads(response.body)
    if "error" in document or any("error" in result for result in document["results"]):
        raise SetupFailed(shown)


class Targets:
    """Servers by profile, each started when first asked for.

    Args:
        binary: the rqlited to start; embedded servers if None.
    """

    def __init__(self, directory: Path, binary: Path | None = None) -> None:
        self._directory = directory
        self._binary = binary
        self._running: dict[str, Target] = {}
        self._stack = ExitStack()

    def __getitem__(self, profile: str) -> Target:
        if profile not in self._running:
            self._running[profile] = self._start(profile)
        return self._running[profile]

    def close(self) -> None:
        self._stack.close()

    def _start(self, name: str) -> Target:
        url = self._stack.enter_context(self._server(name)).url
        admin = PROFILES[name].node_options().admin
        target = Target(url, admin.authorization if admin else "")
        self._stack.callback(target.close)
        return target

    def _server(self, name: str) -> AbstractContextManager[Server]:
        profile = PROFILES[name]
        directory = self._directory / name
        if self._binary is not None:
            return running_node(self._binary, directory, profile.node_options())
        return EmbeddedServer(None, profile.embedded_options(directory))


@contextmanager
def running_targets(directory: Path, binary: Path | None = None) -> Iterator[Targets]:
    """Servers by profile (see `Targets`); they are stopped at the end."""
    targets = Targets(directory, binary)
    try:
        yield targets
    finally:
        targets.close()
