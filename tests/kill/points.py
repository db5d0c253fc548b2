#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""'ktm apply' is killed at every file mutation, whole and torn, also while it recovers.

After 'ktm recover' the tree is exactly the old one or exactly the new one, nothing hidden is left, and
the next change set works. 60 steps, or 500 with KTM_SWEEP=full.
"""
import os
import sys

import kit
from campaign import COMMITTED, Campaign, Lab, Sweep, one, sample
from shim import compare_with_strace

STEPS = int(os.environ.get("KTM_KILL_STEPS", "500" if kit.IS_FULL else "60"))
BIG = (3 << 20) if kit.IS_FULL else (400 << 10)


def killed(lab, how, at):
    """Kills an apply there; whether it was still alive to be killed."""
    lab.fresh()
    outcome = lab.apply(how=how, at=at)
    if outcome.code == kit.KILLED:
        return True, ""
    return False, "" if outcome.code == COMMITTED else f"neither killed nor committed: {outcome}"


def kill_once(lab, point):
    how, at = point
    was_killed, problem = killed(lab, how, at)
    if problem:
        return "", problem
    if at % 5 == 0 and was_killed:
        # The next apply recovers by itself.
        problem = lab.go_on()
        return "", problem
    state, problem = lab.settle()
    if not was_killed and state != "new":
        problem = f"was said to be committed, and is {state}"
    return state, problem or lab.go_on()


def kill_twice(lab, point):
    """Once in apply, then again in the recovery."""
    how, at, again = point
    _, problem = killed(lab, how, at)
    if problem:
        return "", problem
    outcome = lab.recover(how="torn" if again % 3 == 0 else "before", at=again)
    if outcome.code not in (0, kit.KILLED):
        return "", f"recover neither killed nor done: {outcome}"
    state, problem = lab.settle()
    return state, problem


def recovery_length(campaign, at):
    """How many mutations the recovery takes after a kill there."""
    lab = Lab(campaign, f"length{at}")
    killed(lab, "before", at)
    counter = os.path.join(lab.top, "count")
    lab.recover(count=counter)
    return kit.count_of(counter)


def check_one_turning_point(report, states):
    """All old, then all new: there is one mutation that decides."""
    turned = [at for (how, at), state in states.items() if how == "before" and state == "new"]
    late = [at for (how, at), state in states.items()
            if how == "before" and state == "old" and turned and at > min(turned)]
    report.check("one mutation decides", turned and not late, f"old again at {late[:5]}")
    if turned:
        report.say(f"decided by mutation {min(turned) - 1}")
    return min(turned) if turned else 1


def twice_points(campaign, turn, report):
    """Points of the second kind: many recoveries cut in places, a few everywhere."""
    points = []
    firsts = sample(range(1, campaign.mutations + 1), 60 if kit.IS_FULL else 10)
    thorough = {turn, turn - 1} if kit.IS_FULL else set()
    for at in sorted(set(firsts) | {turn, turn - 1}):
        length = recovery_length(campaign, at)
        count = length if at in thorough else 25 if kit.IS_FULL else 8
        points += [("before", at, again) for again in sample(range(1, length + 1), count, at)]
    report.say(f"kills during recovery: {len(points)} pairs")
    return points


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
        report.say(f"{STEPS} steps, {len(campaign.old)} names before, {len(campaign.new)} after, "
                   f"{campaign.mutations} mutations, {len(campaign.writes)} of them writes")
        lab = Lab(campaign, "strace")
        lab.fresh()
        compare_with_strace(report, "ktm changes nothing behind the shim",
                            [kit.KTM, "apply", lab.changes], lab.root, {"KTM_HOME": lab.home},
                            lab.fresh)
        sweep = Sweep(campaign, report)
        everywhere = range(1, campaign.mutations + 2)
        writes = campaign.writes
        if kit.SANITIZED:
            everywhere, writes = sample(everywhere, 60), sample(writes, 20)
        states = sweep.run("killed at every mutation", kill_once,
                           [("before", at) for at in everywhere])
        turn = check_one_turning_point(report, states)
        sweep.run("killed in the middle of every write", kill_once, [("torn", at) for at in writes])
        sweep.run("killed again while recovering", kill_twice, twice_points(campaign, turn, report))
        campaign.use_home()
        sweep.run("killed in a home that was used before", kill_once,
                  [("after", at) for at in sample(everywhere, 1000 if kit.IS_FULL else 50, 2)])
    report.end()


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
