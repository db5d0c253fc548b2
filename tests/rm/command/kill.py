#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""'ktm apply' with a file, a row of SQLite, also in WAL mode, and one of PostgreSQL is killed at every
file mutation.

INV-01 RECOV-24 RECOV-32: whole and torn, also while it recovers; now and then the server dies with it,
and comes back after 'ktm recover' has missed it. Afterwards all three have changed or none, nothing is
prepared, and the next change set works. Each point goes on in the home that the last one has left, for
the server is not set back either. KTM_SWEEP=full visits every point.
"""
import json
import os
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples"))
sys.path.insert(0, os.path.join(HERE, "..", "servers"))

import crash  # noqa: E402
import kit  # noqa: E402
from servers import NoServer, Server  # noqa: E402

COMMITTED, ROLLED_BACK, UNFINISHED = 0, 1, 3
TABLE = "CREATE TABLE items (item bigint PRIMARY KEY)"


class Desk:
    """A home with a file and a database, and perhaps a server."""

    def __init__(self, top, server, in_wal_mode=False):
        self.top, self.server, self.item, self.in_wal_mode = top, server, 0, in_wal_mode
        self.home = os.path.join(top, "home")
        self.database = os.path.join(top, "data", "app.db")
        os.mkdir(os.path.join(top, "data"))
        link = sqlite3.connect(self.database)
        link.execute(f"PRAGMA journal_mode={'WAL' if in_wal_mode else 'DELETE'}")
        link.execute(TABLE)
        link.close()
        if server:
            server.ask(TABLE)

    def file(self, item):
        return os.path.join(self.top, "data", f"item{item}")

    def ktm(self, *words, **settings):
        env = {"KTM_HOME": self.home}
        if any(settings.values()):
            env.update(kit.shimmed(self.top, **settings))
        return kit.run([kit.KTM, *words], env)

    def apply(self, **settings):
        self.item += 1
        sql = f"INSERT INTO items VALUES ({self.item})"
        steps = [{"put": {"to": self.file(self.item), "text": str(self.item)}},
                 {"sqlite": {"database": self.database, "sql": sql, "rows": 1,
                             "owns_wal": self.in_wal_mode}}]
        if self.server:
            steps.append({"postgres": {"database": self.server.where, "sql": sql, "rows": 1}})
        path = os.path.join(self.top, "set.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"steps": steps}, file)
        return self.ktm("apply", path, **settings)

    def who_has(self, item):
        link = sqlite3.connect(self.database)
        rows = link.execute("SELECT count(*) FROM items WHERE item = ?", (item,)).fetchone()[0]
        link.close()
        has = [os.path.exists(self.file(item)), rows == 1]
        if self.server:
            has.append(self.server.ask(f"SELECT count(*) FROM items WHERE item = {item}") == "1")
        return has

    def settle(self, promised):
        """(old or new, what is wrong)"""
        outcome = self.ktm("recover")
        if outcome.code != COMMITTED:
            return "", f"recover said {outcome}"
        has = self.who_has(self.item)
        if len(set(has)) != 1:
            return "", f"file, SQLite, PostgreSQL: {has}; recover said {outcome}"
        state = "new" if has[0] else "old"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        if self.server and self.server.ask("SELECT count(*) FROM pg_prepared_xacts") != "0":
            return state, "something is still prepared"
        names = [name for name in os.listdir(os.path.dirname(self.database)) if "ktm" in name]
        return state, f"left behind: {names}" if names else ""

    def lose_server(self):
        """What is wrong."""
        self.server.kill()
        missed = self.ktm("recover")
        self.server.again()
        return "" if missed.code in (COMMITTED, UNFINISHED) else f"recover said {missed}"

    def hurt(self, how, at, again=0, with_server=False):
        outcome = self.apply(how=how, at=at)
        if outcome.code not in (kit.KILLED, COMMITTED, ROLLED_BACK):
            return "", f"died of something else: {outcome}"
        if again:
            second = self.ktm("recover", how="before", at=again)
            if second.code not in (kit.KILLED, COMMITTED):
                return "", f"recover neither killed nor done: {second}"
        problem = self.lose_server() if with_server and self.server else ""
        promised = {COMMITTED: "new", ROLLED_BACK: "old"}.get(outcome.code, "")
        state, other = self.settle(promised)
        return state, problem or other


def campaign(report, name, desk):
    first = desk.apply()
    report.check(f"{name}: a change set works", first.code == COMMITTED, str(first))
    counter = os.path.join(desk.top, "count")
    desk.apply(count=counter)
    mutations = kit.count_of(counter)
    whole = range(1, mutations + 2)
    points = [("before", at, 0, False) for at in crash.sample(whole, 40)]
    points += [("torn", at, 0, False) for at in crash.sample(whole, 12)]
    points += [("before", at, again, False)
               for at in crash.sample(whole, 6) for again in crash.sample(range(1, 30), 4)]
    if desk.server:
        points += [("before", at, 0, True) for at in crash.sample(whole, 12)]
    states, broken = {"old": 0, "new": 0, "": 0}, []
    for point in points:
        state, problem = desk.hurt(*point)
        states[state] += 1
        if problem:
            broken.append((point, problem))
    for point, problem in broken[:5]:
        report.say(f"{name}: {point}: {problem}")
    report.check(f"{name}: all or nothing at {len(points)} points", not broken,
                 f"{len(broken)} broken")
    report.check(f"{name}: there are points before and behind the decision",
                 states["old"] and states["new"], str(states))
    last = desk.apply()
    report.check(f"{name}: the next change set works", last.code == COMMITTED, str(last))
    report.say(f"{name}: {mutations} mutations, {len(points)} points, {states}")


def main():
    report = kit.Report()
    with kit.Place() as place:
        if not place.path:
            report.skip("all", place.why)
            report.end()
        os.makedirs(os.path.join(place.path, "alone"))
        campaign(report, "file and SQLite", Desk(os.path.join(place.path, "alone"), None))
        os.makedirs(os.path.join(place.path, "wal"))
        campaign(report, "SQLite in WAL mode", Desk(os.path.join(place.path, "wal"), None, True))
        try:
            with Server("postgres") as server:
                os.makedirs(os.path.join(place.path, "served"))
                campaign(report, "with PostgreSQL",
                         Desk(os.path.join(place.path, "served"), server))
        except NoServer as reason:
            report.skip("with PostgreSQL", str(reason))
    report.end()


if __name__ == "__main__":
    main()
