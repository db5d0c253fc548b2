#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/till_tx.c: a row by a switch of XA and a file, in a transaction of X/Open TX.

INV-01 INV-04 RECOV-24 RECOV-27 RECOV-32: the program is killed at file mutations, whole and torn, also
while it recovers, mutations fail, and the power goes; till.py judges what is left. Its helper processes
are hurt by nothing but its death, and then, in another round, they count mutations of their own and die
of them, too.
"""
import os
import subprocess

import crash
import kit
import till
from crash import sample

TILL_TX = os.path.join(kit.BUILD, "examples", "till_tx")
SWITCH = os.path.join(kit.BUILD, "libktm-sqlite-xa.so")
HELPER = os.path.join(kit.BUILD, "ktm-xa-helper")
ALONE, BOTH = "alone", "both"  # who is killed


class Lab(till.Lab):
    def prepare(self, how):
        mode, is_used = how
        for name in ("bank", "purse", "state"):
            os.mkdir(os.path.join(self.root, name))
        self.write("tx.conf", f"home={self.root}/state\n"
                   f"switch={SWITCH} info={self.root}/bank/money.db\n")
        # Helpers that nothing is preloaded into.
        self.write("helper", f"#!/bin/sh\nexec env -u LD_PRELOAD {HELPER} \"$@\"\n")
        os.chmod(os.path.join(self.root, "helper"), 0o755)
        checked = subprocess.run(
            [kit.KTM, "xa", "check", "--home", f"{self.root}/state", "--work",
             os.path.join(kit.BUILD, "tests", "xa-on_sqlite.so"), SWITCH, f"{self.top}/gate.db?busy=100"],
            check=False, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        if is_used:
            self.till(mode, "move", 10)

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="ascii") as file:
            file.write(text)

    def till(self, mode, verb, amount=None, **settings):
        words = [TILL_TX, verb, self.root] + ([] if amount is None else [str(amount)])
        helper = HELPER if mode == BOTH else os.path.join(self.root, "helper")
        return self.run(words, env={"KTM_XA_HELPER": helper}, **settings)

    def leftovers(self, text):
        names = [name for name in os.listdir(os.path.join(self.root, "bank")) if "-xa." in name]
        return f"left behind: {names}" if names else super().leftovers(text)


def count(lab, mode, is_used, verb):
    """How many mutations the program's own process makes, and an undisturbed run's outcome."""
    trace = os.path.join(lab.top, f"trace-{is_used}-{verb}")
    lab.fresh((mode, is_used))
    outcome = lab.till(mode, verb, 30, trace=trace)
    with open(trace, encoding="ascii") as file:
        return len(file.readlines()), outcome


def sweep_kills(report, sweep, lab):
    for is_used, verb in ((False, "move"), (True, "move"), (True, "try")):
        title = f"{'used' if is_used else 'new'}, {verb}"
        length, outcome = count(lab, ALONE, is_used, verb)
        wanted = till.DONE if verb == "move" else till.ROLLED_BACK
        if not report.check(f"{title}: an undisturbed run", outcome.code == wanted, repr(outcome)):
            report.end()
        everywhere = list(range(1, length + 2))
        report.say(f"{title}: {length} mutations")
        some = everywhere if kit.IS_FULL else sample(everywhere, 12 if kit.SANITIZED else 36)
        states = sweep(f"{title}: killed at mutations", till.hurt,
                       [(ALONE, is_used, verb, "before", at) for at in some])
        if verb == "move":
            line = [states[point] for point in sorted(states, key=lambda point: point[4])]
            turn = line.index("new") if "new" in line else len(line)
            report.check(f"{title}: one mutation decides",
                         0 < turn < len(line) and "old" not in line[turn:], f"{line}")
        few = everywhere if kit.IS_FULL else sample(everywhere, 6 if kit.SANITIZED else 12)
        for how in ("torn", "fail"):
            sweep(f"{title}: {how} at a mutation", till.hurt,
                  [(ALONE, is_used, verb, how, at) for at in few])
    # Whoever comes to that number first dies, also the helpers of the next start.
    few = sample(range(1, 60), 8 if kit.SANITIZED else 59 if kit.IS_FULL else 24)
    sweep("helpers are killed as well", till.hurt, [(BOTH, True, "move", "before", at) for at in few])
    length, _ = count(lab, ALONE, True, "move")
    firsts = sample(range(1, length + 1), 60 if kit.IS_FULL else 10)
    pairs = [(ALONE, True, "before", at, again)
             for at in firsts for again in sample(range(1, 50), 20 if kit.IS_FULL else 4, at)]
    sweep("killed again while recovering", till.hurt_twice,
          sample(pairs, 8) if kit.SANITIZED else pairs)


def sweep_power(report, sweep, lab):
    """What helpers write is not in the trace: nothing that stays, when the database is there."""
    length, _, _ = till.measure(lab, ALONE, True, "move")
    cuts = range(length + 1)
    cuts = cuts if kit.IS_FULL else sample(cuts, 6 if kit.SANITIZED else 40)
    sweep("power lost", till.lose_power, list(till.power_points(ALONE, True, "move", None, cuts)))
    for lie in ("file-sync", "directory-sync"):
        broken = crash.count_broken(till.lose_power, Lab, list(
            till.power_points(ALONE, True, "move", lie, sample(range(length + 1), 12))))
        report.check(f"a missing {lie} is found", broken > 0)
        report.say(f"without {lie}: {broken} states are broken")


def main():
    report = kit.Report()
    if not os.path.exists(TILL_TX):
        report.skip("everything", "libsqlite3-dev is not installed, so it was not built")
        report.end()
    kit.must_be_built(kit.KTM)
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, {"hurt": till.hurt, "hurt_twice": till.hurt_twice})
        lab = Lab("reference")
        report.check("wrong use is told", subprocess.run([TILL_TX, "move"], check=False,
                                                         capture_output=True).returncode == 2)
        sweep_kills(report, crash.sweeper(Lab), lab)
        sweep_power(report, crash.sweeper(Lab), lab)
    report.end()


if __name__ == "__main__":
    main()
