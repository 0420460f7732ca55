"""A real rqlited that has loaded an extension: the backend finds its functions, and uses them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import NotSupportedError, transaction
from django.db.models import Value
from django.db.models.functions import MD5, Sin

from tests.django.conftest import make_tables, use
from tests.django.shop.models import Customer
from tests.rqlited import NodeOptions, running_node

pytestmark = pytest.mark.rqlited

SOURCE = r"""
#include <math.h>
#include <regex.h>
#include <string.h>
#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT1

static void regexp(sqlite3_context *context, int count, sqlite3_value **values) {
    const char *pattern = (const char *)sqlite3_value_text(values[0]);
    const char *text = (const char *)sqlite3_value_text(values[1]);
    int flags = REG_EXTENDED | REG_NOSUB;
    regex_t compiled;
    if (!pattern || !text) return;
    if (!strncmp(pattern, "(?i)", 4)) { pattern += 4; flags |= REG_ICASE; }
    if (regcomp(&compiled, pattern, flags)) {
        sqlite3_result_error(context, "bad regular expression", -1);
        return;
    }
    sqlite3_result_int(context, !regexec(&compiled, text, 0, 0, 0));
    regfree(&compiled);
}

static void sine(sqlite3_context *context, int count, sqlite3_value **values) {
    sqlite3_result_double(context, sin(sqlite3_value_double(values[0])));
}

int sqlite3_extension_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
    SQLITE_EXTENSION_INIT2(api);
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    sqlite3_create_function(db, "regexp", 2, flags, 0, regexp, 0, 0);
    return sqlite3_create_function(db, "sin", 1, flags, 0, sine, 0, 0);
}
"""


@pytest.fixture(scope="module")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an extension that has regexp() and sin()."""
    folder = tmp_path_factory.mktemp("extensions")
    source = folder.with_suffix(".c")
    source.write_text(SOURCE)
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    command = [compiler, "-shared", "-fPIC", str(source), "-o", str(folder / "some.so"), "-lm"]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if "sqlite3ext.h" in made.stderr:
        pytest.skip("the headers of SQLite are not here")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def extended(rqlited_binary: Path, extensions: Path, tmp_path: Path) -> Iterator[Any]:
    """The shop on a node that has loaded it."""
    options = NodeOptions(foreign_keys=True, extra=("-extensions-path", str(extensions)))
    with running_node(rqlited_binary, tmp_path, options) as node:
        connection = use("default", node.url)
        make_tables(connection)
        yield connection
        connection.close()
        connection.settings_dict.update(NAME=":memory:", OPTIONS={})


@pytest.mark.usefixtures("extended")
def test_functions_of_an_extension() -> None:
    for name in ("ann", "Bob", "cyd"):
        Customer.objects.create(name=name)
    assert Customer.objects.get(name__regex="^a.n$").name == "ann"
    assert Customer.objects.get(name__iregex="^b").name == "Bob"
    assert Customer.objects.annotate(sine=Sin(Value(0.5))).first().sine == pytest.approx(0.4794255)
    with transaction.atomic():
        Customer.objects.create(name="anna")
        assert Customer.objects.filter(name__regex="^ann").update(balance=1) == 2
        assert Customer.objects.filter(name__regex="a$").delete()[0] == 1
    assert Customer.objects.filter(balance=1).get().name == "ann"
    with pytest.raises(NotSupportedError, match=r"MD5 needs .*crypto_md5.*-extensions-path"):
        Customer.objects.annotate(hash=MD5("name")).first()
