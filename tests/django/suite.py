"""Django's own test suite on this backend: python -m tests.django.suite [options] [LABEL...]

The tests are those of the installed Django's source distribution, which pip downloads into .cache/ once. Without
labels it runs those that a database backend must pass; `--all` takes everything that uses a database.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import django

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"

MINIMUM = """
aggregation annotations backends basic bulk_create composite_pk constraints db_functions delete_regress
expressions fixtures get_or_create indexes inspectdb introspection lookup migrations model_fields
multiple_database prefetch_related queries schema select_for_update timezones transaction_hooks transactions
"""
OTHERS = """
aggregation_regress async cache contenttypes_tests custom_columns custom_lookups custom_managers custom_methods
custom_migration_operations custom_pk datatypes dates datetimes db_typecasts db_utils defer defer_regress delete
distinct_on_fields empty empty_models expressions_case expressions_window extra_regress field_deconstruction
field_defaults field_subclassing filtered_relation fixtures_model_package fixtures_regress force_insert_update
foreign_object from_db_value generic_relations generic_relations_regress get_earliest_or_latest
get_object_or_404 invalid_models_tests known_related_objects m2m_and_m2o m2m_intermediary m2m_multiple
m2m_recursive m2m_regress m2m_signals m2m_through m2m_through_regress m2o_recursive managers_regress
many_to_many many_to_one many_to_one_null max_lengths migrate_signals migration_test_data_persistence
migrations2 model_forms model_formsets model_indexes model_inheritance model_inheritance_regress model_options
model_regress mutually_referential nested_foreign_keys null_fk null_fk_ordering null_queries one_to_one
or_lookups order_with_respect_to ordering properties proxy_model_inheritance proxy_models queryset_pickle
raw_query reserved_names reverse_lookup save_delete_hooks select_related select_related_onetoone
select_related_regress serializers sessions_tests string_lookup swappable_models test_runner unmanaged_models
update update_only_fields validation xor_lookups
"""

SETTINGS = """
DATABASES = {{
    alias: {{"ENGINE": "django_rqlite", "NAME": ":memory:", "TEST": {{"NAME": name}}}}
    for alias, name in {names!r}.items()
}}
SECRET_KEY = "for tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
{more}
"""


def tests_of_django() -> Path:
    """Where the tests of the installed Django are; downloads them if need be."""
    version = django.get_version()
    folder = CACHE / f"django-{version}"
    if not (folder / "tests" / "runtests.py").exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
            subprocess.run([*pip, ":all:", f"django=={version}", "--dest", temporary], check=True)
            (archive,) = Path(temporary).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(CACHE, filter="data")
    return folder / "tests"


@dataclass
class Outcome:
    """How the tests of a label ended, and what they printed."""

    label: str
    passed: bool
    output: str
    seconds: float


def run(label: str, urls: list[str], tests: Path) -> Outcome:
    """Run a label in a process of its own: each flush empties the tables of one label only."""
    names = dict(zip(("default", "other"), urls or (":memory:", ":memory:"), strict=True))
    more = ""
    if django.VERSION < (6,):  # whose tests expect the default of their time
        more = 'DEFAULT_AUTO_FIELD = "django.db.models.AutoField"'
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        text = SETTINGS.format(names=names, more=more)
        Path(folder, "settings_of_the_suite.py").write_text(text)
        command = [sys.executable, "-W", "ignore", "runtests.py", "--noinput", "--parallel", "1"]
        command += ["--settings", "settings_of_the_suite", label]
        path = os.pathsep.join([folder, str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            command,
            cwd=tests,
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    return Outcome(label, done.returncode == 0, done.stdout, time.monotonic() - began)


def report(outcome: Outcome) -> None:
    """A line for a label that passed, everything for one that did not."""
    if not outcome.passed:
        print(outcome.output)
    ran = re.findall(r"^(?:Ran|OK|FAILED).*", outcome.output, re.MULTILINE)
    print(f"{outcome.label}: {', '.join(ran)} ({outcome.seconds:.1f} s in all)", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.django.suite", description=__doc__)
    parser.add_argument("labels", nargs="*", metavar="LABEL")
    parser.add_argument("--all", action="store_true", help="all labels that use a database")
    parser.add_argument(
        "--url", action="append", default=[], help="a server to use and to empty; give two"
    )
    parser.add_argument("--parallel", type=int, default=1, help="processes (embedded server only)")
    parser.add_argument("--tests", type=Path, help="the tests/ of an unpacked Django")
    given = parser.parse_args(arguments)
    if len(given.url) not in (0, 2):
        parser.error("the suite needs two databases: give --url twice")
    labels = given.labels or (MINIMUM + OTHERS if given.all else MINIMUM).split()
    tests = given.tests or tests_of_django()
    failed = []
    with ThreadPoolExecutor(1 if given.url else given.parallel) as pool:
        for outcome in pool.map(lambda label: run(label, given.url, tests), labels):
            report(outcome)
            if not outcome.passed:
                failed.append(outcome.label)
    print(f"failed: {' '.join(failed)}" if failed else f"all {len(labels)} labels passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
