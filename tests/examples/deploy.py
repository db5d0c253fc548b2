#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/deploy.py: files and the row that says which version they are, whatever dies.

INV-01 INV-04 RECOV-24 RECOV-27: the program is killed at every file mutation, whole and torn, also while
what it left is recovered; mutations fail; and the power goes. Afterwards the files are all of the
version that the database names. KTM_SWEEP=full visits every point.
"""
import os
import random
import sys

import crash
import kit
from crash import sample
from replay import History, Image

DEPLOY = os.path.join(kit.SOURCE, "examples", "deploy.py")
DONE, NOTHING_CHANGED, NOT_KNOWN = 0, 1, 3
FILES = {"v1": {"app.conf": "one", "conf.d/extra": "1", "old.conf": "old"},
         "v2": {"app.conf": "two", "conf.d/more": "2" * 9000, "new.conf": "new"}}
# That both take part recovers them; then the version that was deployed last is told.
LOOK = """
import sys, ktm
with ktm.transaction() as t:
    t.exists(sys.argv[1])
    print(t.sqlite(sys.argv[2]).execute("SELECT max(version) FROM deployed")[0][0])
"""


class Lab(crash.Lab):
    """source/v1 and source/v2 beside etc, where v1 is deployed, and versions.db in data."""

    def at(self, *names):
        return os.path.join(self.root, *names)

    def prepare(self, how):
        os.mkdir(self.at("data"))
        for version, files in FILES.items():
            for name, text in files.items():
                path = self.at("source", version, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
        os.mkdir(self.at("etc"))
        self.deploy("v1")

    def python(self, *words, **settings):
        env = {"KTM_HOME": self.at("state"), "PYTHONPATH": os.path.join(kit.SOURCE, "python"),
               "PYTHONDONTWRITEBYTECODE": "1",
               "KTM_LIBRARY": os.path.join(kit.BUILD, "libktm.so"),
               "KTM_SQLITE_LIBRARY": os.path.join(kit.BUILD, "libktm-sqlite.so")}
        return self.run([sys.executable, *words], env, **settings)

    def deploy(self, version, **settings):
        return self.python(DEPLOY, self.at("source", version), self.at("etc"),
                           self.at("data", "versions.db"), version, **settings)

    def look(self, **settings):
        return self.python("-c", LOOK, self.at("etc"), self.at("data", "versions.db"), **settings)

    def files(self):
        found = {}
        for directory, _, names in os.walk(self.at("etc")):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, encoding="ascii", errors="replace") as file:
                    found[os.path.relpath(path, self.at("etc"))] = file.read()
        return found

    def settle(self, promised, **settings):
        """Recovers and judges: (version, what is wrong)."""
        outcome = self.look(**settings)
        version = outcome.out.strip()
        if outcome.code != DONE or version not in FILES:
            return "", f"looking said {outcome}"
        if self.files() != FILES[version]:
            return version, f"the database says {version}, and the files are {sorted(self.files())}"
        if promised not in ("", version):
            return version, f"{promised} was promised, and it is {version}"
        return version, ""

    def go_on(self, version, **settings):
        outcome = self.deploy("v2", **settings)
        wanted = NOTHING_CHANGED if version == "v2" else DONE
        return "" if outcome.code == wanted else f"the next deployment said {outcome}"

    def judge(self, outcome, turn, **settings):
        if outcome.code not in (kit.KILLED, DONE, NOTHING_CHANGED, NOT_KNOWN):
            return "", f"died of something else: {outcome}"
        promised = {DONE: "v2", NOTHING_CHANGED: "v1"}.get(outcome.code, "")
        version, problem = self.settle(promised, **settings)
        if not problem and turn % 4 == 0:
            problem = self.go_on(version, **settings)
        return version, problem


def hurt(lab, point):
    how, at = point
    lab.fresh("deployed")
    return lab.judge(lab.deploy("v2", how=how, at=at, errno="EIO" if how == "fail" else None), at)


def hurt_twice(lab, point):
    """Killed, and then again while it recovers."""
    at, again = point
    lab.fresh("deployed")
    lab.deploy("v2", how="before", at=at)
    outcome = lab.look(how="torn" if again % 3 == 0 else "before", at=again)
    if outcome.code not in (kit.KILLED, DONE):
        return "", f"neither killed nor done: {outcome}"
    return lab.settle("")


CUTS = {}


def cut_of(lab, lie):
    """The run whose trace is replayed, made once in each place."""
    key = lab.top, lie
    if key not in CUTS:
        trace = os.path.join(lab.top, f"trace{len(CUTS)}")
        lab.fresh("deployed")
        image = Image.scan(lab.root)
        outcome = lab.deploy("v2", trace=trace, lie=lie)
        CUTS[key] = History(image, trace), outcome
    return CUTS[key]


def lose_power(lab, point):
    lie, at, mode = point
    history, outcome = cut_of(lab, lie)
    lab.make(history.state(min(at, len(history.events)), mode, random.Random(f"{at} {mode}")))
    promised = "v2" if at >= len(history.events) and outcome.code == DONE else ""
    return lab.settle(promised, inodes=lab.inodes)


def main():
    report = kit.Report()
    if kit.SANITIZED or not os.path.exists(os.path.join(kit.BUILD, "libktm-sqlite.so")):
        report.skip("everything", "an interpreter without sanitizers cannot load a library with them"
                    if kit.SANITIZED else "libktm-sqlite.so was not built")
        report.end()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        lab = Lab("reference")
        history, outcome = cut_of(lab, None)
        length = len(history.events)
        report.check("an undisturbed run", outcome.code == DONE, repr(outcome))
        report.say(f"{length} mutations")
        writes = [int(words[0]) for words in history.events
                  if any(word.startswith("write=") for word in words)]
        sweep = crash.sweeper(Lab)
        sweep("killed at every mutation", hurt, [("before", at) for at in range(1, length + 2)])
        sweep("killed in the middle of a write", hurt,
              [("torn", at) for at in (writes if kit.IS_FULL else sample(writes, 20))])
        sweep("a mutation fails", hurt,
              [("fail", at) for at in sample(range(1, length + 1), length if kit.IS_FULL else 20)])
        sweep("killed again while recovering", hurt_twice,
              [(at, again) for at in sample(range(1, length + 1), length if kit.IS_FULL else 8)
               for again in sample(range(1, 40), 40 if kit.IS_FULL else 5, at)])
        cuts = sample(range(length + 1), length + 1 if kit.IS_FULL else 30)
        sweep("power lost", lose_power, [(None, at, mode) for at in cuts
                                         for mode in ("nothing", "prefix", "subset")])
        broken = crash.count_broken(lose_power, Lab,
                                    [("file-sync", at, "subset") for at in sample(cuts, 20)])
        report.check("a missing sync is found", broken > 0)
    report.end()


if __name__ == "__main__":
    main()
