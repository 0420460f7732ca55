"""The examples of the documentation run, and its table of options is the driver's."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pyrqlite.options import Options

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return _BLOCK.findall(page.read_text())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name
)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__example__"}
    for number, block in enumerate(blocks(page), 1):
        code = compile(block, f"{page.name}, example {number}", "exec", dont_inherit=True)
        exec(code, namespace)


def option_rows() -> str:
    rows = []
    for field in dataclasses.fields(Options):
        meaning = field.metadata["doc"].replace("|", "\\|")
        rows.append(f"| `{field.name}` | {meaning} | `{field.default!r}` |\n")
    return "".join(rows)


def test_options_are_documented() -> None:
    page = (ROOT / "docs" / "connecting.md").read_text()
    table = page.partition("<!-- options -->\n")[2].partition("<!-- end of options -->")[0]
    assert table == "| option | meaning | default |\n|---|---|---|\n" + option_rows()
