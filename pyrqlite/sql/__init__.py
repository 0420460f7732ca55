"""Knows SQL, knows no network: tokens, statements, parameters."""
