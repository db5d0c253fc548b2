#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""databases.cpp with every C++ compiler there is, against servers of its own."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "rm", "servers"))
sys.dont_write_bytecode = True

from servers import BUILD, SOURCE, NoServer, Server  # noqa: E402

MODULES = ("sqlite3", "libpq", "libmariadb")
SANITIZE = os.environ.get("KTM_SANITIZE", "")
counts = [0, 0, 0]


def count(passed, failed=0, skipped=0):
    for at, number in enumerate((passed, failed, skipped)):
        counts[at] += number


def fail(what, said):
    count(0, 1)
    print(f"not so: {what}: {said}")


def compile_with(compiler, program):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *MODULES], check=True,
                           capture_output=True, text=True).stdout.split()
    words = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror",
             f"-I{SOURCE}/include/ktm", "-o", program, os.path.join(HERE, "databases.cpp"),
             f"-L{BUILD}", "-lktm", "-lktm-sqlite", "-lktm-postgres", "-lktm-mariadb", *flags]
    if SANITIZE:
        words.append(f"-fsanitize={SANITIZE}")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"it compiles with {compiler}", done.stderr)
    return done.returncode == 0


def run(program, servers, top):
    words = [program, top]
    for kind, server in servers.items():
        server.ask("DROP TABLE IF EXISTS account")
        engine = " ENGINE=InnoDB" if kind == "mariadb" else ""
        server.ask(f"CREATE TABLE account (id INT PRIMARY KEY, amount INT NOT NULL){engine}")
        server.ask("INSERT INTO account VALUES (1, 100), (2, 0)")
        words += [kind, server.where]
    done = subprocess.run(words, env=dict(os.environ, LD_LIBRARY_PATH=BUILD), text=True,
                          capture_output=True, timeout=300, check=False)
    found = re.search(r"^(\d+) passed, (\d+) failed", done.stdout, re.MULTILINE)
    print(done.stderr, end="")
    if not found or done.returncode not in (0, 1):
        fail("it comes to its end", f"exit {done.returncode}: {done.stdout}")
    else:
        count(int(found[1]), int(found[2]))


def main():
    servers = {}
    missing = [name for name in ("sqlite", "postgres", "mariadb")
               if not os.path.exists(os.path.join(BUILD, f"libktm-{name}.so"))]
    if missing:
        print(f"skipped: not built: {missing}")
        count(0, 0, 1)
    compilers = [] if missing else ["g++"] if SANITIZE else ["g++", "clang++"]
    try:
        for kind in () if missing else ("postgres", "mariadb"):
            try:
                servers[kind] = Server(kind)
            except NoServer as error:
                print(f"skipped: {error}")
                count(0, 0, 1)
        for compiler in filter(shutil.which, compilers):
            with tempfile.TemporaryDirectory(prefix="ktm-compiled.") as top:
                program = os.path.join(top, "databases")
                if compile_with(compiler, program):
                    run(program, servers, top)
    finally:
        for server in servers.values():
            server.close()
    print("{} passed, {} failed, {} skipped".format(*counts))
    sys.exit(1 if counts[1] else 0)


if __name__ == "__main__":
    main()
