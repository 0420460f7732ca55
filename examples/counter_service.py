"""A counter over HTTP, each hit one atomic upsert: python counter_service.py URL PORT"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyrqlite

HIT = """
INSERT INTO hit (path, count) VALUES (?, 1)
ON CONFLICT (path) DO UPDATE SET count = count + 1
RETURNING count
"""


def make_server(url: str, port: int) -> ThreadingHTTPServer:
    with pyrqlite.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS hit (path TEXT PRIMARY KEY, count INTEGER)")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A connection for each request costs next to nothing: they share their sockets.
            connection = pyrqlite.connect(url, autocommit=True)
            (count,) = connection.execute(HIT, (self.path,)).fetchone()
            connection.close()
            body = f"{self.path} was asked for {count} times\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    make_server(sys.argv[1], int(sys.argv[2])).serve_forever()
