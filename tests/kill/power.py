#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The power goes at every point of 'ktm apply', and again while it recovers.

The trace of one run is replayed (replay.py) as what a disk may hold after each mutation: nothing that
was not durable, all of it, a part in order, any part with torn writes. From each 'ktm recover' must
make exactly the old or exactly the new tree, and the new one once that was promised. When a sync is
only pretended there must be states from which it cannot, else this test would prove nothing.
"""
import os
import random
import sys

import kit
from campaign import COMMITTED, ROLLED_BACK, WORK, Campaign, Sweep, one, sample
from replay import MODES, History, Image

STEPS = int(os.environ.get("KTM_KILL_STEPS", "500" if kit.IS_FULL else "60"))
BIG = (3 << 20) if kit.IS_FULL else (400 << 10)
SEEDS = int(os.environ.get("KTM_KILL_SEEDS", "1"))


class Cut:
    """One run of apply in a lab, and what power cuts make of it."""

    def __init__(self, lab, **settings):
        self.lab = lab
        self.trace = os.path.join(lab.top, "trace")
        self.inodes = os.path.join(lab.top, "inodes")
        lab.fresh()
        kit.remove_trace(self.trace)
        image = Image.scan(lab.root)
        self.outcome = lab.apply(trace=self.trace, **settings)
        self.history = History(image, self.trace)
        self.length = len(self.history.events)
        self.seen = set()

    def state(self, cut, mode, seed):
        return self.history.state(min(cut, self.length), mode,
                                  random.Random(f"{cut} {mode} {seed}"))

    def make(self, state):
        kit.remove(self.lab.root)
        state.make(self.lab.root, self.inodes)


def cut_of(lab, **settings):
    """The run with these settings, made once in each worker."""
    key = tuple(sorted(settings.items()))
    if key not in WORK:
        WORK[key] = Cut(lab, **settings)
    return WORK[key]


def check_promise(cut, at, state):
    """What apply has said must be so."""
    if at < cut.length:
        return ""
    promised = {COMMITTED: "new", ROLLED_BACK: "old"}.get(cut.outcome.code)
    if promised and state != promised:
        return f"apply had said {cut.outcome}, and it is {state}"
    return ""


def lose_power(lab, point):
    at, mode, seed, *settings = point
    cut = cut_of(lab, **dict(settings))
    state = cut.state(at, mode, seed)
    digest = state.digest()
    if digest in cut.seen and at < cut.length:
        return "same", ""
    cut.seen.add(digest)
    cut.make(state)
    result, problem = lab.settle(inodes=cut.inodes)
    problem = problem or check_promise(cut, at, result)
    if not problem and at % 7 == 0:
        problem = lab.go_on(inodes=cut.inodes)
    return result, problem


def lose_power_twice(lab, point):
    """In apply, then in the recovery from that."""
    at, mode, seed, count = point
    cut = cut_of(lab)
    state = cut.state(at, mode, seed)
    cut.make(state)
    trace = os.path.join(lab.top, "trace-of-recovery")
    kit.remove_trace(trace)
    outcome = lab.recover(inodes=cut.inodes, trace=trace)
    result = lab.state()
    history = History(state.image(), trace)
    length = len(history.events)
    dice = random.Random(f"{point}")
    for again in sample(range(length + 1), count, at):
        second = history.state(again, dice.choice(MODES), dice)
        if again == length:
            second = history.state(again, "nothing")
        cut.make(second)
        settled, problem = lab.settle(inodes=cut.inodes)
        if not problem and again == length and outcome.code == 0 and settled != result:
            problem = f"recovery had made it {result}, now it is {settled}"
        if problem:
            return settled, f"after {again} of {length} mutations of the recovery: {problem}"
    return result, ""


def fail_sync(lab, point):
    """A sync fails, and afterwards the kernel knows nothing of it; then the power goes."""
    number = point
    cut = Cut(lab, how="fail", at=number, errno="EIO")
    for seed, mode in enumerate(("nothing", "nothing", "prefix", "subset", "all")):
        at = cut.length if seed != 1 else min(cut.length, number + 3)
        cut.make(cut.state(at, mode, seed))
        state, problem = lab.settle(inodes=cut.inodes)
        problem = problem or check_promise(cut, at, state)
        if problem:
            return state, f"{mode} after {at} of {cut.length}: {problem}"
    return state, ""


def points_of(seeds, cuts):
    for number, at in enumerate(cuts):
        yield at, "nothing", 0
        if number % 8 == 0:
            yield at, "all", 0  # as after a kill, which points.py tries everywhere
        for seed in range(seeds):
            yield at, "prefix", seed
            yield at, "subset", seed


def check_lies(report, campaign, cuts):
    """Without syncs recovery cannot do it, and this shows."""
    for lie in ("file-sync", "directory-sync"):
        seen = kit.Report()
        seen.check = lambda *_: True
        seen.say = lambda *_: None
        sweep = Sweep(campaign, seen, shows=False)
        sweep.run(lie, lose_power, [(at, mode, seed, ("lie", lie))
                                    for at, mode, seed in points_of(1, cuts)])
        report.say(f"without {lie}: {sweep.broken} of {sweep.tried} states are broken")
        report.check(f"a missing {lie} is found", sweep.broken > 0)


def main():
    report = kit.Report()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        campaign = Campaign(place.path, STEPS, kit.SEED, BIG)
        if not campaign.reference(report):
            report.end()
        one(campaign, globals())
        report.say(f"{STEPS} steps, {campaign.mutations} mutations, {len(campaign.syncs)} of them "
                   "syncs")
        whole = range(campaign.mutations + 1)
        cuts = whole if kit.IS_FULL else sample(whole, 20 if kit.SANITIZED else 10000)
        few = sample(cuts, 30 if kit.IS_FULL else 5 if kit.SANITIZED else 12, 3)
        sweep = Sweep(campaign, report)
        sweep.run("power lost during apply", lose_power,
                  list(points_of(SEEDS, cuts)))
        sweep.run("power lost again while recovering", lose_power_twice,
                  [(at, mode, 0, 20 if kit.IS_FULL else 4) for at in few for mode in MODES])
        sweep.run("power lost after a sync has failed", fail_sync,
                  sample(campaign.syncs, 300 if kit.IS_FULL else 5 if kit.SANITIZED else 25))
        campaign.use_home()
        sweep.run("power lost in a home that was used before", lose_power,
                  list(points_of(SEEDS, sample(cuts, 400 if kit.IS_FULL else 60, 5))))
        check_lies(report, campaign, sample(whole, 60 if kit.IS_FULL else 30, 4))
    report.end()


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
