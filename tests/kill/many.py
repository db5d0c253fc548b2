#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several transactions on files in one process (many.c), killed and cut off from power at every mutation.

INV-01 INV-14 RECOV-20 ENL-CC-02: what one transaction has not forced meets what the next one does: hidden
names that come back in directories that were moved, replaced or removed since, promises that the
transaction manager has forgotten late, transactions that are one rename and have no record. After 'ktm
recover' the tree is what the first k transactions make of it when their steps are done by plain calls;
k is what the program was told, or one more; nothing hidden is left, nor anything to do, nor is anybody
said to have been in the way; and the program goes on from there. KTM_SWEEP=full visits every point.
"""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))

import crash  # noqa: E402
import kit  # noqa: E402
from campaign import HOME_AT_REST  # noqa: E402
from crash import sample  # noqa: E402
from replay import History, Image, ident_of, pairs  # noqa: E402

MANY = os.path.join(kit.BUILD, "tests", "kill", "many")
DONE, STOPPED = 0, 3
SEEDS = 5 if kit.IS_FULL else 1
LIES = ("file-sync", "directory-sync")

TREE = {"a/one": "1", "a/two": "2" * 700, "a/gone": "gone", "b/x": "x", "b/y": "y",
        "c/old": "old", "c/deep/z": "z", "src/p": "p", "src/q/r": "r" * 1500}
# The transactions, by their number (from 1). Which of them are one rename alone is said at each.
SCRIPT = """
put tree/a/one 100 new-            alone: it replaces
commit
put tree/b/new 1 new               alone: it makes
commit
put tree/a/one 1 both-one          two names in one directory
put tree/a/two 300 both-two
commit
put tree/a/three 1 three
delete tree/a/gone
commit
delete tree/b/x                    alone
commit
append tree/a/two 200 more         alone
commit
rename tree/b/y tree/b/z           alone
commit
rename tree/b tree/moved           alone: a yard gets another name
commit
put tree/moved/z 1 under-its-new-name
commit
mkdir tree/b 0750                  alone: another directory where the yard was
put tree/b/z 1 another
symlink tree/b/link z
commit
put tree/b/z 1 in-the-other        alone
commit
put tree/a/one 1 never             rolled back, with a parked copy and content
tree tree/c tree/src
append tree/b/z 1 never
rollback
put tree/a/one 1 three-one         three files, two directories
put tree/moved/new 1 three-new
put tree/a/four 50 three-four
commit
chmod tree/a/two 0600              not evident: promised in the home
put tree/a/one 1 chmod-one
commit
rename tree/moved/z tree/a/z
put tree/a/four 1 from-another
commit
tree tree/c tree/src               a tree takes the place of a yard
commit
put tree/c/p 1 in-the-copy         alone
commit
delete tree/moved/new              a yard goes
rmdir tree/moved
symlink tree/a/link one
commit
rename tree/c/q tree/b/q
commit
rename tree/b tree/moved           alone: where a yard was that is gone
commit
put tree/moved/q/r 1 last          alone
put tree/moved/q/r 1 very-last
commit
"""


# ---- the script, done by plain calls ----

def transactions():
    """Lists of words for each step, and whether it commits."""
    steps, found = [], []
    for line in SCRIPT.strip().splitlines():
        words = line.split("   ")[0].split()
        if words[0] in ("commit", "rollback"):
            found.append((steps, words[0] == "commit"))
            steps = []
        else:
            steps.append(words)
    return found


def carry_out(words, top):
    verb, path, *rest = words
    at = os.path.join(top, path)
    if verb in ("put", "append"):
        with open(at, "w" if verb == "put" else "a", encoding="ascii") as file:
            file.write(int(rest[0]) * rest[1])
    elif verb == "delete":
        os.unlink(at)
    elif verb == "rmdir":
        os.rmdir(at)
    elif verb == "mkdir":
        os.mkdir(at)
        os.chmod(at, int(rest[0], 8))
    elif verb == "chmod":
        os.chmod(at, int(rest[0], 8))
    elif verb == "rename":
        os.rename(at, os.path.join(top, rest[0]))
    elif verb == "symlink":
        os.symlink(rest[0], at)
    else:
        if os.path.exists(at):
            shutil.rmtree(at)
        kit.copy(os.path.join(top, rest[0]), at)


def make_tree(top):
    for path, text in TREE.items():
        at = os.path.join(top, "tree", path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "w", encoding="ascii") as file:
            file.write(text)


class Story:
    """What the tree is after each transaction, from 0 on."""

    def __init__(self, place):
        self.script = os.path.join(place, "script")
        self.commits = [commits for _, commits in transactions()]
        self.count = len(self.commits)
        with open(self.script, "w", encoding="ascii") as file:
            for steps, commits in transactions():
                for words in steps:
                    file.write(" ".join(words) + "\n")
                file.write("commit\n" if commits else "rollback\n")
        top = os.path.join(place, "plain")
        make_tree(top)
        self.trees = [kit.manifest(os.path.join(top, "tree"))]
        for steps, commits in transactions():
            for words in steps if commits else ():
                carry_out(words, top)
            self.trees.append(kit.manifest(os.path.join(top, "tree")))

    def bounds(self, said):
        """The transactions that are done at least, and at most, when the program was told this."""
        if not said:
            return 0, 1
        number, *outcome = said[-1].split()
        number = int(number)
        if outcome == ["committed"] or not self.commits[number - 1]:
            return number, min(number + 1, self.count)
        return number - 1, number - 1

    def find(self, tree, low, high):
        """How many transactions have made it; None: it is none of these."""
        for number in range(high, low - 1, -1):
            if self.trees[number] == tree:
                return number
        return None


STORY = None


# ---- one place ----

class Lab(crash.Lab):
    """DIR of many.c; 'how': the home was 'shut' before, or 'left' by a process that went without a word,
    or there is none yet, 'new'."""

    def prepare(self, how):
        make_tree(self.root)
        said = os.path.join(self.root, "said")
        if how == "shut":
            self.many(STORY.count + 1)
        elif how == "left":
            # The same content as before, and then a step that is refused.
            script = os.path.join(self.top, "left")
            with open(script, "w", encoding="ascii") as file:
                file.write("put tree/a/one 1 1\nput tree/b/x 1 x\ncommit\ndelete tree/none\ncommit\n")
            self.run([MANY, self.root, script])
        with open(said, "w", encoding="ascii"):
            pass

    def many(self, first=1, **settings):
        return self.run([MANY, self.root, STORY.script, str(first)], **settings)

    def recover(self, **settings):
        return self.run([kit.KTM, "recover", "--home", os.path.join(self.root, "home")], **settings)

    def tree(self):
        return kit.manifest(os.path.join(self.root, "tree"))

    def said(self):
        """Whole lines only: the last one may be torn."""
        with open(os.path.join(self.root, "said"), encoding="ascii") as file:
            return [line for line in file.read().split("\n")[:-1] if line]

    def leftovers(self):
        directory = os.path.join(self.root, "home", "file")
        found = set(os.listdir(directory)) if os.path.isdir(directory) else set()
        return " ".join(sorted(found - HOME_AT_REST))

    def settle(self, bounds, turn, **settings):
        """Recovers and judges: (what it is, what is wrong with it). 'turn' says what else is tried."""
        low, high = bounds
        if turn % 3 == 1:
            outcome = self.many(STORY.count + 1, **settings)
        else:
            outcome = self.recover(**settings)
        tree = self.tree()
        number = STORY.find(tree, low, high)
        if number is None:
            other = STORY.find(tree, 0, STORY.count)
            what = f"what {other} make of it" if other is not None else (
                kit.difference(STORY.trees[low], tree))
            return "", f"{low} to {high} are done, but the tree is: {what}; recover said {outcome}"
        state = "as said" if number == low else "one more"
        if outcome.code != DONE:
            return state, f"{number} are done, but recover said {outcome}"
        if self.leftovers():
            return state, f"{number} are done, but the home holds {self.leftovers()}"
        problem = ""
        if turn % 4 == 0:
            problem = self.again(tree, **settings)
        if not problem and turn % 5 == 0:
            problem = self.go_on(number, **settings)
        return state, problem

    def again(self, tree, **settings):
        """The second recovery has nothing to do."""
        outcome = self.recover(**settings)
        now = self.tree()
        if outcome.code != DONE or "nothing was left" not in outcome.out:
            return f"the second recover said {outcome}"
        if now != tree or self.leftovers():
            return f"the second recover left {kit.difference(tree, now)} {self.leftovers()}"
        return ""

    def go_on(self, number, **settings):
        """The next transactions are possible."""
        outcome = self.many(number + 1, **settings)
        now = self.tree()
        if outcome.code != DONE or now != STORY.trees[-1] or self.leftovers():
            return (f"from {number + 1} on it said {outcome} and left "
                    f"{kit.difference(STORY.trees[-1], now)} {self.leftovers()}")
        return ""


# ---- kills, and what fails ----

def hurt(lab, point):
    """Kills it there, or lets that mutation fail."""
    how_left, how, at = point
    lab.fresh(how_left)
    outcome = lab.many(how=how, at=at, errno="EIO" if how == "fail" else None)
    if outcome.code not in (kit.KILLED, DONE, STOPPED):
        return "", f"died of something else: {outcome}"
    bounds = STORY.bounds(lab.said())
    if outcome.code == DONE and bounds[0] != STORY.count:
        return "", f"it was done after {bounds[0]}"
    return lab.settle(bounds, at)


def hurt_twice(lab, point):
    """Killed, and again while it recovers."""
    how_left, at, again = point
    lab.fresh(how_left)
    lab.many(how="before", at=at)
    bounds = STORY.bounds(lab.said())
    how = "torn" if again % 3 == 0 else "before"
    outcome = lab.recover(how=how, at=again)
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"recover neither killed nor done: {outcome}"
    return lab.settle(bounds, again)


# ---- the power ----

class Cut:
    """One run, and what it had said by each of its mutations."""

    def __init__(self, lab, how_left, **settings):
        trace = os.path.join(lab.top, "trace")
        lab.fresh(how_left)
        kit.remove_trace(trace)
        image = Image.scan(lab.root)
        self.outcome = lab.many(trace=trace, **settings)
        self.history = History(image, trace)
        self.length = len(self.history.events)
        self.said = []            # (event, line)
        self.seen = set()
        said = image.root.entries["said"].ident
        for event, words in enumerate(self.history.events):
            value = dict(pairs(words[4:]))
            if "write" in value and ident_of(value["file"]) == said:
                _, size, at = map(int, value["write"].split(","))
                self.said.append((event, self.history.data[at:at + size].decode().strip()))

    def bounds(self, at):
        return STORY.bounds([line for event, line in self.said if event < at])

    def state(self, at, mode, seed):
        return self.history.state(at, mode, random.Random(f"{at} {mode} {seed}"))


CUTS = {}


def cut_of(lab, how_left, lie):
    key = lab.top, how_left, lie
    if key not in CUTS:
        CUTS[key] = Cut(lab, how_left, lie=lie)
    return CUTS[key]


def lose_power(lab, point):
    how_left, lie, at, mode, seed = point
    cut = cut_of(lab, how_left, lie)
    at = min(at, cut.length)
    state = cut.state(at, mode, seed)
    bounds = cut.bounds(at)
    digest = bounds, state.digest()
    if digest in cut.seen:
        return "same", ""
    cut.seen.add(digest)
    lab.make(state)
    return lab.settle(bounds, at, inodes=lab.inodes)


def lose_power_twice(lab, point):
    """In the run, and then in the recovery from that."""
    at, mode, again = point
    cut = cut_of(lab, "shut", None)
    at = min(at, cut.length)
    state = cut.state(at, mode, 0)
    low, high = cut.bounds(at)
    lab.make(state)
    trace = os.path.join(lab.top, "trace-of-recovery")
    kit.remove_trace(trace)
    lab.recover(inodes=lab.inodes, trace=trace)
    second = History(state.image(), trace)
    now = min(again, len(second.events))
    if now == len(second.events):  # the recovery was over, and what it made is durable
        number = STORY.find(lab.tree(), low, high)
        low = high = low if number is None else number
    dice = random.Random(f"{point}")
    lab.make(second.state(now, dice.choice(("nothing", "prefix", "subset")), dice))
    return lab.settle((low, high), again, inodes=lab.inodes)


def fail_sync(lab, point):
    """A sync fails, and the kernel knows nothing of it afterwards; then the power goes, or not."""
    how_left, at, forever = point
    cut = Cut(lab, how_left, how="fail", at=at, errno="EIO", forever=forever or None, only="sync")
    if cut.outcome.code not in (DONE, STOPPED):
        return "", f"died of something else: {cut.outcome}"
    state, problem = lab.settle(cut.bounds(cut.length), 1)
    for seed, mode in enumerate(("nothing", "prefix", "subset")):
        if problem:
            break
        lab.make(cut.state(cut.length, mode, seed))
        state, problem = lab.settle(cut.bounds(cut.length), at, inodes=lab.inodes)
        problem = problem and f"{mode}: {problem}"
    return state, problem


def power_points(how_left, lie, cuts, seeds=SEEDS):
    for at in cuts:
        yield how_left, lie, at, "nothing", 0
        if at % 8 == 0:
            yield how_left, lie, at, "all", 0  # as after a kill, which is tried everywhere
        for seed in range(seeds):
            yield how_left, lie, at, "prefix", seed
            yield how_left, lie, at, "subset", seed


# ---- all of it ----

def numbers(cut, key):
    return [int(words[0]) for words in cut.history.events
            if any(word.startswith(key) for word in words)]


def check_undisturbed(report, lab):
    for how_left in ("new", "left", "shut"):
        cut = Cut(lab, how_left)
        problem = kit.difference(STORY.trees[-1], lab.tree()) + lab.leftovers()
        if not report.check(f"an undisturbed run, home {how_left}",
                            cut.outcome.code == DONE and not problem, f"{cut.outcome} {problem}"):
            report.end()
        lines = [f"{number + 1} {'committed' if commits else 'rolled back'}"
                 for number, commits in enumerate(STORY.commits)]
        report.check(f"it says so, home {how_left}",
                     [line for _, line in cut.said] == lines and lab.said() == lines, str(cut.said))
    return cut


def sweep_kills(sweep, cut):
    everywhere = range(1, cut.length + 2)
    few = sample(everywhere, 20 if kit.SANITIZED else 10000 if kit.IS_FULL else 60)
    sweep("killed at every mutation", hurt,
          [("shut", "before", at) for at in (few if kit.SANITIZED else everywhere)])
    sweep("killed in the middle of every write", hurt,
          [("shut", "torn", at) for at in numbers(cut, "write=")])
    sweep("killed in a home that was left, or is new", hurt,
          [(how, "after", at) for at in few for how in ("left", "new")])
    sweep("a mutation fails", hurt, [("shut", "fail", at) for at in few])
    sweep("killed again at every time of a recovery", hurt_twice,
          [("shut", at, again) for at in few for again in sample(range(1, 40), 39 if kit.IS_FULL else 3, at)])


def sweep_power(report, sweep, cut):
    cuts = range(cut.length + 1)
    few = sample(cuts, 20 if kit.SANITIZED else 10000 if kit.IS_FULL else 40)
    sweep("power lost at every mutation", lose_power,
          list(power_points("shut", None, few if kit.SANITIZED else cuts)))
    sweep("power lost in a home that was left, or is new", lose_power,
          [point for how in ("left", "new") for point in power_points(how, None, few)])
    sweep("power lost again at every time of a recovery", lose_power_twice,
          [(at, mode, again) for at in few for mode in ("nothing", "subset")
           for again in sample(range(60), 12 if kit.IS_FULL else 2, at)])
    sweep("power lost after every sync that fails", fail_sync,
          [("shut", at, forever) for at in numbers(cut, "sync=") for forever in (0, 1)])
    for lie in LIES:
        points = list(power_points("shut", lie, sample(cuts, 25), 1))
        broken = crash.count_broken(lose_power, Lab, points)
        report.say(f"without {lie}: {broken} of {len(points)} states are broken")
        report.check(f"a missing {lie} is found", broken > 0)


def main():
    report = kit.Report()
    kit.must_be_built(MANY)
    kit.must_be_built(kit.KTM)
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        global STORY
        STORY = Story(place.path)
        crash.start(place.path, report)
        crash.one(Lab, globals())
        cut = check_undisturbed(report, Lab("reference"))
        report.say(f"{STORY.count} transactions, {cut.length} mutations, "
                   f"{len(numbers(cut, 'sync='))} of them syncs")
        sweep = crash.sweeper(Lab)
        sweep_kills(sweep, cut)
        sweep_power(report, sweep, cut)
    report.end()


if __name__ == "__main__":
    main()
