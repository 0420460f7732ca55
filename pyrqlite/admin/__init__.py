"""Looking after a cluster."""

from pyrqlite.admin.info import NodeInfo, Readiness
from pyrqlite.admin.verifying import Plan, Report, verify

__all__ = ["NodeInfo", "Plan", "Readiness", "Report", "verify"]
