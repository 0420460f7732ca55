"""Looking after a cluster."""

from pyrqlite.admin.verifying import Plan, Report, verify

__all__ = ["Plan", "Report", "verify"]
