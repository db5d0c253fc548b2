#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/transfer.cpp: a row of PostgreSQL and a row of MariaDB change together, whatever dies.

INV-01 INV-04 RECOV-24 RECOV-27 RECOV-32 RECOV-40 RECOV-42: the program is killed at every file mutation
and before and after everything it says to a server, also while it recovers; each server, and both, are
killed at every such word, with the program and without; every mutation fails once; and the machine
with the log loses its power. Afterwards both accounts have changed or neither, and nothing is left
prepared. KTM_SWEEP=full visits every point.
"""
import os

import crash
import kit
import served
from crash import sample
from served import NoServer, points_of, wired

TRANSFER = os.path.join(kit.BUILD, "examples", "transfer")
DONE, ROLLED_BACK, WRONG_USE, UNKNOWN = 0, 1, 2, 3
BOTH = ("postgres", "mariadb")
VICTIMS = (BOTH[:1], BOTH[1:], BOTH)
OLD, NEW = "PostgreSQL 100 MariaDB 0", "PostgreSQL 70 MariaDB 30"


class Lab(served.Lab):
    KINDS = BOTH

    def furnish(self):
        super().furnish()
        self.options = os.path.join(self.top, "my.cnf")
        with open(self.options, "w", encoding="ascii") as file:
            file.write(f"[client]\nsocket={self.servers['mariadb'].where}\nuser=root\n")
        self.servers["mariadb"].ask("CREATE DATABASE bank")
        for kind, server in self.servers.items():
            table = self.table(kind)
            server.ask(f"CREATE TABLE {table} (owner VARCHAR(40) PRIMARY KEY, "
                       "amount INTEGER NOT NULL)")
            server.ask(f"INSERT INTO {table} VALUES ('shop', 0)")

    @staticmethod
    def table(kind):
        return "bank.account" if kind == "mariadb" else "account"

    def prepare(self, how):
        if how == "used":
            self.set_amounts()
            self.transfer("move", 0)

    def set_amounts(self):
        for kind, amount in zip(BOTH, (100, 0)):
            self.servers[kind].ask(f"UPDATE {self.table(kind)} SET amount = {amount}")

    def fresh(self, how):
        super().fresh(how)
        self.set_amounts()

    def words(self, verb, amount=None):
        words = [TRANSFER, os.path.join(self.root, "home"), self.servers["postgres"].where,
                 self.options, verb]
        return words if amount is None else words + [str(amount)]

    def transfer(self, verb, amount=None, env=None, **settings):
        return self.run(self.words(verb, amount), env, **settings)

    def settle(self, promised, **settings):
        """Looks, which recovers, and judges: (old or new, what is wrong)."""
        outcome = self.transfer("show", **settings)
        text = outcome.out.strip()
        if outcome.code != DONE or text not in (OLD, NEW):
            return text, f"show said {outcome}"
        state = "new" if text == NEW else "old"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        amounts = [self.servers[kind].ask(f"SELECT amount FROM {self.table(kind)}") for kind in BOTH]
        if "PostgreSQL {} MariaDB {}".format(*amounts) != text:
            return state, f"it shows '{text}', and the servers have {amounts}"
        return state, self.prepared()

    def go_on(self, state, **settings):
        outcome = self.transfer("move", 1, **settings)
        shown = self.transfer("show", **settings).out.strip()
        wanted = "PostgreSQL 69 MariaDB 31" if state == "new" else "PostgreSQL 99 MariaDB 1"
        return "" if shown == wanted else f"the next move said {outcome}, and left '{shown}'"

    def judge(self, outcome, turn, **settings):
        if (outcome.code not in (kit.KILLED, DONE, ROLLED_BACK, UNKNOWN)
                or (outcome.code == ROLLED_BACK and "nothing was changed" not in outcome.out)):
            return "", f"died of something else: {outcome}"
        promised = {DONE: "new", ROLLED_BACK: "old"}.get(outcome.code, "")
        state, problem = self.settle(promised, **settings)
        if not problem and turn % 4 == 0:
            problem = self.go_on(state, **settings)
        return state, problem


def hurt(lab, point):
    """At a file mutation."""
    how, kind, at = point
    lab.fresh(how)
    errno = "EIO" if kind == "fail" else None
    return lab.judge(lab.transfer("move", 30, how=kind, at=at, errno=errno), at)


def hush(lab, point):
    """At a word to a server."""
    how, kind, at = point
    lab.fresh(how)
    return lab.judge(lab.transfer("move", 30, wired(how=kind, at=at)), at)


def hush_twice(lab, point):
    """And again while it recovers."""
    kind, at, again = point
    lab.fresh("used")
    lab.transfer("move", 30, wired(how=kind, at=at))
    outcome = lab.transfer("show", env=wired(how=("before", "after")[again % 2], at=again))
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"show neither killed nor done: {outcome}"
    return lab.settle("")


def lose_server(lab, point):
    victims, with_client, at = point
    lab.fresh("used")
    return lab.judge(lab.stopped(lab.words("move", 30), at, victims, with_client), at)


def lose_power(lab, point):
    lie, at, mode = point
    lab.fresh("used")
    outcome = lab.killed_without_power(
        lambda **settings: lab.transfer("move", 30, **settings), at, mode, lie)
    return lab.judge(outcome, at, inodes=lab.inodes)


def check_use(report, lab):
    lab.fresh("new")
    for words, code, text in (
            (("show",), DONE, OLD), (("move", 30), DONE, ""), (("show",), DONE, NEW),
            (("move", 71), ROLLED_BACK, "transfer: nothing was changed: there is not so much money"),
            (("move",), WRONG_USE, "usage: transfer HOME CONNINFO OPTIONS move AMOUNT|show"),
            (("show",), DONE, NEW)):
        outcome = lab.transfer(*words)
        report.check(f"transfer {words}", (outcome.code, outcome.out.strip()) == (code, text),
                     repr(outcome))


def sweep_all(report, lab):
    sweep = crash.sweeper(Lab)
    counter = os.path.join(lab.top, "count")
    for how, count in (("new", 8), ("used", 16)):
        lab.fresh(how)
        outcome = lab.transfer("move", 30, count=counter)
        mutations = kit.count_of(counter)
        lab.fresh(how)
        again = lab.transfer("move", 30, wired(count=counter))
        said = kit.count_of(counter)
        report.check(f"{how}: undisturbed runs", outcome.code == again.code == DONE, repr(outcome))
        report.say(f"{how}: {mutations} mutations, {said} words to servers")
        states = sweep(f"{how}: killed at file mutations", hurt,
                       [(how, "before", at) for at in points_of(mutations, count)])
        served.check_turning_point(report, states)
        states = sweep(f"{how}: killed before a word", hush,
                       [(how, "before", at) for at in points_of(said, count)])
        served.check_turning_point(report, states)
        sweep(f"{how}: killed after a word", hush,
              [(how, "after", at) for at in points_of(said, count)])
    sweep("a mutation fails", hurt, [("used", "fail", at) for at in points_of(mutations, 8)])
    sweep("killed in the middle of a write", hurt,
          [("used", "torn", at) for at in points_of(mutations, 6)])
    sweep("killed again while recovering", hush_twice,
          [(kind, at, again) for kind in ("before", "after")
           for at in sample(range(said // 2, said + 1), said if kit.IS_FULL else 4)
           for again in sample(range(1, said + 1), said if kit.IS_FULL else 5, at)])
    for victims in VICTIMS:
        for with_client in (False, True):
            title = " and ".join(victims + ("the program",) * with_client)
            sweep(f"killed at a word: {title}", lose_server,
                  [(victims, with_client, at) for at in points_of(said, 5)])
    sweep("the power of the machine with the log", lose_power,
          [(None, at, mode) for at in points_of(mutations, 8)
           for mode in served.CUTS])
    broken = crash.count_broken(lose_power, Lab, [("file-sync", at, "nothing")
                                                  for at in range(mutations - 10, mutations)])
    report.check("a missing sync is found", broken > 0)


def main():
    report = kit.Report()
    if not os.path.exists(TRANSFER):
        report.skip("everything", "it was not built: a client library or a C++ compiler is missing")
        report.end()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        try:
            lab = Lab("reference")
        except NoServer as error:
            report.skip("everything", error)
            report.end()
        check_use(report, lab)
        sweep_all(report, lab)
    report.end()


if __name__ == "__main__":
    main()
