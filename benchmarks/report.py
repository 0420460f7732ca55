"""What the timings say: tables of ratios, the targets, and everything as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.ratios import Ratio, fastest, times_faster
from benchmarks.rounds import Samples
from benchmarks.subjects import SUBJECTS, Kind

RESULTS = Path(__file__).resolve().parent / "results"
BARE = next(subject.name for subject in SUBJECTS.values() if subject.kind is Kind.BARE)
PEERS = [subject.name for subject in SUBJECTS.values() if subject.kind is Kind.PEER]


@dataclass(frozen=True)
class Target:
    """What the driver has to reach against rqlited: so many times as fast as the fastest peer."""

    case: str
    subject: str
    at_least: float


TARGETS = (
    Target("bulk_insert", "urllib3", 8.0),
    Target("bulk_insert", "fast", 8.0),
    Target("scan", "urllib3", 5.0),
    Target("scan", "fast", 5.0),
    Target("point_read", "urllib3", 1.0),
    Target("point_read", "fast", 1.2),
    Target("single_write", "urllib3", 1.0),
    Target("single_write", "fast", 1.0),
)


@dataclass(frozen=True)
class Results:
    """One run. `notes`: what subjects got wrong; `versions`: by subject."""

    server: str
    rounds: int
    versions: Mapping[str, str]
    notes: Sequence[str]
    samples: Samples

    def against_peers(self) -> dict[str, dict[str, Ratio]]:
        """Ratios to the fastest peer of each case, by case and subject."""
        references = {case: fastest(timed, PEERS) for case, timed in self.samples.items()}
        return ratios(self.samples, references)

    def against_bare(self) -> dict[str, dict[str, Ratio]]:
        """Ratios to bare http.client, by case and subject."""
        return ratios(self.samples, dict.fromkeys(self.samples, BARE))

    def save(self, file: Path) -> None:
        """Write everything as JSON, with all timings in microseconds per operation."""
        document = {
            "server": self.server,
            "rounds": self.rounds,
            "machine": f"{platform.platform()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "versions": self.versions,
            "notes": self.notes,
            "times_faster_than_fastest_peer": plain(self.against_peers()),
            "times_faster_than_http.client": plain(self.against_bare()),
            "median_microseconds": {
                case: {name: statistics.median(micro(times)) for name, times in timed.items()}
                for case, timed in self.samples.items()
            },
            "microseconds": {
                case: {name: micro(times) for name, times in timed.items()}
                for case, timed in self.samples.items()
            },
        }
        file.write_text(json.dumps(document, indent=1) + "\n")

    def text(self, real: bool) -> Iterator[str]:
        """The report, line by line. `real`: the server is rqlited, of which the targets speak."""
        yield f"against {self.server}, {self.rounds} rounds; " + ", ".join(
            f"{name} {version}" for name, version in self.versions.items()
        )
        for title, table in (
            ("the fastest peer", self.against_peers()),
            (BARE, self.against_bare()),
        ):
            yield f"\nTimes as fast as {title} (medians):\n"
            yield from grid(table)
        yield ""
        yield from (f"note: {note}" for note in [*self.notes, *remarks(self.samples)])
        if real:
            yield "\nTargets against the fastest peer (median, and its 95 % bounds):\n"
            yield from self.targets()

    def targets(self) -> Iterator[str]:
        """A line for each target whose case was measured."""
        against = self.against_peers()
        for target in TARGETS:
            if target.case in against:
                ratio = against[target.case][target.subject]
                peer = fastest(self.samples[target.case], PEERS)
                verdict = "yes" if ratio.median >= target.at_least else "no"
                yield (
                    f"{target.case:<13}{target.subject:<12} at least {target.at_least:.1f} x "
                    f"{peer:<17} measured {ratio!s:<22} {verdict}"
                )


def ratios(samples: Samples, references: Mapping[str, str]) -> dict[str, dict[str, Ratio]]:
    """For each case, how many times as fast as its reference each subject is."""
    return {
        case: {name: times_faster(times, timed[references[case]]) for name, times in timed.items()}
        for case, timed in samples.items()
    }


def grid(table: Mapping[str, Mapping[str, Ratio]]) -> Iterator[str]:
    """Subjects down, cases across."""
    yield " " * 20 + "".join(f"{case:>14}" for case in table)
    for name in next(iter(table.values())):
        yield f"{name:<20}" + "".join(f"{row[name].median:>14.2f}" for row in table.values())


def remarks(samples: Samples) -> Iterator[str]:
    """What a reader must know of subjects that are not measured as the others are."""
    measured = next(iter(samples.values()))
    for subject in (SUBJECTS[name] for name in measured):
        if subject.in_process:
            yield f"{subject.name} uses no server but its own, in its process, with full fsync"
        for case, count in subject.fewer.items():
            if case in samples:
                usual = CASES[case].operations
                yield f"{subject.name}, {case}: {count} operations, not {usual}, counted per operation"


def plain(table: Mapping[str, Mapping[str, Ratio]]) -> dict[str, dict[str, dict[str, float]]]:
    """Ratios for JSON."""
    return {case: {name: vars(ratio) for name, ratio in row.items()} for case, row in table.items()}


def micro(seconds: Iterable[float]) -> list[float]:
    """Seconds as microseconds."""
    return [round(value * 1e6, 3) for value in seconds]
