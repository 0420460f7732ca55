"""Do all nodes hold the same? Compares them, and repairs those that do not hold what the leader holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyrqlite.admin.nodes import Access, Patience
from pyrqlite.admin.verifying.comparing import Comparison, Settings, Watch
from pyrqlite.admin.verifying.planning import Plan, plan
from pyrqlite.admin.verifying.repairing import Repair
from pyrqlite.admin.verifying.report import RepairReport, Report
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.flow.run import run
from pyrqlite.options import Options, resolve

__all__ = ["Comparison", "Plan", "Repair", "Report", "Settings", "Watch", "plan", "verify"]

Confirm = Callable[[Report, Plan], bool]


def verify(
    target: str | None = None,
    *,
    tables: Sequence[str] = (),
    repair: bool = False,
    confirm: Confirm | None = None,
    watch: Watch | None = None,
    most_rows: int = 20,
    patience: float = 30.0,
    discover: bool = True,
    **options: Any,
) -> Report:
    """Compare what all nodes of a cluster hold with what its leader holds.

    Args:
        target: as in `pyrqlite.connect`, and so are the other `options`.
        tables: compare these only.
        repair: make the nodes hold what the leader holds; the report then says what is left.
        confirm: is shown the report and the plan of a repair, and says whether to go on. None: go on.
        watch: is told how the comparison goes on.
        most_rows: how many rows that differ to keep of each table; all are counted.
        patience: how long to wait for a node that is behind or does not answer, in seconds.
        discover: ask the cluster for its nodes; False: compare only those that the target names.

    Raises:
        pyrqlite.OperationalError: there is no leader, or it was lost during a repair.
    """
    resolved = resolve(Options(target, **options))
    settings = Settings(
        tuple(tables), most_rows, Patience(patience, resolved.timeout), discover=discover
    )
    cluster = Cluster(resolved)
    try:
        access = Access(cluster, resolved)
        comparison = Comparison(access, settings, watch)
        report = run(comparison.run(), cluster.transport.send)
        if repair and report.different and comparison.schema is not None:
            planned = plan(report, comparison.schema)
            if not planned.actions:
                report.repair = RepairReport(refused=planned.refused)
            elif confirm is None or confirm(report, planned):
                repairing = Repair(access, settings, watch, report)
                try:
                    report = run(repairing.run(), cluster.transport.send)
                finally:
                    run(repairing.clean_up(), cluster.transport.send)
        return report
    finally:
        cluster.transport.close()
