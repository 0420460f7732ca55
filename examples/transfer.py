"""Move money between two accounts, safely against everybody else: python transfer.py URL FROM TO AMOUNT"""

from __future__ import annotations

import sys
from contextlib import closing

import pyrqlite
from pyrqlite import Connection


class TooLittle(Exception):
    """There is not so much on the account."""


def transfer(connection: Connection, giver: str, taker: str, amount: int) -> int:
    """Move `amount` (more than 0), and return what the giver has left. All or nothing happens."""

    def move(connection: Connection) -> int:
        # This may run several times: it works on the connection, and on nothing else.
        left = balance(connection, giver) - amount
        if left < 0:
            raise TooLittle(f"{giver} has only {left + amount}")
        set_balance(connection, giver, left)
        set_balance(connection, taker, balance(connection, taker) + amount)
        return left

    return pyrqlite.run_transaction(connection, move)


def balance(connection: Connection, name: str) -> int:
    row = connection.execute("SELECT balance FROM account WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise KeyError(name)
    found: int = row[0]
    return found


def set_balance(connection: Connection, name: str, amount: int) -> None:
    connection.execute("UPDATE account SET balance = ? WHERE name = ?", (amount, name))


def main(url: str, giver: str, taker: str, amount: str) -> None:
    # With exactly_once a lost answer does no harm: the commit is repeated, and applied once.
    with closing(pyrqlite.connect(url, exactly_once=True)) as connection:
        left = transfer(connection, giver, taker, int(amount))
    print(f"{giver} has {left} left")


if __name__ == "__main__":
    main(*sys.argv[1:])
