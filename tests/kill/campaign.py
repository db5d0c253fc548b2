# SPDX-License-Identifier: MIT
"""'ktm apply' of one change set over one tree, again and again, and the question it is all about:
is the tree now exactly the old one or exactly the new one?
"""
import ast
import json
import multiprocessing
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import changes
import kit

JOBS = int(os.environ.get("KTM_JOBS") or os.cpu_count() or 1)
# What the home of the file resource manager holds when nothing is left to do.
HOME_AT_REST = {"identity", "lock"}
HIDDEN = "/.ktm."
COMMITTED, ROLLED_BACK, BAD_USE, UNKNOWN, ATTENTION = 0, 1, 2, 3, 4


class Campaign:
    """The change set, the tree before, and (after reference()) the tree after it."""

    def __init__(self, place, count, seed, big_size=600 << 10):
        kit.must_be_built(kit.KTM)
        self.top = os.path.join(place, f"steps{count}-{seed}")
        os.mkdir(self.top)
        maker = changes.Maker(self.top, count, seed, big_size)
        self.steps = maker.steps
        self.old = kit.manifest(maker.tree)
        self.new = None
        self.mutations = 0
        self.writes = []          # the numbers of those that write bytes
        self.syncs = []           # and of those that make durable
        self.has_home = False     # whether a run begins with a home that was used before

    def expected(self):
        """What the steps lead to when they are done one after the other, without us."""
        tree = os.path.join(self.top, "plain")
        kit.copy(os.path.join(self.top, "tree"), tree)
        changes.carry_out(self.steps, tree)
        return kit.manifest(tree)

    def reference(self, report):
        """One undisturbed run: what comes of it, how many mutations it takes. False: no use going on."""
        lab = Lab(self, "reference")
        lab.fresh()
        trace = os.path.join(lab.top, "trace")
        outcome = lab.apply(trace=trace)
        if not report.check("the change set is committed", outcome.code == COMMITTED,
                            repr(outcome)):
            return False
        self.new = kit.manifest(lab.tree)
        with open(trace, encoding="ascii") as file:
            lines = [line.split() for line in file]
        self.mutations = len(lines)
        self.writes = [int(line[0]) for line in lines
                       if any(word.startswith("write=") for word in line)]
        self.syncs = [int(line[0]) for line in lines
                      if any(word.startswith("sync=") for word in line)]
        expected = self.expected()
        report.check("it is what the steps say", self.new == expected,
                     kit.difference(expected, self.new))
        report.check("at the end nothing is left in the home", lab.leftovers() == "",
                     lab.leftovers())
        return True

    def use_home(self):
        """From now on runs begin with the home of a machine that has done something before."""
        lab = Lab(self, "use")
        lab.fresh()
        lab.apply()
        home = os.path.join(self.top, "home")
        kit.remove(home)
        kit.copy(lab.home, home)
        self.has_home = True


class Lab:
    """A tree and a home of its own, in which one run after the other is made."""

    def __init__(self, campaign, name):
        self.campaign = campaign
        self.top = os.path.join(campaign.top, f"lab-{name}")
        self.root = os.path.join(self.top, "run")
        self.tree = os.path.join(self.root, "tree")
        self.home = os.path.join(self.root, "state", "home")  # both are to be made
        self.changes = os.path.join(self.top, "changes.json")
        self.more = os.path.join(self.top, "more.json")
        os.mkdir(self.top)
        changes.write(campaign.steps, self.changes, "run/tree")
        with open(self.more, "w", encoding="utf-8") as file:
            json.dump({"steps": [{"put": {"to": "run/tree/more", "text": "more", "mode": "0640"}},
                                 {"mkdir": {"path": "run/tree/more.d", "mode": "0750"}}]}, file)

    def fresh(self):
        kit.remove(self.root)
        os.mkdir(self.root)
        kit.copy(os.path.join(self.campaign.top, "tree"), self.tree)
        if self.campaign.has_home:
            os.mkdir(os.path.dirname(self.home))
            kit.copy(os.path.join(self.campaign.top, "home"), self.home)

    def ktm(self, *argv, inodes=None, **settings):
        env = {"KTM_HOME": self.home}
        if settings or inodes:
            env.update(kit.shimmed(self.root, inodes=inodes, **settings))
        return kit.run([kit.KTM, *argv], env)

    def apply(self, **settings):
        return self.ktm("apply", self.changes, **settings)

    def limited(self, size):
        """An apply that may not make any file larger than this."""
        return kit.run(["sh", "-c", f"ulimit -f {size // 512}; exec \"$@\"", "sh", kit.KTM, "apply",
                        self.changes], {"KTM_HOME": self.home})

    def recover(self, **settings):
        return self.ktm("recover", **settings)

    def state(self, with_hidden=True):
        """'old', 'new', or in what it differs from both."""
        got = kit.manifest(self.tree)
        if not with_hidden:
            got = {path: fact for path, fact in got.items() if HIDDEN not in f"/{path}"}
        if got == self.campaign.old:
            return "old"
        if got == self.campaign.new:
            return "new"
        return (f"neither old ({kit.difference(self.campaign.old, got)}) nor new "
                f"({kit.difference(self.campaign.new, got)})")

    def leftovers(self):
        """What the home should not hold any more."""
        directory = os.path.join(self.home, "file")
        if not os.path.isdir(directory):
            return ""
        return " ".join(sorted(set(os.listdir(directory)) - HOME_AT_REST))

    def settle(self, inodes=None):
        """Recovers and judges: (state, what is wrong with it). Answers 'old' or 'new'."""
        outcome = self.recover(inodes=inodes)
        state = self.state()
        if state not in ("old", "new"):
            return state, f"{state}; recover said {outcome}"
        if outcome.code != 0:
            return state, f"{state}, but recover said {outcome}"
        if self.leftovers():
            return state, f"{state}, but the home holds {self.leftovers()}"
        return state, ""

    def go_on(self, inodes=None):
        """Whether the next change set works; "" when it does. Finishes what a crash left, too."""
        outcome = self.ktm("apply", self.more, inodes=inodes)
        if outcome.code != COMMITTED:
            return f"the next apply said {outcome}"
        got = kit.manifest(self.tree)
        for path in ("more", "more.d"):
            if path not in got:
                return f"the next apply has not made '{path}'"
            del got[path]
        got_brief = "old" if got == self.campaign.old else "new" if got == self.campaign.new else ""
        return "" if got_brief else "the next apply has left neither the old nor the new tree"


# ---- many runs ----

WORK = {}


def start_worker(campaign, counter):
    with counter.get_lock():
        counter.value += 1
        number = counter.value
    WORK.clear()
    WORK["lab"] = Lab(campaign, f"worker{number}")


def work(function, point):
    return function(WORK["lab"], point)


class Sweep:
    """Calls function(lab, point) for all points, in several processes; it returns (state, problem)."""

    def __init__(self, campaign, report, shows=True):
        self.campaign, self.report, self.shows = campaign, report, shows
        self.tried = self.broken = 0

    def run(self, title, function, points):
        """One fact for the report; returns the states by point."""
        counter = multiprocessing.Value("i", 0)
        started = time.monotonic()
        states, problems = {}, []
        with ProcessPoolExecutor(min(JOBS, max(1, len(points))), initializer=start_worker,
                                 initargs=(self.campaign, counter)) as pool:
            futures = [(point, pool.submit(work, function, point)) for point in points]
            for point, future in futures:
                states[point], problem = future.result()
                if problem:
                    problems.append(f"{point}: {problem}")
        for number in range(counter.value):
            kit.remove(os.path.join(self.campaign.top, f"lab-worker{number + 1}"))
        for problem in problems[:8] if self.shows else []:
            print(f"  {title}: {problem}", flush=True)
        count = {name: sum(state == name for state in states.values())
                 for name in ("old", "new", "same")}
        self.tried, self.broken = len(points) - count["same"], len(problems)
        self.report.check(title, not problems, f"{len(problems)} of {self.tried} are broken")
        self.report.say(f"{title}: {self.tried} runs, {count['old']} old, {count['new']} new, "
                        f"{len(problems)} broken, {time.monotonic() - started:.0f} s")
        return states


def one(campaign, functions):
    """For 'SCRIPT FUNCTION POINT', with what a failed sweep has printed: that run alone, and what it
    left stays. Does nothing when the script was called without arguments."""
    if len(sys.argv) < 3:
        return
    WORK["lab"] = Lab(campaign, "one")
    state, problem = work(functions[sys.argv[1]], ast.literal_eval(sys.argv[2]))
    print(f"{state or 'no state'}: {problem or 'as it should be'}; it is in {WORK['lab'].top}")
    os._exit(1 if problem else 0)


def sample(points, count, seed=1):
    """So many of them, the first and the last among them, in order."""
    points = list(points)
    if len(points) <= count:
        return points
    middle = random.Random(seed).sample(points[1:-1], max(0, count - 2))
    return sorted([points[0], points[-1]] + middle)
