#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/till.c: a row of SQLite and a file change together, whatever dies in between.

INV-01 INV-04 RECOV-24 RECOV-27 RECOV-32 RECOV-40 RECOV-42: the program is killed at every file mutation,
whole and torn, also while it recovers; every mutation fails once; and the power goes, with all that a
disk may forget. Afterwards both have changed or neither, and nothing is left beside the database.
Before that SQLite itself, which knows nothing of us, looks at the database: it may be refused, but what
it sees is what everybody sees in the end. All of it three times: the database prepares, or it decides as
last resource, also in WAL mode. KTM_SWEEP=full visits every point.
"""
import os
import random
import sqlite3
import subprocess

import crash
import kit
from crash import sample
from replay import History, Image

TILL = os.path.join(kit.BUILD, "examples", "till")
DONE, ROLLED_BACK, UNFINISHED = 0, 1, 3
PARK, LAST, LAST_WAL, WAL = "park", "last", "last in WAL mode", "wal"
MODES = (PARK, LAST)  # the two others: till_wal.py
OLD = {False: "bank 100 wallet 0", True: "bank 90 wallet 10"}
NEW = {False: "bank 70 wallet 30", True: "bank 60 wallet 40"}


class Lab(crash.Lab):
    """DIR of the example, in the state in which a run begins: never used, or used before."""

    def prepare(self, how):
        mode, is_used = how
        for name in ("bank", "purse"):  # apart, so that no sync of one helps the other
            os.mkdir(os.path.join(self.root, name))
        if mode in (LAST_WAL, WAL):
            link = sqlite3.connect(os.path.join(self.root, "bank", "money.db"))
            link.execute("PRAGMA journal_mode=WAL")
            link.close()
        if is_used:
            self.till(mode, "move", 10)

    def till(self, mode, verb, amount=None, **settings):
        words = [TILL, verb, self.root] + ([] if amount is None else [str(amount)])
        return self.run(words, env={"TILL": LAST if mode == LAST_WAL else mode}, **settings)

    def look(self):
        """What SQLite alone sees: an amount, "" when it is refused, or damage."""
        path = os.path.join(self.root, "bank", "money.db")
        if not os.path.exists(path):
            return ""
        try:
            link = sqlite3.connect(path, timeout=0)
        except sqlite3.Error:
            return ""
        try:
            rows = link.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'till'").fetchone()
            row = link.execute("SELECT amount FROM till").fetchone() if rows[0] else (100,)
            return f"bank {row[0]} "
        except sqlite3.OperationalError:
            return ""
        except sqlite3.DatabaseError as error:
            return f"({error}) "
        finally:
            link.close()

    def settle(self, point, promised, seen="", **settings):
        """Recovers and judges: (old or new, what is wrong)."""
        mode, is_used = point
        outcome = self.till(mode, "recover", **settings)
        if outcome.code != DONE:
            return "", f"recover said {outcome}"
        shown = self.till(mode, "show", **settings)
        text = shown.out.strip()
        if text not in (OLD[is_used], NEW[is_used]):
            return text, f"{shown}; recover said {outcome}"
        state = "new" if text == NEW[is_used] else "old"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        if seen and not text.startswith(seen):
            return state, f"SQLite saw '{seen}', and it became '{text}'"
        return state, self.leftovers(text)

    def leftovers(self, text):
        # A journal that is not hot is SQLite's business; the next transaction writes over it.
        names = [name for where in ("bank", "purse")
                 for name in os.listdir(os.path.join(self.root, where)) if "ktm" in name]
        if names or os.path.isdir(os.path.join(self.root, "bank", "money.db-journal")):
            return f"left behind: {names or 'the gate'}"
        if not text.startswith(self.look() or "nothing"):
            return f"it is '{text}', and SQLite sees '{self.look()}'"
        return ""

    def go_on(self, mode, **settings):
        before = self.till(mode, "show", **settings).out.split()
        outcome = self.till(mode, "move", 1, **settings)
        after = self.till(mode, "show", **settings).out.split()
        if outcome.code != DONE or int(after[1]) != int(before[1]) - 1:
            return f"the next move said {outcome}, and left {after}"
        return ""


def promise(verb, outcome):
    """What the program had said when it came to its end."""
    if outcome.code == DONE:
        return "new"
    return "old" if outcome.code == ROLLED_BACK or verb == "try" else ""


def hurt(lab, point):
    """Kills it there, or lets that mutation fail; everything may then happen but disagreement."""
    mode, is_used, verb, how, at = point
    lab.fresh((mode, is_used))
    outcome = lab.till(mode, verb, 30, how=how, at=at,
                       errno="EIO" if how == "fail" else None)
    if outcome.code not in (kit.KILLED, DONE, ROLLED_BACK, UNFINISHED):
        return "", f"died of something else: {outcome}"
    seen = lab.look() if at % 2 else ""
    state, problem = lab.settle((mode, is_used), promise(verb, outcome), seen)
    if not problem and at % 4 == 0:
        problem = lab.go_on(mode)
    return state, problem


def hurt_twice(lab, point):
    """Killed, and then again while it recovers."""
    mode, is_used, how, at, again = point
    lab.fresh((mode, is_used))
    lab.till(mode, "move", 30, how="before", at=at)
    outcome = lab.till(mode, "recover", how=how, at=again)
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"recover neither killed nor done: {outcome}"
    seen = lab.look() if again % 2 else ""
    return lab.settle((mode, is_used), "", seen)


# ---- the power ----

CUTS = {}


def cut_of(lab, mode, is_used, verb, lie):
    """The run whose trace is replayed, made once in each place: what it wrote has paths in it."""
    key = lab.top, mode, is_used, verb, lie
    if key not in CUTS:
        trace = os.path.join(lab.top, f"trace{len(CUTS)}")
        lab.fresh((mode, is_used))
        image = Image.scan(lab.root)
        outcome = lab.till(mode, verb, 30, trace=trace, lie=lie)
        CUTS[key] = History(image, trace), outcome
    return CUTS[key]


def lose_power(lab, point):
    mode, is_used, verb, lie, at, how, seed = point
    history, outcome = cut_of(lab, mode, is_used, verb, lie)
    length = len(history.events)
    state = history.state(min(at, length), how, random.Random(f"{at} {how} {seed}"))
    lab.make(state)
    promised = promise(verb, outcome) if at >= length else ""
    seen = lab.look() if at % 3 == 0 else ""
    settled, problem = lab.settle((mode, is_used), promised, seen, inodes=lab.inodes)
    if not problem and at % 7 == 0:
        problem = lab.go_on(mode, inodes=lab.inodes)
    return settled, problem


def lose_power_twice(lab, point):
    """In the run, and then in the recovery from that."""
    mode, at, how, again = point
    history, _ = cut_of(lab, mode, True, "move", None)
    state = history.state(at, how, random.Random(f"{at} {how}"))
    lab.make(state)
    trace = os.path.join(lab.top, "trace-of-recovery")
    for name in (trace, trace + ".data"):
        if os.path.exists(name):
            os.unlink(name)
    outcome = lab.till(mode, "recover", inodes=lab.inodes, trace=trace)
    if outcome.code != DONE:
        return "", f"recover said {outcome}"
    result = lab.look()
    second = History(state.image(), trace)
    cut = min(again, len(second.events))
    # When the recovery was over, what it made is durable.
    promised = "" if cut < len(second.events) or not result else \
        "new" if NEW[True].startswith(result) else "old"
    dice = random.Random(f"{point}")
    lab.make(second.state(cut, dice.choice(("nothing", "prefix", "subset")), dice))
    return lab.settle((mode, True), promised, inodes=lab.inodes)


def joined(lab, first, second):
    """Two traces as one: what the second program did stands on what the first had not synced."""
    path = os.path.join(lab.top, "joined")
    with open(first + ".data", "rb") as a, open(second + ".data", "rb") as b:
        data = a.read()
        shift = len(data)
        data += b.read()
    with open(first, encoding="ascii") as a, open(second, encoding="ascii") as b:
        lines = a.readlines()
        for line in b:
            words = line.split()
            for index, word in enumerate(words):
                if word.startswith("write="):
                    offset, size, at = map(int, word[len("write="):].split(","))
                    words[index] = f"write={offset},{size},{at + shift}"
            lines.append(" ".join(words) + "\n")
    with open(path, "w", encoding="ascii") as out:
        out.writelines(lines)
    with open(path + ".data", "wb") as out:
        out.write(data)
    return path


def kill_then_lose_power(lab, point):
    """Killed, recovered, and then the power goes: what the recovery read need not have been on the
    disk."""
    mode, at, back = point
    lab.fresh((mode, True))
    image = Image.scan(lab.root)
    traces = [os.path.join(lab.top, name) for name in ("killed", "recovered")]
    for name in traces:
        for path in (name, name + ".data"):
            if os.path.exists(path):
                os.unlink(path)
    lab.till(mode, "move", 30, how="before", at=at, trace=traces[0])
    lab.till(mode, "recover", trace=traces[1])
    result = lab.look()
    history = History(image, joined(lab, *traces))
    cut = max(0, len(history.events) - back)
    dice = random.Random(f"{point}")
    lab.make(history.state(cut, ("nothing", "prefix", "subset")[back % 3], dice))
    # The recovery was over: what everybody could see then stays.
    promised = "" if back or not result else "new" if NEW[True].startswith(result) else "old"
    return lab.settle((mode, True), promised, inodes=lab.inodes)


# ---- all of it ----

def measure(lab, mode, is_used, verb):
    """How many mutations a run takes, and which of them write."""
    history, outcome = cut_of(lab, mode, is_used, verb, None)
    writes = [int(words[0]) for words in history.events
              if any(word.startswith("write=") for word in words)]
    return len(history.events), writes, outcome


def check_turning_point(report, mode, states):
    """All old, then all new: one mutation decides, over both."""
    line = [states[point] for point in sorted(states, key=lambda point: point[4])]
    turn = line.index("new") if "new" in line else len(line)
    report.check(f"{mode}: one mutation decides",
                 0 < turn < len(line) and "old" not in line[turn:], f"{line}")
    return turn


def sweep_kills(report, sweep, lab, mode):
    turn = 0
    for is_used, verb in ((False, "move"), (True, "move"), (True, "try")):
        title = f"{mode}, {'used' if is_used else 'new'}, {verb}"
        length, writes, outcome = measure(lab, mode, is_used, verb)
        wanted = DONE if verb == "move" else ROLLED_BACK
        if not report.check(f"{title}: an undisturbed run", outcome.code == wanted, repr(outcome)):
            report.end()
        everywhere = range(1, length + 2)
        if kit.SANITIZED:
            everywhere, writes = sample(everywhere, 20), sample(writes, 6)
        report.say(f"{title}: {length} mutations, {len(writes)} of them writes")
        states = sweep(f"{title}: killed at every mutation", hurt,
                       [(mode, is_used, verb, "before", at) for at in everywhere])
        if verb == "move" and is_used and not kit.SANITIZED:
            turn = check_turning_point(report, mode, states)
        sweep(f"{title}: killed in the middle of every write", hurt,
              [(mode, is_used, verb, "torn", at) for at in writes])
        few = everywhere if kit.IS_FULL else sample(everywhere, 12 if kit.SANITIZED else 60)
        sweep(f"{title}: a mutation fails", hurt, [(mode, is_used, verb, "fail", at) for at in few])
    length, _, _ = measure(lab, mode, True, "move")
    firsts = range(1, length + 1) if kit.IS_FULL else sample(range(1, length + 1), 16)
    pairs = [(mode, True, "torn" if again % 3 == 0 else "before", at, again)
             for at in firsts for again in sample(range(1, 60), 59 if kit.IS_FULL else 8, at)]
    sweep(f"{mode}: killed again while recovering", hurt_twice,
          sample(pairs, 15) if kit.SANITIZED else pairs)
    return turn


def power_points(mode, is_used, verb, lie, cuts, seeds=1):
    for at in cuts:
        yield mode, is_used, verb, lie, at, "nothing", 0
        for seed in range(seeds):
            yield mode, is_used, verb, lie, at, "prefix", seed
            yield mode, is_used, verb, lie, at, "subset", seed


def sweep_power(report, sweep, lab, mode, turn):
    for is_used, verb, count in ((False, "move", 30), (True, "move", 1000), (True, "try", 30)):
        length, _, _ = measure(lab, mode, is_used, verb)
        cuts = range(length + 1)
        cuts = cuts if kit.IS_FULL else sample(cuts, 8 if kit.SANITIZED else count)
        sweep(f"{mode}, {'used' if is_used else 'new'}, {verb}: power lost", lose_power,
              list(power_points(mode, is_used, verb, None, cuts, 5 if kit.IS_FULL else 1)))
    length, _, _ = measure(lab, mode, True, "move")
    cuts = range(length + 1)
    pairs = [(mode, at, how, again) for at in (cuts if kit.IS_FULL else sample(cuts, 16))
             for how in ("nothing", "subset")
             for again in sample(range(60), 20 if kit.IS_FULL else 3, at)]
    sweep(f"{mode}: power lost again while recovering", lose_power_twice,
          sample(pairs, 10) if kit.SANITIZED else pairs)
    points = [(mode, at, back) for at in cuts[1:]
              for back in (range(24) if kit.IS_FULL else (0, at % 5 + 1))]
    # Behind the decision everybody reads it, and it may not be on the disk.
    points += [(mode, at, back) for at in range(turn, turn + 4) for back in range(24)]
    sweep(f"{mode}: killed, recovered, and then power lost", kill_then_lose_power,
          sample(points, 10) if kit.SANITIZED else points)
    # WAL has no names that come and go.
    for lie in ("file-sync",) if mode == LAST_WAL else ("file-sync", "directory-sync"):
        # Without syncs it cannot be done, and this shows; else all that is above would prove
        # nothing.
        broken = crash.count_broken(lose_power, Lab, list(
            power_points(mode, True, "move", lie, sample(cuts, 24), 2)))
        report.check(f"{mode}: a missing {lie} is found", broken > 0)
        report.say(f"{mode}, without {lie}: {broken} states are broken")


def main():
    report = kit.Report()
    if not os.path.exists(TILL):
        report.skip("everything", "libsqlite3-dev is not installed, so it was not built")
        report.end()
    kit.must_be_built(kit.KTM)
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        lab = Lab("reference")
        sweep = crash.sweeper(Lab)
        report.check("wrong use is told", subprocess.run([TILL, "move"], check=False,
                                                         capture_output=True).returncode == 2)
        for mode in MODES:
            turn = sweep_kills(report, sweep, lab, mode)
            sweep_power(report, sweep, lab, mode, max(turn, 1))
    report.end()


if __name__ == "__main__":
    main()
