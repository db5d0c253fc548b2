#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python module: with ktm.transaction() as t."""
import os
import sqlite3
import subprocess
import sys
import tempfile

import facts
from facts import SOURCE, expect, ktm, refused


def commit_and_roll_back(top, home):
    one, two = os.path.join(top, "one"), os.path.join(top, "two")
    with ktm.transaction(home) as t:
        t.put(one, "eins", mode=0o640)
        t.append(one, b" und mehr")
        t.mkdir(two)
        expect(t.read(one) == b"eins und mehr", "its own work is read")
        expect(not os.path.exists(one), "nobody else sees it")
        expect(t.handle and t.pointer, "handles for other libraries")
    expect(os.path.isdir(two) and open(one, encoding="ascii").read() == "eins und mehr", "committed")
    expect(os.stat(one).st_mode & 0o777 == 0o640, "with its mode")
    try:
        with ktm.transaction(home) as t:
            t.delete(one)
            t.rmdir(two)
            raise KeyError("out of here")
    except KeyError:
        pass
    expect(os.path.exists(one) and os.path.isdir(two), "an exception rolls back, and goes on")
    expect(refused(ValueError, t.put, one, "x"), "what has ended is not used")


def other_steps(top, home):
    with ktm.transaction(home) as t:
        t.rename(os.path.join(top, "one"), os.path.join(top, "moved"))
        t.symlink(os.path.join(top, "link"), "moved")
        t.put_file(os.path.join(top, "copy"), os.path.join(top, "moved"))
        t.chmod(os.path.join(top, "moved"), 0o600)
        t.tree(os.path.join(top, "tree"), os.path.join(top, "two"))
    expect(sorted(os.listdir(top)) == ["copy", "home", "link", "moved", "tree", "two"], "all steps")


def refusals(top, home):
    t = ktm.transaction(home)
    error = refused(ktm.Error, t.put, os.path.join(top, "no", "where"), "x")
    expect(error and "no/where" in str(error), "a refusal says what")
    expect(error and error.name == "STATUS_OBJECT_PATH_NOT_FOUND", "and which")
    expect(error and error.strerror == str(error), "in a sentence")
    expect(refused(ValueError, t.put, os.path.join(top, "a\0b"), "x"), "a NUL ends no name")
    expect(not os.path.exists(os.path.join(top, "a")), "and makes no other")
    t.rollback()
    expect(refused(ktm.RolledBack, t.commit), "what was rolled back is not committed")
    t.end()
    t.end()
    expect(refused(ktm.Error, ktm.transaction, "not/absolute"), "a home is absolute")
    expect(ktm.status_name(0xC0190015) == "STATUS_TRANSACTION_ALREADY_ABORTED", "names")
    expect(ktm.status_name(0x12345678) == "0x12345678", "and numbers")


def with_sqlite(top, home):
    """A row and a file change together, or not at all."""
    name, note = os.path.join(top, "app.db"), os.path.join(top, "note")
    with sqlite3.connect(name) as other:
        other.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount, data)")
        other.execute("INSERT INTO account VALUES(1, 100, NULL)")
    other.close()
    with ktm.transaction(home) as t:
        database = t.sqlite(name)
        expect(database is t.sqlite(name), "one part for a database")
        database.execute("UPDATE account SET amount = amount - ?, data = ? WHERE id = ?",
                         (30, b"\0x", 1))
        expect(database.rowcount == 1, "how many rows have changed")
        database.execute("INSERT INTO account VALUES(2, ?, ?)", (1.5, "zwei"))
        expect(database.execute("SELECT * FROM account") == [(1, 70, b"\0x"), (2, 1.5, "zwei")],
               "its own work is read, with its types")
        error = refused(ktm.SqliteError, database.execute, "SELECT * FROM nowhere")
        expect(error and "nowhere" in str(error) and isinstance(error, ktm.Error), "a refusal")
        expect(refused(OverflowError, database.execute, "SELECT ?", (1 << 63,)), "no number is cut")
        database.execute("SELECT 1 UNION SELECT 2")
        expect(database.rowcount == 2, "how many rows were given")
        t.put(note, "70")
    with ktm.transaction(home) as t:
        rows = t.sqlite(name)
        t.rollback()
        error = refused(ktm.Error, rows.execute, "SELECT 1")
        expect(error and error.name == "STATUS_TRANSACTION_NOT_ACTIVE", "over is over")
        expect(refused(ktm.RolledBack, t.commit), "and not committed")
        t.end()
    try:
        with ktm.transaction(home) as t:
            t.sqlite(name).execute("DELETE FROM account")
            t.delete(note)
            raise KeyError("no")
    except KeyError:
        pass
    with sqlite3.connect(name) as other:
        expect(other.execute("SELECT amount FROM account").fetchall() == [(70,), (1.5,)],
               "row and file have changed together, and not changed together")
    other.close()
    expect(os.path.exists(note), "the file too")


def with_wal(top, home):
    """A database in WAL mode is asked for, is nobody else's meanwhile, and commits with a file."""
    name, note = os.path.join(top, "wal.db"), os.path.join(top, "wal.note")
    with sqlite3.connect(name) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE t(v)")
    other.close()
    with ktm.Home(home) as kept:
        with kept.transaction() as t:
            error = refused(ktm.Error, t.sqlite, name)
            expect(error and "owns_wal" in str(error), "WAL is refused, with the way out")
        with kept.transaction() as t:
            database = t.sqlite(name, owns_wal=True)
            expect(database is t.sqlite(name, owns_wal=True), "one part for a database")
            database.execute("INSERT INTO t VALUES (1)")
            t.put(note, "1")
            other = sqlite3.connect(name, timeout=0)
            expect(refused(sqlite3.OperationalError, other.execute, "SELECT * FROM t"),
                   "nobody else reads meanwhile")
            other.close()
            error = refused(ktm.Error, t.sqlite, name)
            expect(error and error.name == "STATUS_SHARING_VIOLATION", "in one way at a time")
    with sqlite3.connect(name) as other:
        expect(other.execute("SELECT v FROM t").fetchall() == [(1,)] and os.path.exists(note),
               "a row in WAL mode and a file")
    other.close()


def several_in_one_home(top, home):
    """A home that is kept open."""
    with ktm.Home(home) as kept:
        with kept.transaction() as t:
            t.put(os.path.join(top, "first"), "1")
        with ktm.transaction(kept) as t:
            expect(t.exists(os.path.join(top, "first")), "what is there")
            expect(not t.exists(os.path.join(top, "second")), "and what is not")
            t.put(os.path.join(top, "second"), "2")
        last = kept.transaction()
    expect(refused(ValueError, kept.transaction), "what is closed is not used")
    with last:
        last.delete(os.path.join(top, "first"))
    expect(not os.path.exists(os.path.join(top, "first"))
           and os.path.exists(os.path.join(top, "second")), "a transaction keeps its home open")
    kept.close()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def example(top):
    """examples/deploy.py: a version and its files, together."""
    source, target, name = (os.path.join(top, word) for word in ("conf", "etc", "versions.db"))
    program = [sys.executable, os.path.join(SOURCE, "examples", "deploy.py"), source, target, name]
    env = dict(os.environ, KTM_HOME=os.path.join(top, "state"),
               PYTHONPATH=os.path.join(SOURCE, "python"))

    def deploy(version):
        return subprocess.run(program + [version], env=env, capture_output=True, text=True,
                              check=False)

    write(os.path.join(source, "app.conf"), "one")
    write(os.path.join(source, "conf.d", "extra"), "1")
    write(os.path.join(target, "old.conf"), "old")
    expect(deploy("v1").returncode == 0, "a version is deployed")
    os.remove(os.path.join(source, "conf.d", "extra"))
    write(os.path.join(source, "app.conf"), "two")
    again = deploy("v1")
    expect(again.returncode == 1 and "UNIQUE" in again.stderr, "a version is deployed once")
    expect(open(os.path.join(target, "app.conf"), encoding="ascii").read() == "one",
           "and with it no file is changed")
    expect(deploy("v2").stdout == "deployed v2: 1 files, 1 removed\n", "the next one is")
    with sqlite3.connect(name) as rows:
        expect(rows.execute("SELECT * FROM deployed").fetchall() == [("v1", 2), ("v2", 1)],
               "the database says so")
    rows.close()
    expect(open(os.path.join(target, "app.conf"), encoding="ascii").read() == "two"
           and not os.path.exists(os.path.join(target, "old.conf")), "and so do the files")


with tempfile.TemporaryDirectory(prefix="ktm-module.") as directory:
    commit_and_roll_back(directory, os.path.join(directory, "home"))
    other_steps(directory, os.path.join(directory, "home"))
    refusals(directory, os.path.join(directory, "home"))
    several_in_one_home(directory, os.path.join(directory, "home"))
    if facts.was_built("sqlite"):
        with_sqlite(directory, os.path.join(directory, "home"))
        with_wal(directory, os.path.join(directory, "home"))
        example(os.path.join(directory, "example"))
facts.end()
