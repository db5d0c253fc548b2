#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""'ktm apply' and 'ktm recover' on a real file system that is full.

A small ext4 in a file (or, without loop devices, a small tmpfs) is filled until so much is free. What
was begun is rolled back at once, or completed or rolled back when there is space again; nothing is
lost, and the exit status tells the truth. Takes root; files that may not grow are tried in faults.py.
"""
import os
import subprocess
import sys

import kit
from campaign import Campaign, Lab, sample
from faults import judge

STEPS = 60
BIG = 300 << 10
SIZE = 96 << 20
PAGE = 4096


class Disk:
    """A file system of our own, mounted below the place."""

    def __init__(self, place):
        self.place = place
        self.path = os.path.join(place, "disk")
        self.kind = ""
        self.why = ""

    def __enter__(self):
        os.mkdir(self.path)
        image = self.path + ".image"
        with open(image, "wb") as file:
            file.truncate(SIZE)
        for kind, command in (("ext4", ["mkfs.ext4", "-q", "-m", "0", image]), ("tmpfs", ["true"])):
            mount = (["mount", "-o", "loop", image, self.path] if kind == "ext4" else
                     ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", self.path])
            try:
                subprocess.run(command, check=True, capture_output=True)
                subprocess.run(mount, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                self.why = str(error)
                continue
            self.why = kit.lacks(self.path, SIZE // 2)
            if not self.why:
                self.kind = kind
                break
            self.__exit__()
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=False, capture_output=True)
        self.kind = ""

    def free(self):
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self, leaving):
        """So much is free then, as nearly as the file system can say."""
        fd = os.open(os.path.join(self.path, "filler"), os.O_WRONLY | os.O_CREAT, 0o600)
        size, step = 0, 1 << 26
        while step >= PAGE:
            if self.free() - step >= leaving:
                try:
                    os.posix_fallocate(fd, size, step)
                    size += step
                    continue
                except OSError:  # what describes the space needs some itself
                    pass
            step //= 2
        os.close(fd)
        os.sync()

    def clear(self):
        filler = os.path.join(self.path, "filler")
        if os.path.exists(filler):
            os.unlink(filler)
        os.sync()


def room_needed(disk, lab):
    """About how much an undisturbed run takes at most."""
    before = disk.free()
    lab.fresh()
    tree = before - disk.free()
    lab.apply()
    os.sync()
    return 2 * (before - disk.free()) - tree


def apply_on_full(report, disk, lab, levels):
    problems, count = [], {"old": 0, "new": 0}
    for leaving in levels:
        lab.fresh()
        disk.fill(leaving)
        outcome = lab.apply()
        disk.clear()
        state, problem = judge(lab, outcome)
        count[state] = count.get(state, 0) + 1
        if problem:
            problems.append(f"with {leaving} bytes free: {problem}")
    for problem in problems[:8]:
        print(f"  {problem}")
    report.check("apply on a full disk", not problems, f"{len(problems)} of {len(levels)}")
    report.say(f"apply with 0 to {max(levels) >> 10} KiB free: {count['old']} old, "
               f"{count['new']} new")


def recover_on_full(report, disk, lab, points):
    problems = []
    for at in points:
        lab.fresh()
        lab.apply(how="before", at=at)
        disk.fill(0)
        full = lab.recover()
        before = lab.state()
        disk.clear()
        state, problem = lab.settle()
        if not problem and full.code == 0 and state != before:
            problem = f"recover on the full disk said {full}, was {before}, and now it is {state}"
        if problem:
            problems.append(f"killed before {at}: {problem}")
    for problem in problems[:8]:
        print(f"  {problem}")
    report.check("recovery on a full disk", not problems, f"{len(problems)} of {len(points)}")


def main():
    report = kit.Report()
    if os.geteuid() != 0:
        report.skip("full disk", "only root may mount one")
        report.end()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        with Disk(place.path) as disk:
            if not disk.kind:
                report.skip("full disk", f"none can be mounted here: {disk.why}")
                report.end()
            campaign = Campaign(disk.path, STEPS, kit.SEED, BIG)
            if campaign.reference(report):
                lab = Lab(campaign, "full")
                need = room_needed(disk, lab)
                report.say(f"{disk.kind}, {campaign.mutations} mutations, about {need >> 10} KiB "
                           "needed")
                share = 400 if kit.IS_FULL else 8 if kit.SANITIZED else 40
                apply_on_full(report, disk, lab, sample(range(0, need, PAGE), share))
                recover_on_full(report, disk, lab,
                                sample(range(1, campaign.mutations + 1), share // 2))
    report.end()


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
