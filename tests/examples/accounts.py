#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/rm_user.c and examples/rm_kernel.c: two accounts, and money that never gets lost.

INV-01 INV-14 RM-RECOVER-01 RECOV-04 RECOV-20 RECOV-27 RECOV-32: each program is killed at every file
mutation of a transfer, whole and torn, also while it recovers; mutations fail; the power goes, with all
that a disk may forget. After the next start both accounts have what was transferred, or neither has.
KTM_SWEEP=full visits every point.
"""
import os
import random
import re

import crash
import kit
from crash import sample
from replay import History, Image

EXAMPLES = os.path.join(kit.BUILD, "examples")
AMOUNT = 30
DONE, WRONG_USE, STOPPED = 0, 2, 3
OLD, NEW = (100, 0), (100 - AMOUNT, AMOUNT)


class Lab(crash.Lab):
    """DIR of an example; 'how' is the program, and whether it was used before."""

    def prepare(self, how):
        program, is_used = how
        if is_used:
            self.run([os.path.join(EXAMPLES, program), self.root, "5"])
            self.run([os.path.join(EXAMPLES, program), self.root, "-5"])

    def call(self, program, *words, **settings):
        return self.run([os.path.join(EXAMPLES, program), self.root, *words], **settings)

    def settle(self, program, promised, **settings):
        """Starts it again and judges: (old or new, what is wrong)."""
        outcome = self.call(program, **settings)
        found = re.search(r"^left (-?\d+) right (-?\d+)$", outcome.out, re.MULTILINE)
        if outcome.code != DONE or not found:
            return "", f"started again, it said {outcome}"
        state = {OLD: "old", NEW: "new"}.get(tuple(map(int, found.groups())), "")
        if not state:
            return "", f"the accounts hold {found.group(0)}"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        return state, ""

    def go_on(self, program, state, **settings):
        """Nothing is in anybody's way."""
        wanted = "left 50 right 50"
        outcome = self.call(program, "50" if state == "old" else "20", **settings)
        if outcome.code != DONE or outcome.out != f"committed\n{wanted}\n":
            return f"the next transfer said {outcome}"
        return ""


def promise(outcome):
    if outcome.out.startswith("committed\n"):
        return "new"
    return "old" if outcome.out.startswith("rolled back\n") else ""


def hurt(lab, point):
    program, is_used, how, at = point
    lab.fresh((program, is_used))
    outcome = lab.call(program, str(AMOUNT), how=how, at=at, errno="EIO" if how == "fail" else None)
    if outcome.code not in (kit.KILLED, DONE, STOPPED):
        return "", f"died of something else: {outcome}"
    state, problem = lab.settle(program, promise(outcome))
    if not problem and at % 4 == 0:
        problem = lab.go_on(program, state)
    return state, problem


def hurt_twice(lab, point):
    program, at, again = point
    lab.fresh((program, True))
    lab.call(program, str(AMOUNT), how="before", at=at)
    outcome = lab.call(program, how="torn" if again % 3 == 0 else "before", at=again)
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"started again, neither killed nor done: {outcome}"
    return lab.settle(program, "")


CUTS = {}


def cut_of(lab, program, is_used, lie):
    key = lab.top, program, is_used, lie
    if key not in CUTS:
        trace = os.path.join(lab.top, f"trace{len(CUTS)}")
        lab.fresh((program, is_used))
        image = Image.scan(lab.root)
        outcome = lab.call(program, str(AMOUNT), trace=trace, lie=lie)
        CUTS[key] = History(image, trace), outcome
    return CUTS[key]


def lose_power(lab, point):
    program, is_used, lie, at, mode, seed = point
    history, outcome = cut_of(lab, program, is_used, lie)
    length = len(history.events)
    lab.make(history.state(min(at, length), mode, random.Random(f"{at} {mode} {seed}")))
    promised = promise(outcome) if at >= length else ""
    state, problem = lab.settle(program, promised, inodes=lab.inodes)
    if not problem and at % 7 == 0:
        problem = lab.go_on(program, state, inodes=lab.inodes)
    return state, problem


def power_points(program, is_used, lie, cuts, seeds=1):
    for at in cuts:
        yield program, is_used, lie, at, "nothing", 0
        for seed in range(seeds):
            yield program, is_used, lie, at, "prefix", seed
            yield program, is_used, lie, at, "subset", seed


def check_use(report, lab, program):
    """As the head of the source says."""
    for how, words, wanted in (
            ("fresh", [], (DONE, "left 100 right 0\n")),
            ("", [str(AMOUNT)], (DONE, "committed\nleft 70 right 30\n")),
            ("", ["80"], (DONE, "rolled back\nleft 70 right 30\n")),
            ("", ["-31"], (DONE, "rolled back\nleft 70 right 30\n")),
            ("", [], (DONE, "left 70 right 30\n")),
            ("", ["1", "2"], (WRONG_USE, ""))):
        if how == "fresh":
            lab.fresh((program, False))
        outcome = lab.call(program, *words)
        report.check(f"{program} {' '.join(words)}", (outcome.code, outcome.out) == wanted,
                     repr(outcome))


def sweep_one(report, sweep, lab, program):
    for is_used in (False, True):
        title = f"{program}, {'used' if is_used else 'new'}"
        history, outcome = cut_of(lab, program, is_used, None)
        length = len(history.events)
        report.check(f"{title}: an undisturbed run", promise(outcome) == "new", repr(outcome))
        writes = [int(words[0]) for words in history.events
                  if any(word.startswith("write=") for word in words)]
        report.say(f"{title}: {length} mutations, {len(writes)} of them writes")
        few = 12 if kit.SANITIZED else 10000 if kit.IS_FULL else 45
        everywhere = sample(range(1, length + 2), 25 if kit.SANITIZED else 10000)
        writes = sample(writes, 8 if kit.SANITIZED else 10000)
        sweep(f"{title}: killed at every mutation", hurt,
              [(program, is_used, "before", at) for at in everywhere])
        sweep(f"{title}: killed in the middle of every write", hurt,
              [(program, is_used, "torn", at) for at in writes])
        sweep(f"{title}: a mutation fails", hurt,
              [(program, is_used, "fail", at) for at in sample(everywhere, few)])
        cuts = sample(range(length + 1), 10 if kit.SANITIZED else 10000 if kit.IS_FULL else 60)
        sweep(f"{title}: power lost", lose_power,
              list(power_points(program, is_used, None, cuts, 5 if kit.IS_FULL else 1)))
    firsts = range(1, length + 1)
    pairs = [(program, at, again)
             for at in (firsts if kit.IS_FULL else sample(firsts, 12))
             for again in sample(range(1, 40), 39 if kit.IS_FULL else 8, at)]
    sweep(f"{program}: killed again while recovering", hurt_twice,
          sample(pairs, 16) if kit.SANITIZED else pairs)
    broken = crash.count_broken(lose_power, Lab, list(
        power_points(program, True, "file-sync", sample(range(length + 1), 20))))
    report.check(f"{program}: a missing sync is found", broken > 0)
    report.say(f"{program}: without syncs of files {broken} states are broken")


def main():
    report = kit.Report()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        lab = Lab("reference")
        sweep = crash.sweeper(Lab)
        for program in ("rm_user", "rm_kernel"):
            kit.must_be_built(os.path.join(EXAMPLES, program))
            check_use(report, lab, program)
            sweep_one(report, sweep, lab, program)
    report.end()


if __name__ == "__main__":
    main()
