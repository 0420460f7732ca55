"""The programs in examples/ do what they say."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import uvicorn
from starlette.applications import Starlette

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


class Served(uvicorn.Server):
    """A uvicorn in a thread of its own."""

    def __init__(self, app: Starlette, loop: Literal["asyncio", "uvloop"]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        super().__init__(uvicorn.Config(app, loop=loop, log_level="warning"))
        self.thread = threading.Thread(target=self.run, args=([self.socket],))

    def ask(self, method: str, path: str, body: object = None) -> Any:
        port = self.socket.getsockname()[1]
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def __enter__(self) -> Served:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_todo_service(server: RunningServer, loop: Literal["asyncio", "uvloop"]) -> None:
    app: Starlette = load("todo_service").make_app(server.url)
    with Served(app, loop) as service, ThreadPoolExecutor(8) as pool:
        assert service.ask("GET", "/todos") == []
        lists = [[f"{number}a", f"{number}b"] for number in range(8)]
        told = pool.map(lambda texts: service.ask("POST", "/todos", {"texts": texts}), lists)
        assert list(told) == [{"added": 2}] * 8
        todos = service.ask("GET", "/todos")
        assert sorted(todo["text"] for todo in todos) == sorted(chain(*lists))
        pairs = [(todo["id"], other["id"]) for todo in todos[:4] for other in todos[8:12]]
        swaps = [{"one": one, "other": other} for one, other in pairs]
        list(pool.map(lambda swap: service.ask("POST", "/swap", swap), swaps))
        done = pool.map(lambda _: service.ask("POST", f"/todos/{todos[0]['id']}/done"), range(8))
        assert sum(answer["changed"] for answer in done) == 1
    connection = pyrqlite.connect(server.url, autocommit=True)
    places = connection.execute("SELECT place FROM todo ORDER BY place").fetchall()
    connection.close()
    assert places == [(number,) for number in range(1, 17)]


pytest_plugins = ["rqlite_embedded.pytest_plugin"]


def test_fixture_example(request: pytest.FixtureRequest) -> None:
    load("test_with_server").test_an_order_is_stored(request.getfixturevalue("rqlite_server"))
