"""The kinds of servers that cases are for, and how each is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rqlite_embedded import Options
from tests.rqlited import NodeOptions, User, write_users

PASSWORD = "secret"
ALL_PERMISSIONS = (
    *("all", "execute", "query", "backup", "load", "snapshot", "status", "ready", "remove"),
    *("leader-ops", "ui", "join", "join-read-only", "join-read-replica"),
)
BOTH = ("query", "execute")


@dataclass(frozen=True)
class Profile:
    """What a server is started with; the same for the embedded and the real one."""

    foreign_keys: bool = False
    users: tuple[User, ...] = ()
    allow_origin: str = ""

    def node_options(self) -> NodeOptions:
        extra = ("-http-allow-origin", self.allow_origin) if self.allow_origin else ()
        return NodeOptions(foreign_keys=self.foreign_keys, users=self.users, extra=extra)

    def embedded_options(self, directory: Path) -> Options:
        """The authentication file is written into the directory."""
        return Options(
            # As a real node: its id is its Raft address unless one is given.
            node_id="127.0.0.1:4002",
            raft_addr="127.0.0.1:4002",
            fk=self.foreign_keys,
            auth=str(write_users(self.users, directory)) if self.users else "",
            allow_origin=self.allow_origin,
        )


PROFILES = {
    "plain": Profile(),
    "fk": Profile(foreign_keys=True),
    "origin": Profile(allow_origin="https://example.org"),
    "auth": Profile(
        users=(
            *(User(name, PASSWORD, (name,)) for name in ALL_PERMISSIONS),
            User("none", PASSWORD, ()),
            User("colon", "a:b:c", BOTH),
            User("ümlaut", "pässwörd", BOTH),
        )
    ),
    "star": Profile(
        users=(
            User("*", "", ("query", "ready")),
            User("execute", PASSWORD, ("execute",)),
            User("all", PASSWORD, ("all",)),
        )
    ),
}
