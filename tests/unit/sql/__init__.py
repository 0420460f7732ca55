"""Tests of what knows SQL, against SQLite itself."""
