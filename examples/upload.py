#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service that takes files: each is a file on the disk and a row in PostgreSQL, or neither.

    upload.py DIRECTORY CONNINFO [PORT]

    curl -T photo.jpg http://localhost:8000/     puts photo.jpg into DIRECTORY/files, and into the table
    curl http://localhost:8000/photo.jpg         gives it back
    curl http://localhost:8000/                  lists the table: size, SHA-256, name
    curl -X DELETE http://localhost:8000/photo.jpg

CONNINFO is a connection string such as "service=shop"; the log is in DIRECTORY/state. When a file was
taken ("201 Created") it stays, and its row with it, whatever dies next. The service may be killed at
any time, and so may the server: before it says that it is ready it finishes what was left.
"""
import hashlib
import os
import random
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ktm

NAME = re.compile(r"/([A-Za-z0-9_-][A-Za-z0-9._-]{0,99})")
SIZE_MAX = 64 << 20
TRIES = 20


class Store:
    """Files and the table about them, which always agree."""

    def __init__(self, directory, conninfo):
        self.files = os.path.join(directory, "files")
        self.conninfo = conninfo
        self.home = ktm.Home(os.path.join(directory, "state"))  # open, as long as the service runs
        with self.home.transaction() as t:
            # That both take part finishes what an earlier run has left.
            t.postgres(conninfo).execute("CREATE TABLE IF NOT EXISTS upload"
                                         " (name text PRIMARY KEY, size bigint, sha256 text)")
            if not t.exists(self.files):
                t.mkdir(self.files, mode=0o755)

    def put(self, name, data):
        with self.home.transaction() as t:
            t.postgres(self.conninfo).execute(
                "INSERT INTO upload VALUES ($1, $2, $3) ON CONFLICT (name)"
                " DO UPDATE SET size = EXCLUDED.size, sha256 = EXCLUDED.sha256",
                (name, len(data), hashlib.sha256(data).hexdigest()))
            t.put(os.path.join(self.files, name), data)

    def delete(self, name):
        with self.home.transaction() as t:
            rows = t.postgres(self.conninfo)
            rows.execute("DELETE FROM upload WHERE name = $1", (name,))
            if rows.rowcount == 0:
                return False
            t.delete(os.path.join(self.files, name))
        return True

    def get(self, name):
        path = os.path.join(self.files, name)
        with self.home.transaction() as t:
            return t.read(path) if t.exists(path) else None

    def list(self):
        with self.home.transaction() as t:
            return t.postgres(self.conninfo).execute(
                "SELECT size, sha256, name FROM upload ORDER BY name")


def patiently(work, *arguments):
    """Two uploads of the same name may be in each other's way: the later one tries again."""
    for _ in range(TRIES - 1):
        try:
            return work(*arguments)
        except ktm.Conflict:
            time.sleep(random.uniform(0, 0.1))
    return work(*arguments)


class Handler(BaseHTTPRequestHandler):
    """One request; the store is the server's."""

    def do_PUT(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > SIZE_MAX:
            return self.reply(413, f"a file has a length, of {SIZE_MAX} bytes at most")
        data = self.rfile.read(int(size))
        if len(data) < int(size):
            return None  # the client is gone
        return self.answer(201, self.server.store.put, data)

    def do_DELETE(self):
        self.answer(200, self.server.store.delete)

    def do_GET(self):
        if self.path == "/":
            self.answer(200, lambda _: "".join(f"{size} {sha256} {name}\n" for size, sha256, name
                                               in self.server.store.list()).encode())
        else:
            self.answer(200, self.server.store.get)

    def answer(self, code, work, *arguments):
        name = NAME.fullmatch(self.path)
        if not name and self.path != "/":
            return self.reply(400, "a name is letters, digits and . _ -")
        try:
            done = patiently(work, name and name[1], *arguments)
        except ktm.OutcomeUnknown as error:
            self.reply(500, f"it is not known yet: {error}")
            os._exit(1)  # whoever starts us again finds out
        except ktm.Error as error:
            return self.reply(503, f"nothing was changed: {error}")
        if done is None and code == 201:
            return self.reply(code, "taken")
        if done in (None, False):
            return self.reply(404, "there is no such file")
        return self.reply(code, "done" if done is True else done)

    def reply(self, code, body):
        body = body if isinstance(body, bytes) else f"{body}\n".encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: upload.py DIRECTORY CONNINFO [PORT]")
    server = ThreadingHTTPServer(("localhost", int(sys.argv[3]) if len(sys.argv) > 3 else 8000),
                                 Handler)
    try:
        server.store = Store(os.path.abspath(sys.argv[1]), sys.argv[2])
    except ktm.Error as error:
        sys.exit(f"upload.py: {error}")
    print(f"ready on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
