"""`python -m benchmarks.django_orm`: Django's ORM on rqlite, against Django's own SQLite backend on a file."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import django
from django.conf import settings
from django.db import connections, models, transaction

from benchmarks.servers import best_server

ROWS = 10_000
PAGE = 100


def set_up(url: str, file: Path) -> None:
    """Make the settings; the aliases are `rqlite`, `in process` and `sqlite`."""
    databases = {
        "rqlite": {"ENGINE": "django_rqlite", "NAME": url},
        "in process": {"ENGINE": "django_rqlite", "NAME": file.with_name("in_process.db")},
        "sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": file},
    }
    settings.configure(DATABASES={"default": {}, **databases}, USE_TZ=True, INSTALLED_APPS=[])
    django.setup()


def make_model() -> Any:
    """An article, as an application would have it."""

    class Article(models.Model):
        title = models.CharField(max_length=100)
        body = models.TextField()
        views = models.IntegerField(default=0)
        at = models.DateTimeField(null=True)
        published = models.BooleanField(default=False)

        class Meta:
            app_label = "benchmark"

    return Article


def actions(article: Any, alias: str) -> dict[str, Callable[[int], object]]:
    """What is measured; each is given the number of the run."""
    from django.utils import timezone

    objects = article.objects.using(alias)
    now = timezone.now()

    def made(number: int) -> dict[str, Any]:
        return {"title": f"title {number}", "body": "words " * 20, "at": now}

    def create_in_atomic(number: int) -> None:
        with transaction.atomic(using=alias):
            for place in range(10):
                objects.create(**made(number + place))

    def load(number: int) -> None:
        objects.bulk_create([article(**made(place)) for place in range(ROWS)])

    return {
        f"bulk_create({ROWS})": load,
        "get": lambda number: objects.get(pk=number + 1),
        "create": lambda number: objects.create(**made(number)),
        "atomic, 10 creates": create_in_atomic,
        "update of one": lambda number: objects.filter(pk=number + 1).update(views=number),
        f"page of {PAGE}": lambda number: list(objects.order_by("-pk")[number : number + PAGE]),
        "count of a day": lambda number: objects.filter(at__date=now.date(), views=number).count(),
    }


def measure(action: Callable[[int], object], runs: int) -> float:
    """The median time of a run, in seconds; the first is not counted."""
    times = []
    for number in range(runs + 1):
        began = time.perf_counter()
        action(number)
        times.append(time.perf_counter() - began)
    return median(times[1:])


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.django_orm", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        best_server(Path(folder, "server")) as server,
    ):
        set_up(server.url, Path(folder, "sqlite.db"))
        article = make_model()
        aliases = [alias for alias in connections if alias != "default"]
        measured: dict[str, dict[str, float]] = {}
        for alias in aliases:
            with connections[alias].schema_editor() as editor:
                editor.create_model(article)
            for name, action in actions(article, alias).items():
                runs = 3 if name.startswith("bulk") else given.runs
                measured.setdefault(name, {})[alias] = measure(action, runs)
            connections[alias].close()
        report(server.name, aliases, measured)
    return 0


def report(name: str, aliases: list[str], measured: dict[str, dict[str, float]]) -> None:
    """A table in Markdown: milliseconds, and how many times SQLite's on a file."""
    print(
        f"| milliseconds (times sqlite) | {' | '.join(aliases)} |".replace(
            "rqlite |", f"{name} |", 1
        )
    )
    print("|---|" + "---|" * len(aliases))
    for action, times in measured.items():
        cells = [
            f"{times[alias] * 1000:.2f} ({times[alias] / times['sqlite']:.1f})" for alias in aliases
        ]
        print(f"| {action} | {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())
