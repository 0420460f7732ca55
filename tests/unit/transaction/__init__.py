"""Transactions without a server: the log, its guards, savepoints, the words of transaction control."""
