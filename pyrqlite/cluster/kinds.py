"""What a request is for: that decides which node is asked, and what a failure means."""

from __future__ import annotations

import enum


class Kind(enum.Enum):
    """The kinds of requests.

    `repeatable`: it may be sent again without harm, even if it arrived. `led`: it is the leader's to answer.
    """

    READ = ("a read that the leader answers", True, True)
    LOCAL = ("a read at the level none, which any node answers itself", True, False)
    AUTO = ("a read at the level auto: read replicas answer it themselves", True, False)
    SPECULATION = ("goes to the leader as a write does, and leaves nothing behind", True, True)
    WRITE = ("a write, a script, a commit", False, True)
    ONCE = ("a write or commit with an id, or the burning of one", False, True)
    ADMIN = ("a question about nodes, statements or the schema", True, True)

    def __init__(self, meaning: str, repeatable: bool, led: bool) -> None:
        self.meaning = meaning
        self.repeatable = repeatable
        self.led = led
