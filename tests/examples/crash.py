# SPDX-License-Identifier: MIT
"""What the tests of the examples share: places in which runs begin anew, and many points in several
processes. The programs are killed by the shim of tests/kill, whose modules this makes importable.
"""
import ast
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "kill"))
sys.setrecursionlimit(10000)

import kit  # noqa: E402

QUICK_MAX = 24  # points of a sweep in a quick run, but of those that say 'every'
JOBS = int(os.environ.get("KTM_JOBS") or os.cpu_count() or 1)
WORK = {"place": None, "report": None, "lab": None}


class Lab:
    """A directory whose content is as a run finds it, again and again; subclasses say what that is
    in prepare(how)."""

    def __init__(self, name):
        self.top = os.path.join(WORK["place"], name)
        self.root = os.path.join(self.top, "run")  # the same path always: programs remember paths
        self.inodes = os.path.join(self.top, "inodes")
        self.images = {}
        os.makedirs(self.top)

    def prepare(self, how):
        raise NotImplementedError

    def fresh(self, how):
        kit.remove(self.root)
        if how not in self.images:
            os.mkdir(self.root)
            self.prepare(how)
            self.images[how] = os.path.join(self.top, f"image{len(self.images)}")
            kit.copy(self.root, self.images[how])
        else:
            kit.copy(self.images[how], self.root)

    def make(self, state):
        """What a power cut has left (replay.py)."""
        kit.remove(self.root)
        state.make(self.root, self.inodes)

    def run(self, words, env=None, **settings):
        env = dict(env or {})
        if settings.get("inodes") or any(settings.values()):
            env.update(kit.shimmed(self.root, **settings))
        return kit.run(words, env)


def start(place, report):
    WORK["place"], WORK["report"] = place, report


def work(make_lab, function, point):
    if WORK["lab"] is None:
        # Numbers of processes come again in a long campaign.
        WORK["lab"] = make_lab(f"worker{os.getpid()}-{time.monotonic_ns()}")
    return function(WORK["lab"], point)


def results(make_lab, function, points):
    """Pairs of point and (state, problem)."""
    with ProcessPoolExecutor(min(JOBS, max(1, len(points)))) as pool:
        futures = [(point, pool.submit(work, make_lab, function, point)) for point in points]
        for point, future in futures:
            yield point, future.result()


def count_broken(function, make_lab, points):
    return sum(problem != "" for _, (_, problem) in results(make_lab, function, points))


def sweeper(make_lab):
    """A function that tries function(lab, point), which answers (state, problem), for all points,
    makes one fact of it and returns the states. A quick run takes a sample."""
    def sweep(title, function, points):
        report = WORK["report"]
        if not kit.IS_FULL and "every" not in title:
            points = sample(points, QUICK_MAX)
        started = time.monotonic()
        states, problems = {}, []
        for point, (state, problem) in results(make_lab, function, points):
            states[point] = state
            if problem:
                problems.append(f"{function.__name__} {point}: {problem}")
        for problem in problems[:8]:
            print(f"  {title}: {problem}", flush=True)
        report.check(title, not problems, f"{len(problems)} of {len(points)} are broken")
        found = " ".join(f"{list(states.values()).count(name)} {name}"
                         for name in sorted(set(states.values())))
        report.say(f"{title}: {len(points)} runs, {found}, {time.monotonic() - started:.0f} s")
        return states
    return sweep


def one(make_lab, functions):
    """For 'SCRIPT FUNCTION POINT', with what a failed sweep has printed: that run alone, and what it
    left stays. Does nothing when the script was called without arguments."""
    if len(sys.argv) < 3:
        return
    lab = make_lab("one")
    state, problem = functions[sys.argv[1]](lab, ast.literal_eval(sys.argv[2]))
    print(f"{state or 'no state'}: {problem or 'as it should be'}; it is in {lab.root}")
    os._exit(1 if problem else 0)


def sample(points, count, seed=1):
    """So many of them, the first and the last among them, in order."""
    points = list(points)
    if len(points) <= count:
        return points
    middle = random.Random(seed).sample(points[1:-1], max(0, count - 2))
    return sorted([points[0], points[-1]] + middle)
