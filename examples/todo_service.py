"""Things to do, over HTTP, by Starlette: python todo_service.py URL PORT

GET /todos, POST /todos {"texts": [...]}, POST /todos/1/done, POST /swap {"one": 1, "other": 2}
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pyrqlite
from pyrqlite import aio

TABLE = """
CREATE TABLE IF NOT EXISTS todo (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, text TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0
)
"""
# By the key: then every node can check at the commit that this is still the last one.
LAST = "SELECT id FROM todo ORDER BY id DESC LIMIT 1"
NEW = "INSERT INTO todo (id, place, text) VALUES (?, ?, ?)"


def make_app(url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # While this connection is open, those of the requests find their sockets open too.
        async with aio.connect(url, autocommit=True) as connection:
            await connection.execute(TABLE)
            yield

    def connect() -> aio.connecting.Connecting:
        return aio.connect(url, autocommit=True, exactly_once=True)

    async def listed(request: Request) -> JSONResponse:
        async with connect() as connection:
            connection.row_factory = pyrqlite.Row
            cursor = await connection.execute("SELECT id, text, done FROM todo ORDER BY place")
            return JSONResponse([dict(row.items()) for row in cursor])

    async def added(request: Request) -> JSONResponse:
        texts = (await request.json())["texts"]

        async def add(connection: aio.AsyncConnection) -> int:
            last = (await connection.execute(LAST)).fetchone()
            first = last[0] + 1 if last else 1
            rows = [(number, number, text) for number, text in enumerate(texts, first)]
            async with connection.pipeline():  # nobody looks at the results: one request less
                await connection.executemany(NEW, rows)
            return len(rows)

        async with connect() as connection:
            return JSONResponse({"added": await aio.run_transaction(connection, add)})

    async def done(request: Request) -> JSONResponse:
        async with connect() as connection:
            sql = "UPDATE todo SET done = 1 WHERE id = ? AND NOT done"
            cursor = await connection.execute(sql, (request.path_params["id"],))
            return JSONResponse({"changed": cursor.rowcount})

    async def swapped(request: Request) -> JSONResponse:
        wanted = await request.json()

        async def swap(connection: aio.AsyncConnection) -> None:
            places = []
            for id in (wanted["one"], wanted["other"]):
                read = await connection.execute("SELECT place FROM todo WHERE id = ?", (id,))
                places.append(read.fetchone()[0])
            rows = [(places[1], wanted["one"]), (places[0], wanted["other"])]
            await connection.executemany("UPDATE todo SET place = ? WHERE id = ?", rows)

        async with connect() as connection:
            await aio.run_transaction(connection, swap)
        return JSONResponse({})

    routes = [
        Route("/todos", listed),
        Route("/todos", added, methods=["POST"]),
        Route("/todos/{id:int}/done", done, methods=["POST"]),
        Route("/swap", swapped, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=int(sys.argv[2]))
