"""SQLAlchemy's own compliance suite for dialects."""

from sqlalchemy.testing.suite import *  # noqa: F403
