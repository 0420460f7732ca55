"""The programs in examples/ do what they say."""

from __future__ import annotations

import importlib.util
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

import pyrqlite
from tests.servers import RunningServer

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where SQLAlchemy looks annotations up
    spec.loader.exec_module(module)
    return module


def test_load_csv(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "towns.csv"
    file.write_text("name,people\nUlm,126000\nBonn,331000\n")
    assert load("load_csv").main(server.url, str(file), "towns") == 2
    assert capsys.readouterr().out == "2 rows loaded\nUlm, 126000\nBonn, 331000\n"


def test_counter_service(server: RunningServer) -> None:
    service = load("counter_service").make_server(server.url, 0)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{service.server_address[1]}/tea"
        texts = [urllib.request.urlopen(url).read().decode() for _ in range(2)]
    finally:
        service.shutdown()
        thread.join()
        service.server_close()
    assert texts == ["/tea was asked for 1 times\n", "/tea was asked for 2 times\n"]
    connection = pyrqlite.connect(server.url, autocommit=True)
    assert connection.execute("SELECT * FROM hit").fetchall() == [("/tea", 2)]
    connection.close()


def test_transfer(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    transfer = load("transfer")
    with closing(pyrqlite.connect(server.url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER)")
        connection.execute("INSERT INTO account VALUES ('ann', 100), ('bob', 0), ('cy', 100)")
        givers = ["ann", "cy"] * 4
        with ThreadPoolExecutor(len(givers)) as pool:
            list(pool.map(lambda giver: transfer.main(server.url, giver, "bob", "20"), givers))
        with pytest.raises(transfer.TooLittle):
            transfer.main(server.url, "ann", "cy", "21")
        rows = connection.execute("SELECT * FROM account ORDER BY name").fetchall()
    assert rows == [("ann", 20), ("bob", 160), ("cy", 20)]
    said = sorted(capsys.readouterr().out.splitlines())
    assert said == [
        f"{giver} has {left} left" for giver in ("ann", "cy") for left in (20, 40, 60, 80)
    ]


pytest_plugins = ["rqlite_embedded.pytest_plugin"]


def test_fixture_example(request: pytest.FixtureRequest) -> None:
    load("test_with_server").test_an_order_is_stored(request.getfixturevalue("rqlite_server"))
