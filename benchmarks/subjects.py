"""The table of subjects: what is measured."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import clients
from benchmarks.clients import Client

ROOT = Path(__file__).resolve().parents[1]


class Kind(enum.Enum):
    """What a subject is to the comparison."""

    BARE = "bare"
    PEER = "peer"
    DRIVER = "driver"


@dataclass(frozen=True)
class Subject:
    """A client in a process and a virtual environment of its own.

    `distribution`: whose version is reported. `install`: arguments of pip. `in_process`: it brings its own
    server, and its target is a `file:`. `fewer`: operations by case, where the usual number takes too long.
    """

    name: str
    kind: Kind
    connect: Callable[[str], Client]
    distribution: str = ""
    install: tuple[str, ...] = ()
    in_process: bool = False
    fewer: Mapping[str, int] = field(default_factory=dict)


def _peer(name: str, requirement: str, connect: Callable[[str], Client], **fewer: int) -> Subject:
    distribution = requirement.partition("==")[0]
    return Subject(name, Kind.PEER, connect, distribution, (requirement,), fewer=fewer)


def _driver(name: str, extras: str, transport: str, in_process: bool = False) -> Subject:
    connect = partial(clients.driver, transport=transport)
    install = ("--editable", f"{ROOT}{extras}")
    return Subject(name, Kind.DRIVER, connect, "pyrqlite", install, in_process)


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("http.client", Kind.BARE, clients.BareHTTP),
        _peer("pyrqlite-2", "pyrqlite==2.2.3", clients.pyrqlite_2),
        _peer("rqdb", "rqdb", clients.rqdb),
        _peer("tangled-pyrqlite", "tangled-pyrqlite", clients.tangled, bulk_insert=200),
        _driver("urllib3", "", "urllib3"),
        _driver("fast", "[fast]", "auto"),
        _driver("curl", "[fast]", "curl"),
        _driver("requests", "", "requests"),
        _driver("in-process", "[embedded,fast]", "auto", in_process=True),
    )
}
