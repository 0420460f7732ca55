"""Users, passwords and permissions, from the credential file that rqlited reads."""

from __future__ import annotations

import base64
import binascii
import hmac
import json

_EVERYBODY = "*"
_ALL = "all"


class CredentialsError(ValueError):
    """The credential file is not a JSON list of users."""


class Credentials:
    """Who may do what. ``users`` holds (name, password, permissions)."""

    def __init__(self, users: list[tuple[str, str, frozenset[str]]]) -> None:
        self._passwords = {name: password for name, password, _ in users}
        self._permissions = {name: permissions for name, _, permissions in users}
        self._public = self._permissions.get(_EVERYBODY, frozenset())

    @classmethod
    def load(cls, path: str) -> Credentials:
        """Read a file: a list of ``{"username":..., "password":..., "perms":[...]}``."""
        with open(path, encoding="utf-8") as file:
            try:
                entries = json.load(file)
                users = [
                    (
                        str(entry.get("username", "")),
                        str(entry.get("password", "")),
                        frozenset(map(str, entry.get("perms") or ())),
                    )
                    for entry in entries
                ]
            except (ValueError, AttributeError, TypeError) as exc:
                raise CredentialsError(f"{path}: not a list of users: {exc}") from None
        return cls(users)

    def allow(self, authorization: str, *permissions: str) -> bool:
        """Whether the Authorization header gives every one of ``permissions``."""
        missing = [p for p in permissions if not {p, _ALL} & self._public]
        if not missing:
            return True
        name, password = _decode(authorization)
        expected = self._passwords.get(name)
        if not name or expected is None:
            return False
        if not hmac.compare_digest(expected.encode(), password.encode()):
            return False
        own = self._permissions[name]
        return _ALL in own or own.issuperset(missing)


def _decode(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return "", ""
    name, colon, password = text.partition(":")
    return (name, password) if colon else ("", "")
