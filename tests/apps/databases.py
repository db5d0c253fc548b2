#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python module and the databases of servers: rows, files and each other, together or not."""
import datetime
import decimal
import os
import tempfile
import threading
import time

import facts
from facts import expect, ktm, refused
from servers import NoServer, Server

SECRET = "open-sesame"


def is_secret(error):
    return error and SECRET not in str(error) and SECRET not in repr(error)


class Base:
    """What both kinds of servers have to do; subclasses say how each is reached and written to."""

    def __init__(self, server, top):
        self.server = server
        self.top = top
        self.home = ktm.Home(os.path.join(top, "home-" + self.kind))
        self.note = os.path.join(top, "note-" + self.kind)
        server.ask("CREATE TABLE account (id INT PRIMARY KEY, amount INT NOT NULL)" + self.engine)
        server.ask("INSERT INTO account VALUES (1, 100), (2, 0)")

    def amount(self, account):
        return int(self.server.ask(f"SELECT amount FROM account WHERE id = {account}"))

    def sql(self, text):
        """With places as '?' in all of them."""
        for at in range(1, text.count("?") + 1):
            text = text.replace("?", self.place.format(at), 1)
        return text

    def run(self, t, text, parameters=()):
        return self.of(t).execute(self.sql(text), parameters)

    # ---- tests ----

    def together(self):
        with self.home.transaction() as t:
            rows = self.of(t)
            expect(rows is self.of(t), "one part for a database")
            expect(self.run(t, "UPDATE account SET amount = amount - ? WHERE id = ?", (30, 1)) == [],
                   "no rows")
            expect(rows.rowcount == 1, f"{self.kind}: how many rows have changed", rows.rowcount)
            self.run(t, "UPDATE account SET amount = amount + 1")
            expect(rows.rowcount == 2, f"{self.kind}: and now", rows.rowcount)
            expect(self.run(t, "SELECT id, amount FROM account ORDER BY id") == [(1, 71), (2, 1)],
                   "its own work is read, with its types")
            expect(rows.rowcount == 2, "how many rows were given")
            t.put(self.note, "71")
            expect(self.amount(1) == 100, "nobody else sees it")
        expect(self.amount(1) == 71 and os.path.exists(self.note), "committed, both")
        try:
            with self.home.transaction() as t:
                self.run(t, "DELETE FROM account")
                t.delete(self.note)
                raise KeyError("no")
        except KeyError:
            pass
        expect(self.amount(1) == 71 and os.path.exists(self.note), "rolled back, both")
        expect(refused(ValueError, rows.execute, "SELECT 1"), "what has ended is not used")

    def values(self):
        odd = "ünï😀 ' \\ \" $1 ? %s\n"
        with self.home.transaction() as t:
            for value in (None, odd, "", "NULL"):
                got = self.run(t, self.text, (value,))
                expect(got == [(value,)], f"{self.kind}: {value!r} comes back", repr(got))
            for sql, parameters, wanted in self.typed:
                got = self.run(t, sql, parameters)
                expect(got == [wanted] and [type(v) for v in got[0]] == [type(v) for v in wanted],
                       f"{self.kind}: {wanted!r} comes back from {sql}", repr(got))
            expect(refused(ValueError, self.run, t, self.text, ("a\0b",)), "a NUL is refused")
            expect(refused(TypeError, self.run, t, self.text, "ab"), "a text is no sequence")
            expect(refused(TypeError, self.run, t, self.text, ([],)), "a list is no value")
        with self.home.transaction() as t:
            t_name = self.temporary(t)
            self.run(t, f"INSERT INTO {t_name} VALUES (?)", (odd,))
        expect(self.server.ask(f"SELECT count(*) FROM {t_name} WHERE name = {self.odd}") == "1",
               f"{self.kind}: what the server has is what was meant")

    def refusals(self):
        t = self.home.transaction()
        error = refused(ktm.Error, self.run, t, "UPDATE nowhere SET amount = 1")
        expect(error and "nowhere" in str(error) and "corrected" in str(error)
               and error.name == "STATUS_INVALID_PARAMETER", "the server's words, and what to do",
               repr(error))
        t.end()
        t = self.home.transaction()
        self.run(t, "UPDATE account SET amount = 0")
        error = refused(ktm.Error, t.put, os.path.join(self.top, "no", "where"), "x")
        expect(error and "no/where" in str(error), "a file's refusal is the file's", repr(error))
        t.rollback()
        expect(refused(ktm.Error, self.run, t, "SELECT 1"), "over is over")
        expect(refused(ktm.RolledBack, t.commit), "what was rolled back is not committed")
        t.end()
        expect(self.amount(1) == 71, "nothing has happened")

    def secrets(self):
        for connect in self.wrong:
            with self.home.transaction() as t:
                error = refused(ktm.Error, connect, t)
                expect(is_secret(error), f"{self.kind}: a refusal without secrets", repr(error))

    def conflict(self):
        """Two in each other's way: one is told to try again, and threads run meanwhile."""
        first, second = self.home.transaction(), self.home.transaction()
        self.run(second, self.impatient)
        self.run(first, "UPDATE account SET amount = amount WHERE id = 1")
        error = refused(ktm.Conflict, self.run, second, "UPDATE account SET amount = 5 WHERE id = 1")
        expect(error and "again" in str(error), "a conflict", repr(error))
        second.end()
        first.end()

    def others_run(self):
        """A statement that takes its time does not stop the interpreter."""
        turns, is_over = [0], threading.Event()

        def turn():
            while not is_over.is_set():
                turns[0] += 1
                time.sleep(0.001)

        thread = threading.Thread(target=turn)
        with self.home.transaction() as t:
            self.of(t)
            thread.start()
            self.run(t, self.slow)
            is_over.set()
        thread.join()
        expect(turns[0] > 20, f"{self.kind}: other threads run", turns[0])

    def threads(self):
        """Each with transactions of its own, in one home."""
        failures = []

        def work(name):
            try:
                for turn in range(5):
                    with self.home.transaction() as t:
                        self.run(t, "INSERT INTO account VALUES (?, ?)", (name * 100 + turn, 1))
                        t.put(os.path.join(self.top, f"{self.kind}{name}.{turn}"), "x")
            except Exception as error:  # shown by the test
                failures.append(error)

        workers = [threading.Thread(target=work, args=(name,)) for name in range(1, 5)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        expect(not failures, f"{self.kind}: nobody fails", repr(failures))
        expect(self.server.ask("SELECT count(*) FROM account WHERE id >= 100") == "20"
               and all(os.path.exists(os.path.join(self.top, f"{self.kind}{name}.{turn}"))
                       for name in range(1, 5) for turn in range(5)), "rows and files")

    def server_dies(self):
        """In the middle: told as that; afterwards it goes on in the same home."""
        t = self.home.transaction()
        self.run(t, "UPDATE account SET amount = 0 WHERE id = 1")
        t.put(self.note, "0")
        self.server.kill()
        error = refused(ktm.Disconnected, self.run, t, "SELECT 1")
        expect(error and "reached" in str(error), f"{self.kind}: a lost connection", repr(error))
        expect(refused(ktm.RolledBack, t.commit), "and nothing happens")
        t.end()
        with self.home.transaction() as t:
            error = refused(ktm.Error, self.of, t)
            error = error or refused(ktm.Error, self.run, t, "SELECT 1")
            expect(isinstance(error, ktm.Disconnected), f"{self.kind}: no server", repr(error))
        self.server.again()
        expect(self.amount(1) == 71 and open(self.note, encoding="ascii").read() == "71",
               "both as before")
        with self.home.transaction() as t:
            self.run(t, "UPDATE account SET amount = amount - 1 WHERE id = 1")
            t.put(self.note, "70")
        expect(self.amount(1) == 70, "and then it goes on")

    def all(self):
        self.together()
        self.values()
        self.refusals()
        self.secrets()
        self.conflict()
        self.others_run()
        self.threads()
        self.server_dies()
        self.home.close()


class Postgres(Base):
    kind, engine, place = "postgres", "", "${}"
    text = "SELECT ?::text"
    odd = "E'ünï😀 '' \\\\ \" $1 ? %s\\n'"
    typed = (
        ("SELECT true, 5::int2, 7::int8, 1.5::float8, 2.50::numeric, 'x'::bytea", (),
         (True, 5, 7, 1.5, decimal.Decimal("2.50"), b"x")),
        ("SELECT ?::bytea, ?::bool, ?::int, ?::float8", (b"\0\xff\\", True, -3, 0.1),
         (b"\0\xff\\", True, -3, 0.1)),
        ("SELECT ?::date, ?::numeric, ?::float8", (datetime.date(2024, 2, 29),
                                                  decimal.Decimal("1e-7"), float("inf")),
         ("2024-02-29", decimal.Decimal("1e-7"), float("inf"))),
    )
    impatient = "SET LOCAL lock_timeout = '50ms'"
    slow = "SELECT pg_sleep(0.2)"

    def of(self, t):
        return t.postgres(self.server.where)

    def temporary(self, t):
        self.run(t, "CREATE TABLE odd (name text)")
        return "odd"

    @property
    def wrong(self):
        where = self.server.where.replace("user=ktm", "user=nobody-here")
        return [lambda t: t.postgres(f"{where} password={SECRET}"),
                lambda t: t.postgres(f"password={SECRET} {SECRET}"),
                lambda t: t.postgres(f"postgresql://a:{SECRET}@[::bad"),
                lambda t: t.postgres(f"host=/nowhere password='{SECRET}' port=x")]


class Mariadb(Base):
    kind, engine, place = "mariadb", " ENGINE=InnoDB", "?"
    text = "SELECT ?"
    odd = "'ünï😀 '' \\\\ \" $1 ? %s\\n'"
    typed = (
        ("SELECT 5, CAST(1.5 AS DOUBLE), 2.50, CAST('x' AS BINARY(1))", (),
         (5, 1.5, decimal.Decimal("2.50"), b"x")),
        ("SELECT CAST(? AS INTEGER), ? + 1, UNHEX(?)", (-3, True, b"\0\xff".hex()),
         (-3, 2.0, b"\0\xff")),
        ("SELECT CAST(? AS DATE)", (datetime.date(2024, 2, 29),), ("2024-02-29",)),
    )
    impatient = "SET innodb_lock_wait_timeout = 0"
    slow = "SELECT SLEEP(0.2)"

    def of(self, t):
        return t.mariadb("shop", socket=self.server.where, user="root")

    def temporary(self, t):
        self.server.ask("CREATE TABLE odd (name VARCHAR(100)) CHARACTER SET utf8mb4 ENGINE=InnoDB")
        return "odd"

    def values(self):
        super().values()
        with self.home.transaction() as t:
            error = refused(TypeError, self.run, t, self.text, (b"x",))
            expect(error and "UNHEX" in str(error), "bytes: how they travel")

    @property
    def wrong(self):
        where = {"socket": self.server.where, "user": "nobody-here", "password": SECRET}
        options = os.path.join(self.top, "my.cnf")
        with open(options, "w", encoding="ascii") as file:
            file.write(f"[client]\nsocket={self.server.where}\nuser=nobody\npassword={SECRET}\n")
        return [lambda t: t.mariadb("shop", **where),
                lambda t: t.mariadb("shop", defaults_file=options),
                lambda t: t.mariadb("nowhere", **where)]


def transfer(top, one, other):
    """Between two servers, with a file as the receipt."""
    home, receipt = os.path.join(top, "home-both"), os.path.join(top, "receipt")
    with ktm.transaction(home) as t:
        one.run(t, "UPDATE account SET amount = amount - 20 WHERE id = 1")
        other.run(t, "UPDATE account SET amount = amount + 20 WHERE id = 2")
        t.put(receipt, "20")
    expect(one.amount(1) == 50 and other.amount(2) == 21 and os.path.exists(receipt), "all three")
    t = ktm.transaction(home)
    one.run(t, "UPDATE account SET amount = amount - 20 WHERE id = 1")
    other.run(t, "UPDATE account SET amount = amount + 20 WHERE id = 2")
    t.delete(receipt)
    other.server.kill()
    expect(refused(ktm.RolledBack, t.commit), "one server is gone: all is rolled back")
    t.end()
    other.server.again()
    expect(one.amount(1) == 50 and other.amount(2) == 21 and os.path.exists(receipt), "none of three")


def main():
    open_servers = []
    with tempfile.TemporaryDirectory(prefix="ktm-databases.") as top:
        for kind in (Postgres, Mariadb):
            try:
                open_servers.append(kind(Server(kind.kind), top))
            except NoServer as error:
                facts.skip(kind.kind, error)
        try:
            for base in open_servers:
                base.all()
            if len(open_servers) == 2:
                transfer(top, *open_servers)
        finally:
            for base in open_servers:
                base.server.close()
    facts.end()


if __name__ == "__main__":
    main()
