"""Transactions over a server that has none: a log of statements and of the facts seen. Pure."""
