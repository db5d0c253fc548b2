#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/superior.c: one decision over two transaction managers, whatever dies in between.

INV-01 INV-04 RECOV-40 RECOV-41 RECOV-42 RECOV-43 RECOV-44 RECOV-45 RECOV-46: the program is killed at
every file mutation, whole and torn, also while it recovers; every mutation fails once; and the power
goes, with all that a disk may forget. After 'superior recover' both sites have the new text, or both
the old one, and nobody waits for an answer. KTM_SWEEP=full visits every point.
"""
import os
import random

import crash
import kit
from crash import sample
from replay import History, Image

SUPERIOR = os.path.join(kit.BUILD, "examples", "superior")
DONE, ROLLED_BACK, UNFINISHED = 0, 1, 3
SITES = ("east", "west")
HOMES = SITES


class Lab(crash.Lab):
    """DIR of the example, in the state in which a run begins: never used, or used before."""

    def prepare(self, is_used):
        for site in SITES:
            os.mkdir(os.path.join(self.root, site))
        if is_used:
            self.superior("put", "old")

    def superior(self, verb, text="", **settings):
        words = [SUPERIOR, verb, self.root] + ([] if verb == "recover" else ["note", text])
        return self.run(words, **settings)

    def ktm(self, verb, site, **settings):
        return self.run([kit.KTM, verb, "--home", os.path.join(self.root, "state", site), "--json"],
                        **settings)

    def texts(self):
        found = []
        for site in SITES:
            directory = os.path.join(self.root, site)
            names = os.listdir(directory)
            if names not in ([], ["note"]):
                return f"{site} holds {names}"
            if names:
                with open(os.path.join(directory, "note"), encoding="utf-8") as file:
                    found.append(file.read())
            else:
                found.append("")
        return found[0] if found[0] == found[1] else f"they differ: {found}"

    def settle(self, old, promised, **settings):
        """Recovers and judges: (old or new, what is wrong)."""
        outcome = self.superior("recover", **settings)
        text = self.texts()
        if text not in (old, "new"):
            return text, f"{text}; recover said {outcome}"
        state = "new" if text == "new" else "old"
        if outcome.code != DONE:
            return state, f"{state}, but recover said {outcome}"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        return state, self.leftovers()

    def leftovers(self):
        with open(os.path.join(self.root, "state", "decisions"), encoding="ascii") as file:
            words = [line.split()[0] for line in file]
        if words.count("commit") != words.count("done"):
            return f"the journal holds {words}"
        return ""

    def go_on(self, **settings):
        """Nobody waits for an answer, and the next transaction works."""
        for site in HOMES:
            outcome = self.ktm("status", site, **settings)
            if outcome.code != 0 or '"transaction"' in outcome.out:
                return f"{site} still has something to do: {outcome}"
        outcome = self.superior("put", "more", **settings)
        if outcome.code != DONE or self.texts() != "more":
            return f"the next put said {outcome}, and left {self.texts()}"
        return ""


def promise(verb, outcome):
    """What the program had said when it came to its end."""
    if outcome.code == DONE:
        return "new"
    return "old" if outcome.code == ROLLED_BACK or verb == "try" else ""


def hurt(lab, point):
    """Kills it there, or lets that mutation fail; everything may then happen but disagreement."""
    is_used, verb, how, at = point
    lab.fresh(is_used)
    outcome = lab.superior(verb, "new", how=how, at=at, errno="EIO" if how == "fail" else None)
    if outcome.code not in (kit.KILLED, DONE, ROLLED_BACK, UNFINISHED):
        return "", f"died of something else: {outcome}"
    if at % 3 == 0:
        # The sites first, each alone: what they have prepared stays in doubt until we come.
        for site in HOMES[:: 1 if at % 2 else -1]:
            lab.ktm("recover", site)
    state, problem = lab.settle("old" if is_used else "", promise(verb, outcome))
    if not problem and at % 4 == 0:
        problem = lab.go_on()
    return state, problem


def hurt_twice(lab, point):
    """Killed, and then again while it recovers."""
    is_used, how, at, again = point
    lab.fresh(is_used)
    lab.superior("put", "new", how="before", at=at)
    outcome = lab.superior("recover", how=how, at=again)
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"recover neither killed nor done: {outcome}"
    return lab.settle("old" if is_used else "", "")


# ---- the power ----

CUTS = {}


def cut_of(lab, is_used, verb, lie):
    """The run whose trace is replayed, made once in each place: what it wrote has paths in it."""
    key = lab.top, is_used, verb, lie
    if key not in CUTS:
        trace = os.path.join(lab.top, f"trace{len(CUTS)}")
        lab.fresh(is_used)
        image = Image.scan(lab.root)
        outcome = lab.superior(verb, "new", trace=trace, lie=lie)
        CUTS[key] = History(image, trace), outcome
    return CUTS[key]


def lose_power(lab, point):
    is_used, verb, lie, at, mode, seed = point
    history, outcome = cut_of(lab, is_used, verb, lie)
    length = len(history.events)
    state = history.state(min(at, length), mode, random.Random(f"{at} {mode} {seed}"))
    lab.make(state)
    old = "old" if is_used else ""
    promised = promise(verb, outcome) if at >= length else ""
    if at % 3 == 0:
        lab.ktm("recover", HOMES[at // 3 % len(HOMES)], inodes=lab.inodes)
    settled, problem = lab.settle(old, promised, inodes=lab.inodes)
    if not problem and at % 7 == 0:
        problem = lab.go_on(inodes=lab.inodes)
    return settled, problem


def lose_power_twice(lab, point):
    """In the run, and then in the recovery from that."""
    at, mode, again = point
    history, _ = cut_of(lab, True, "put", None)
    state = history.state(at, mode, random.Random(f"{at} {mode}"))
    lab.make(state)
    trace = os.path.join(lab.top, "trace-of-recovery")
    for name in (trace, trace + ".data"):
        if os.path.exists(name):
            os.unlink(name)
    lab.superior("recover", inodes=lab.inodes, trace=trace)
    result = lab.texts()
    second = History(state.image(), trace)
    cut = min(again, len(second.events))
    # When the recovery was over, what it made is durable.
    promised = "" if cut < len(second.events) else "new" if result == "new" else "old"
    dice = random.Random(f"{point}")
    lab.make(second.state(cut, dice.choice(("nothing", "prefix", "subset")), dice))
    return lab.settle("old", promised, inodes=lab.inodes)


# ---- all of it ----

def measure(lab, is_used, verb):
    """How many mutations a run takes, and which of them write."""
    history, outcome = cut_of(lab, is_used, verb, None)
    writes = [int(words[0]) for words in history.events
              if any(word.startswith("write=") for word in words)]
    return len(history.events), writes, outcome


def check_turning_point(report, states):
    """All old, then all new: one mutation decides, over both sites."""
    line = [states[point] for point in sorted(states, key=lambda point: point[3])]
    turn = line.index("new") if "new" in line else len(line)
    report.check("one mutation decides", 0 < turn < len(line) and "old" not in line[turn:])
    return turn


def power_points(is_used, verb, lie, cuts, seeds=1):
    for at in cuts:
        yield is_used, verb, lie, at, "nothing", 0
        for seed in range(seeds):
            yield is_used, verb, lie, at, "prefix", seed
            yield is_used, verb, lie, at, "subset", seed


def check_refusal(report, lab):
    """What one site cannot do does not happen in the other."""
    lab.fresh(True)
    os.mkdir(os.path.join(lab.root, "east", "sub"))
    outcome = lab.run([SUPERIOR, "put", lab.root, "sub/note", "new"])
    report.check("one site cannot, so none does",
                 outcome.code == ROLLED_BACK and not os.listdir(os.path.join(lab.root, "east", "sub")),
                 repr(outcome))
    outcome = lab.run([SUPERIOR, "put", lab.root, "note"])
    report.check("wrong use is told", outcome.code == 2 and "usage" in outcome.out, repr(outcome))


def sweep_kills(report, sweep, lab):
    for is_used, verb in ((False, "put"), (True, "put"), (True, "try")):
        title = f"{'used' if is_used else 'new'} homes, {verb}"
        length, writes, outcome = measure(lab, is_used, verb)
        wanted = DONE if verb == "put" else ROLLED_BACK
        if not report.check(f"{title}: an undisturbed run", outcome.code == wanted, repr(outcome)):
            report.end()
        everywhere = range(1, length + 2)
        if kit.SANITIZED:
            everywhere, writes = sample(everywhere, 25), sample(writes, 8)
        report.say(f"{title}: {length} mutations, {len(writes)} of them writes")
        states = sweep(f"{title}: killed at every mutation", hurt,
                       [(is_used, verb, "before", at) for at in everywhere])
        if verb == "put" and not kit.SANITIZED:
            check_turning_point(report, states)
        sweep(f"{title}: killed in the middle of every write", hurt,
              [(is_used, verb, "torn", at) for at in writes])
        few = everywhere if kit.IS_FULL else sample(everywhere, 30)
        sweep(f"{title}: a mutation fails", hurt, [(is_used, verb, "fail", at) for at in few])
    length, _, _ = measure(lab, True, "put")
    firsts = range(1, length + 1) if kit.IS_FULL else sample(range(1, length + 1), 14)
    pairs = [(True, "torn" if again % 3 == 0 else "before", at, again)
             for at in firsts for again in sample(range(1, 80), 79 if kit.IS_FULL else 9, at)]
    sweep("killed again while recovering", hurt_twice, sample(pairs, 20) if kit.SANITIZED else pairs)


def sweep_power(report, sweep, lab):
    for is_used, verb, count in ((False, "put", 50), (True, "put", 1000), (True, "try", 40)):
        length, _, _ = measure(lab, is_used, verb)
        cuts = range(length + 1)
        cuts = cuts if kit.IS_FULL else sample(cuts, 8 if kit.SANITIZED else count)
        sweep(f"{'used' if is_used else 'new'} homes, {verb}: power lost", lose_power,
              list(power_points(is_used, verb, None, cuts, 5 if kit.IS_FULL else 1)))
    cuts = range(measure(lab, True, "put")[0] + 1)
    pairs = [(at, mode, again) for at in (cuts if kit.IS_FULL else sample(cuts, 16))
             for mode in ("nothing", "subset")
             for again in sample(range(90), 20 if kit.IS_FULL else 3, at)]
    sweep("power lost again while recovering", lose_power_twice,
          sample(pairs, 10) if kit.SANITIZED else pairs)
    # Without syncs it cannot be done, and this shows; else all that is above would prove nothing.
    broken = crash.count_broken(lose_power, Lab, list(
        power_points(True, "put", "file-sync", sample(cuts, 20))))
    report.check("a missing sync is found", broken > 0)
    report.say(f"without syncs of files: {broken} states are broken")


def main():
    report = kit.Report()
    kit.must_be_built(SUPERIOR)
    kit.must_be_built(kit.KTM)
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        lab = Lab("reference")
        sweep = crash.sweeper(Lab)
        check_refusal(report, lab)
        sweep_kills(report, sweep, lab)
        sweep_power(report, sweep, lab)
    report.end()


if __name__ == "__main__":
    main()
