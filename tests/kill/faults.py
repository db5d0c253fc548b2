#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each file mutation of 'ktm apply' fails, once or from then on; and the exit status tells the truth.

0: the new tree is there, with nothing hidden left. 1: the old one is. 3: either, after 'ktm recover'
has run without faults. Interrupted calls and short writes are no failure at all.
"""
import os
import sys

import kit
from campaign import ATTENTION, COMMITTED, ROLLED_BACK, UNKNOWN, Campaign, Sweep, one, sample

STEPS = int(os.environ.get("KTM_KILL_STEPS", "300" if kit.IS_FULL else "60"))
BIG = (1 << 20) if kit.IS_FULL else (200 << 10)


def judge(lab, outcome):
    """What was said is so at once, and after recovery."""
    if outcome.code not in (COMMITTED, ROLLED_BACK, UNKNOWN):
        return "", f"said {outcome}"
    promised = {COMMITTED: "new", ROLLED_BACK: "old"}.get(outcome.code)
    if promised and lab.state(with_hidden=promised == "new") != promised:
        return "", f"said {outcome}, but is {lab.state()}"
    state, problem = lab.settle()
    if not problem and promised and state != promised:
        problem = f"said {outcome}, but became {state}"
    return state, problem or lab.go_on()


def fail(lab, point):
    at, settings = point
    lab.fresh()
    outcome = lab.apply(at=at, how="fail", **dict(settings))
    return judge(lab, outcome)


def fail_unnoticed(lab, point):
    """What is to be done again, and nobody need know."""
    at, settings = point
    lab.fresh()
    outcome = lab.apply(at=at, **dict(settings))
    if outcome.code != COMMITTED:
        return "", f"said {outcome}"
    return judge(lab, outcome)


def fail_recovery(lab, point):
    """A crash, and then a recovery in which something fails for good."""
    at, again, settings = point
    lab.fresh()
    lab.apply(at=at, how="before")
    outcome = lab.recover(at=again, how="fail", **dict(settings))
    if outcome.code not in (0, UNKNOWN, ROLLED_BACK, ATTENTION):
        return "", f"recover said {outcome}"
    if outcome.code == 0 and lab.state() not in ("old", "new"):
        return "", f"recover said {outcome}, and the tree is {lab.state()}"
    state, problem = lab.settle()
    return state, problem


def grow_too_large(lab, point):
    """Without a shim: no file may grow beyond a limit, as for a user with 'ulimit -f'."""
    lab.fresh()
    outcome = lab.limited(point)
    if outcome.code == kit.KILLED_BY_SIZE:
        state, problem = lab.settle()
        return state, problem or lab.go_on()
    return judge(lab, outcome)


KINDS = [
    ("no space once", {"errno": "ENOSPC", "only": "space"}),
    ("no space from then on", {"errno": "ENOSPC", "only": "space", "forever": 1}),
    ("over quota from then on", {"errno": "EDQUOT", "only": "space", "forever": 1}),
    ("an error of the device once", {"errno": "EIO"}),
    ("errors of the device from then on", {"errno": "EIO", "forever": 1}),
    ("syncs fail from then on", {"errno": "EIO", "only": "sync", "forever": 1}),
    ("read-only from then on", {"errno": "EROFS", "forever": 1}),
]


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
        report.say(f"{STEPS} steps, {campaign.mutations} mutations")
        whole = range(1, campaign.mutations + 1)
        share = 1000 if kit.IS_FULL else 12 if kit.SANITIZED else 80
        sweep = Sweep(campaign, report)
        for number, (title, settings) in enumerate(KINDS):
            sweep.run(title, fail, [(at, tuple(settings.items()))
                                    for at in sample(whole, share, number)])
        interrupted = (("how", "fail"), ("errno", "EINTR"))
        sweep.run("interrupted writes and syncs", fail_unnoticed,
                  [(at, interrupted) for at in sample(campaign.writes + campaign.syncs, share)])
        sweep.run("short writes", fail_unnoticed,
                  [(at, (("how", "short"),)) for at in sample(campaign.writes, share)])
        sweep.run("failures while recovering", fail_recovery,
                  [(at, again, tuple(settings.items()))
                   for at in sample(whole, share // 4, 9) for again in (3, 20, 60)
                   for _, settings in KINDS[1:5:3]])
        campaign.use_home()
        sweep.run("no space, in a home that was used before", fail,
                  [(at, tuple(KINDS[1][1].items())) for at in sample(whole, share, 5)])
        sweep.run("files may not grow beyond a limit", grow_too_large,
                  [4096 * pages for pages in sample(range(0, BIG // 4096 + 8), share // 3)])
    report.end()


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
