#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shim sees every mutation, and does to it what it is told; the replay is right and finds bugs.

Tried on tests/kill/sample.c, whose 'save' changes two files by a journal.
"""
import os
import random
import re
import shutil
import sys

import kit
from replay import MODES, History, Image

# One name for what the kernel offers, or the C library uses, in several versions.
CANONICAL = {"open": "openat", "creat": "openat", "mkdir": "mkdirat", "rmdir": "unlinkat",
             "unlink": "unlinkat", "rename": "renameat2", "renameat": "renameat2",
             "link": "linkat", "symlink": "symlinkat", "mknod": "mknodat", "chmod": "fchmodat",
             "fchmodat2": "fchmodat", "chown": "fchownat", "lchown": "fchownat",
             "utime": "utimensat", "utimes": "utimensat", "futimesat": "utimensat"}
CALLS = ["openat", "openat2", "open", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
         "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mknod",
         "mknodat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range",
         "sendfile", "splice", "ioctl", "truncate", "ftruncate", "fallocate", "fsync", "fdatasync",
         "syncfs", "sync", "sync_file_range", "chmod", "fchmod", "fchmodat", "chown", "fchown",
         "lchown", "fchownat", "utime", "utimes", "futimesat", "utimensat", "setxattr",
         "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "mmap", "msync",
         "io_uring_setup", "io_submit"]
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")


def canonical(name):
    return CANONICAL.get(name, name)


def calls_seen_by_strace(text, root):
    """Names of the system calls that change something below the root."""
    # A call that another thread interrupted in the output is taken from where it began.
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        name, arguments = found[1], found[2]
        if name in ("io_uring_setup", "io_submit", "sync"):
            yield name
            continue
        # The root itself as a name is in a directory that is not watched.
        if not re.search(re.escape(root) + "[/>]", arguments) and '"/proc/self/fd/' not in arguments:
            continue
        if name.startswith(("open", "creat")) and not re.search(r"O_CREAT|O_TRUNC|O_TMPFILE",
                                                                arguments) and name != "creat":
            continue
        if name == "mmap" and not ("MAP_SHARED" in arguments and "PROT_WRITE" in arguments):
            continue
        if name == "ioctl" and "FICLONE" not in arguments:
            continue
        yield canonical(name)


def calls_traced(path):
    with open(path, encoding="ascii") as file:
        return [canonical(line.split()[1]) for line in file]


def compare_with_strace(report, title, argv, root, env, again):
    """Runs the program under the shim, then (after again()) under strace; both have seen the same."""
    if not shutil.which("strace"):
        report.skip(title, "strace is not installed")
        return
    trace = root + ".trace"
    kit.run(argv, dict(env, **kit.shimmed(root, trace=trace)))
    again()
    log = root + ".strace"
    done = kit.run(["strace", "-f", "-qq", "-y", "-s", "4", "-o", log, "-e",
                    "trace=" + ",".join("?" + call for call in CALLS)] + argv,
                   dict(env, ASAN_OPTIONS="detect_leaks=0"))
    if not os.path.exists(log) or "ptrace" in done.out:
        report.skip(title, "strace may not trace here")
        return
    with open(log, encoding="utf-8", errors="replace") as file:
        seen = sorted(calls_seen_by_strace(file.read(), root))
    traced = sorted(calls_traced(trace))
    missing = sorted(set(seen) | set(traced))
    detail = ", ".join(f"{name}: {traced.count(name)} of {seen.count(name)}" for name in missing
                       if seen.count(name) != traced.count(name))
    report.check(title, seen and seen == traced, detail or "nothing seen")


class Saving:
    """'sample save' in a directory of its own."""

    def __init__(self, place):
        self.root = os.path.join(place, "save")
        self.trace = os.path.join(place, "save.trace")

    def fresh(self):
        kit.remove(self.root)
        os.mkdir(self.root)
        for name in ("one", "two"):
            with open(os.path.join(self.root, name), "w", encoding="ascii") as file:
                file.write("old")

    def save(self, **settings):
        return kit.run([kit.SAMPLE, "save", self.root, "new"], kit.shimmed(self.root, **settings))

    def recover(self):
        return kit.run([kit.SAMPLE, "recover", self.root])

    def content(self):
        """What is there now; 'old' or 'new' when it is as it should be."""
        texts = {}
        for name in os.listdir(self.root):
            with open(os.path.join(self.root, name), encoding="ascii") as file:
                texts[name] = file.read()
        for text in ("old", "new"):
            if texts == {"one": text, "two": text}:
                return text
        return str(texts)

    def traced(self, **settings):
        for path in (self.trace, self.trace + ".data"):
            if os.path.exists(path):
                os.unlink(path)
        self.fresh()
        image = Image.scan(self.root)
        outcome = self.save(trace=self.trace, **settings)
        return History(image, self.trace), outcome

    def broken_after_power_cuts(self, history, seeds):
        """(states tried, states that recovery does not mend, whether a promise was broken)."""
        tried = broken = 0
        seen = set()
        for cut in range(len(history.events) + 1):
            for mode in MODES:
                for seed in range(seeds if mode in ("prefix", "subset") else 1):
                    state = history.state(cut, mode, random.Random(f"{cut} {mode} {seed}"))
                    digest = state.digest()
                    if digest in seen:
                        continue
                    seen.add(digest)
                    kit.remove(self.root)
                    state.make(self.root, self.root + ".inodes")
                    self.recover()
                    tried += 1
                    broken += self.content() not in ("old", "new")
        kit.remove(self.root)
        history.state(len(history.events), "nothing").make(self.root, self.root + ".inodes")
        self.recover()
        return tried, broken, self.content() != "new"


def check_counting(report, saving):
    counter = saving.root + ".count"
    saving.fresh()
    outcome = saving.save(count=counter)
    total = kit.count_of(counter)
    report.check("counting changes nothing", outcome.code == 0 and saving.content() == "new")
    saving.fresh()
    outcome = saving.save(how="before", at=total + 1)
    report.check("a number that is never reached is never fatal", outcome.code == 0)
    saving.fresh()
    outcome = kit.run([kit.SAMPLE, "save", saving.root, "new"],
                      kit.shimmed(os.path.dirname(saving.root) + "/elsewhere", how="before", at=1))
    report.check("a root that is missing is said", outcome.code == 125, repr(outcome))
    return total


def check_killing(report, saving, total):
    wrong = []
    states = {"before": [], "after": []}
    for how in ("before", "after", "torn"):
        for at in range(1, total + 1):
            saving.fresh()
            outcome = saving.save(how=how, at=at)
            if outcome.code != kit.KILLED:
                wrong.append(f"{how} {at} was survived")
            if how in states:
                states[how].append(kit.manifest(saving.root))
            saving.recover()
            if saving.content() not in ("old", "new"):
                wrong.append(f"{how} {at}: {saving.content()}")
    report.check(f"killed at each of {total} mutations, recovery mends", not wrong, "; ".join(wrong))
    same = [at for at in range(total - 1) if states["after"][at] != states["before"][at + 1]]
    report.check("after one is before the next", not same, str(same))

    saving.fresh()
    saving.save(how="torn", at=2)
    with open(os.path.join(saving.root, "journal.new"), "rb") as file:
        report.check("a torn write wrote half", len(file.read()) == 2048)


def check_failing(report, saving, total):
    wrong = []
    for error in ("EIO", "ENOSPC"):
        for at in range(1, total + 1):
            saving.fresh()
            outcome = saving.save(how="fail", at=at, errno=error)
            if outcome.code != 1:
                wrong.append(f"{error} at {at}: {outcome}")
            saving.recover()
            if saving.content() not in ("old", "new"):
                wrong.append(f"{error} at {at}: {saving.content()}")
    report.check("each mutation fails when told to", not wrong, "; ".join(wrong[:4]))
    saving.fresh()
    outcome = saving.save(how="fail", at=1, only="sync", forever=1)
    report.check("only syncs fail when told to", "fdatasync" in outcome.out, repr(outcome))
    saving.fresh()
    history, outcome = saving.traced(how="short", at=2)
    report.check("a short write is said to be short", history.events[1][1:3] == ["pwrite64", "2048"])
    report.check("a wrong setting is refused", saving.save(how="sideways").code == 125)


def check_replay(report, saving):
    history, outcome = saving.traced()
    wanted = kit.manifest(saving.root)
    kit.remove(saving.root)
    history.state(len(history.events), "all").make(saving.root, saving.root + ".inodes")
    report.check("nothing lost is what really was there", not kit.difference(
        wanted, kit.manifest(saving.root)), kit.difference(wanted, kit.manifest(saving.root)))
    tried, broken, is_lost = saving.broken_after_power_cuts(history, 10)
    report.check(f"recovery mends each of {tried} states after a power cut",
                 outcome.code == 0 and tried > 15 and broken == 0, f"{broken} are broken")
    report.check("what was said to be done stays done", not is_lost)
    for lie in ("file-sync", "directory-sync", "file-sync,directory-sync"):
        history, outcome = saving.traced(lie=lie)
        tried, broken, is_lost = saving.broken_after_power_cuts(history, 10)
        report.say(f"without {lie}: {broken} of {tried} states are broken")
        report.check(f"without {lie} states are broken, and it is seen",
                     outcome.code == 0 and broken > 0 and is_lost, f"{broken} of {tried}")
    # A sync that failed once and is silent afterwards, as on Linux.
    history, _ = saving.traced(how="fail", at=3)
    final = history.state(len(history.events), "nothing")
    report.check("what a failed sync was to cover is never durable",
                 all(operation.durable_at >= len(history.events)
                     for operation in history.operations[:2]) and final.digest())


def check_every_call(report, place):
    """The replay does to its tree what each call did to the real one."""
    root = os.path.join(place, "calls")
    os.mkdir(root)

    def again():
        kit.remove(root)
        os.mkdir(root)

    compare_with_strace(report, "the shim sees every call that strace sees",
                        [kit.SAMPLE, "calls", root], root, {}, again)
    again()
    trace = os.path.join(place, "calls.replayed")
    image = Image.scan(root)
    outcome = kit.run([kit.SAMPLE, "calls", root], kit.shimmed(root, trace=trace))
    report.check("every call can be made", outcome.code == 0, repr(outcome))
    history = History(image, trace)
    wanted = kit.manifest(root)
    again()
    history.state(len(history.events), "all").make(root, root + ".inodes")
    report.check("every call is replayed", not kit.difference(wanted, kit.manifest(root)),
                 kit.difference(wanted, kit.manifest(root)))


def main():
    report = kit.Report()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        saving = Saving(place.path)
        check_every_call(report, place.path)
        total = check_counting(report, saving)
        check_killing(report, saving, total)
        check_failing(report, saving, total)
        check_replay(report, saving)
    report.end()


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
