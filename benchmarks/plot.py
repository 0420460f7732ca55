"""The ratios as a picture, where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.ratios import Ratio
from benchmarks.subjects import SUBJECTS, Kind

_COLOURS = {Kind.BARE: "#999999", Kind.PEER: "#d08c4a", Kind.DRIVER: "#3b76af"}


def draw(table: Mapping[str, Mapping[str, Ratio]], title: str, file: Path) -> bool:
    """Panels of bars that begin at 1, on a logarithmic scale: right is faster. False without matplotlib."""
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    figure = Figure(figsize=(1.5 + 2.2 * len(table), 3.2), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(table), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (case, row) in zip(panels, table.items(), strict=True):
        names = list(row)[::-1]
        medians = [row[name].median for name in names]
        panel.barh(
            names,
            [median - 1 for median in medians],
            left=1,
            xerr=[
                [row[name].median - row[name].low for name in names],
                [row[name].high - row[name].median for name in names],
            ],
            color=[_COLOURS[SUBJECTS[name].kind] for name in names],
        )
        for place, median in enumerate(medians):
            panel.annotate(
                f"{median:.2f}",
                (0.99, place),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center",
            )
        panel.axvline(1, color="black", linewidth=0.8)
        panel.set(title=case, xscale="log", xlim=(0.004, 80), xticks=(0.01, 0.1, 1, 10))
        panel.minorticks_off()
        panel.xaxis.set_major_formatter("{x:g}")
    figure.savefig(file, dpi=120)
    return True
