"""Migrations of the bank."""
