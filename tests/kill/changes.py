# SPDX-License-Identifier: MIT
"""A tree, a change set over it with every kind of step, and what must come of it.

Everything follows from the number of steps and a seed. The steps are carried out here a second time,
in the plainest way, so that the command is compared with somebody else's idea of the right result.
"""
import base64
import hashlib
import json
import os
import random
import shutil
import stat
import struct
import subprocess

import kit

TIME_OF_OLD = 1_400_000_000
ANY_ID = 0xFFFFFFFF
ACL_VERSION = 2
ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER = 1, 2, 4, 0x10, 0x20
FILE_MODES = (0o644, 0o644, 0o600, 0o640, 0o755, 0o444, 0o400, 0o4755, 0o2750, 0o666)
DIRECTORY_MODES = (0o755, 0o755, 0o700, 0o750, 0o1777, 0o2755)
MADE_MODES = (0o755, 0o700, 0o750, 0o1777, 0o2775)


def acl(user, permissions, enter):
    """'enter': 1 for directories."""
    entries = [(ACL_USER_OBJ, 6 | enter, ANY_ID), (ACL_USER, permissions, user),
               (ACL_GROUP_OBJ, 4 | enter, ANY_ID), (ACL_MASK, 6 | enter, ANY_ID),
               (ACL_OTHER, 0, ANY_ID)]
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *entry)
                                                     for entry in entries)


class Maker:
    """Makes the old tree on the way, as the steps come to need something in it."""

    def __init__(self, top, count, seed, big_size):
        self.random = random.Random(f"{count} {seed}")
        self.tree = os.path.join(top, "tree")
        self.sources = os.path.join(top, "sources")
        self.steps = []
        self.number = 0
        self.big_size = big_size
        os.makedirs(self.sources)
        os.mkdir(self.tree)
        self.directories = [""]
        for _ in range(3 + count // 25):
            self.directories.append(self.old_directory(self.random.choice(self.directories)))
        kinds = [self.create, self.create, self.replace, self.replace, self.replace, self.append,
                 self.delete, self.make_directories, self.remove_directory, self.rename_file,
                 self.rename_directory, self.rename_chain, self.swap, self.link, self.relink,
                 self.change_mode, self.replace_tree, self.make_tree, self.expect, self.expect,
                 self.change_kind, self.append_to_new, self.replace_big]
        # Each kind once at least, then at random, so that every seed has its own mixture.
        order = list(kinds)
        self.random.shuffle(order)
        while len(self.steps) < count:
            kind = order.pop() if order else self.random.choice(kinds[:-1])
            before = len(self.steps)
            kind()
            if len(self.steps) > count:
                del self.steps[before:]
                self.expect()
        for _ in range(count // 10):
            self.old_file(self.random.choice(self.directories))  # what nobody touches
        self.set_times(self.tree)

    # ---- what is there before ----

    def name(self, directory, prefix):
        self.number += 1
        odd = self.random.choice(("", "", "", " with blanks", ".conf", "-ünïcödé"))
        return os.path.join(directory, f"{prefix}{self.number}{odd}")

    def content(self, size=None):
        if size is None:
            size = self.random.choice((0, 1, 40, 511, 512, 3000, 4096, 9000))
        return self.random.randbytes(size)

    def dress(self, path, modes):
        """Owner, extended attributes, access control list and mode, some of each."""
        at = os.path.join(self.tree, path) if not os.path.isabs(path) else path
        if os.geteuid() == 0 and self.random.random() < 0.3:
            os.chown(at, 1234, self.random.choice((0, 4321)))
        if self.random.random() < 0.3:
            os.setxattr(at, "user.note", self.random.randbytes(self.random.choice((0, 7, 700))))
        os.chmod(at, self.random.choice(modes))
        if self.random.random() < 0.2:
            self.try_acl(at, "access")
        if os.path.isdir(at) and self.random.random() < 0.2:
            self.try_acl(at, "default")

    def try_acl(self, at, kind):
        try:
            os.setxattr(at, "system.posix_acl_" + kind, acl(1234, self.random.choice((0, 4, 6)),
                                                           int(os.path.isdir(at))))
        except OSError as error:
            if error.errno not in kit.NO_ATTRIBUTES:
                raise

    def old_file(self, directory, size=None):
        path = self.name(directory, "file")
        with open(os.path.join(self.tree, path), "wb") as file:
            file.write(self.content(size))
        self.dress(path, FILE_MODES)
        return path

    def old_directory(self, directory):
        path = self.name(directory, "dir")
        os.mkdir(os.path.join(self.tree, path))
        self.dress(path, DIRECTORY_MODES)
        return path

    def old_link(self, directory):
        path = self.name(directory, "link")
        os.symlink(self.random.choice(("nowhere", "../up", "/dev/null")),
                   os.path.join(self.tree, path))
        return path

    def place(self):
        """A directory that stays."""
        return self.random.choice(self.directories)

    def set_times(self, top):
        for at, names, files in os.walk(top, topdown=False):
            for name in names + files:
                self.number += 1
                os.utime(os.path.join(at, name), (0, TIME_OF_OLD + self.number),
                         follow_symlinks=False)

    # ---- the steps ----

    def step(self, kind, **members):
        self.steps.append({kind: members})

    def with_content(self, members, size=None):
        """From a file, as text or as base64."""
        how = self.random.choice(("from", "text", "base64")) if size is None else "from"
        content = self.content(size)
        if how == "text":
            members["text"] = "".join(chr(33 + byte % 90) for byte in content)
        elif how == "base64":
            members["base64"] = base64.b64encode(content).decode()
        else:
            self.number += 1
            members["from"] = os.path.join(self.sources, f"source{self.number}")
            with open(members["from"], "wb") as file:
                file.write(content)
        return members

    def put(self, path, size=None, with_mode=0.3):
        members = self.with_content({"to": path}, size)
        if self.random.random() < with_mode:
            members["mode"] = f"{self.random.choice(FILE_MODES):04o}"
        self.step("put", **members)
        return path

    def create(self):
        self.put(self.name(self.place(), "new"))

    def replace(self):
        self.put(self.old_file(self.place()))

    def replace_big(self):
        self.put(self.old_file(self.place(), self.big_size), self.big_size, 0)

    def append(self):
        self.step("append", **self.with_content({"to": self.old_file(self.place())}))

    def append_to_new(self):
        path = self.put(self.name(self.place(), "new"))
        self.step("append", **self.with_content({"to": path}))

    def delete(self):
        self.step("delete", path=self.random.choice((self.old_file, self.old_link))(self.place()))

    def make_directory(self, path):
        # Taking the bit away again in a new directory is the one thing that is not compared: a file
        # in it has been made beside it, where the group is still inherited.
        parent = os.path.join(self.tree, os.path.dirname(path))
        sets_group = os.path.exists(parent) and os.stat(parent).st_mode & stat.S_ISGID
        if self.random.random() < 0.5 and not sets_group:
            self.step("mkdir", path=path, mode=f"{self.random.choice(MADE_MODES):04o}")
        else:
            self.step("mkdir", path=path)
        return path

    def make_directories(self):
        outer = self.make_directory(self.name(self.place(), "made"))
        inner = self.make_directory(self.name(outer, "inner"))
        self.put(self.name(outer, "new"))
        self.put(self.name(inner, "new"))
        self.step("symlink", path=self.name(inner, "link"), target="../new")

    def remove_directory(self):
        path = self.old_directory(self.place())
        members = [self.old_file(path), self.old_link(path)]
        for member in members[:self.random.randrange(3)]:
            self.step("delete", path=member)
        for member in members:
            if {"delete": {"path": member}} not in self.steps:
                os.unlink(os.path.join(self.tree, member))
        self.step("rmdir", path=path)

    def rename_file(self):
        self.step("rename", **{"from": self.old_file(self.place()),
                               "to": self.name(self.place(), "moved")})

    def rename_directory(self):
        path = self.old_directory(self.place())
        self.old_file(self.old_directory(path))
        self.old_file(path)
        to = self.name(self.place(), "moved")
        self.step("rename", **{"from": path, "to": to})
        self.put(self.name(to, "new"))

    def rename_chain(self):
        first, second = self.old_file(self.place()), self.old_file(self.place())
        self.step("rename", **{"from": second, "to": self.name(self.place(), "moved")})
        self.step("rename", **{"from": first, "to": second})
        self.put(first)

    def swap(self):
        first, second = self.old_file(self.place()), self.old_file(self.place())
        between = self.name(self.place(), "between")
        for a, b in ((first, between), (second, first), (between, second)):
            self.step("rename", **{"from": a, "to": b})

    def link(self):
        self.step("symlink", path=self.name(self.place(), "link"),
                  target=self.random.choice(("some/where", "..", "/etc/hostname")))

    def relink(self):
        path = self.old_link(self.place())
        self.step("delete", path=path)
        self.step("symlink", path=path, target="elsewhere")

    def change_mode(self):
        if self.random.random() < 0.6:
            path, modes = self.old_file(self.place()), FILE_MODES
        else:
            path, modes = self.old_directory(self.place()), DIRECTORY_MODES
        self.step("chmod", path=path, mode=f"{self.random.choice(modes):04o}")

    def source_tree(self):
        self.number += 1
        top = os.path.join(self.sources, f"tree{self.number}")
        os.makedirs(os.path.join(top, "deep", "deeper"))
        for name in ("a", "b", "deep/c", "deep/deeper/d"):
            with open(os.path.join(top, name), "wb") as file:
                file.write(self.content())
            self.dress(os.path.join(top, name), FILE_MODES)
        os.symlink("../a", os.path.join(top, "deep", "link"))
        os.mkdir(os.path.join(top, "empty"))
        for name in ("deep", "empty"):
            os.chmod(os.path.join(top, name), self.random.choice(DIRECTORY_MODES))
        os.chmod(top, 0o755)
        self.set_times(top)
        return top

    def replace_tree(self):
        path = self.old_directory(self.place())
        self.old_file(path)
        self.old_file(self.old_directory(path))
        self.step("tree", **{"to": path, "from": self.source_tree()})

    def make_tree(self):
        path = self.name(self.place(), "tree")
        self.step("tree", **{"to": path, "from": self.source_tree()})
        if self.random.random() < 0.5:
            self.step("chmod", path=path, mode=f"{self.random.choice(DIRECTORY_MODES):04o}")

    def expect(self):
        kind = self.random.randrange(3)
        if kind == 0:
            self.step("expect", path=self.name(self.place(), "nothing"), absent=True)
        elif kind == 1:
            self.step("expect", path=self.old_file(self.place()), exists=True)
        else:
            path = self.old_file(self.place())
            with open(os.path.join(self.tree, path), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            self.step("expect", path=path, sha256=digest)

    def change_kind(self):
        path = self.old_file(self.place())
        self.step("delete", path=path)
        self.make_directory(path)
        self.put(self.name(path, "new"))


# Members that are paths in the tree.
PATHS = {"put": ["to"], "append": ["to"], "tree": ["to"], "rename": ["from", "to"]}


def write(steps, to, tree):
    """The change set as a file, about the tree at this path (relative to the file)."""
    placed = []
    for step in steps:
        (kind, members), = step.items()
        members = dict(members)
        for key in PATHS.get(kind, ["path"]):
            members[key] = os.path.join(tree, members[key])
        placed.append({kind: members})
    with open(to, "w", encoding="utf-8") as file:
        json.dump({"steps": placed}, file, ensure_ascii=False, indent=1)


# ---- the same steps, one after the other ----

def content_of(members):
    if "from" in members:
        with open(members["from"], "rb") as file:
            return file.read()
    if "text" in members:
        return members["text"].encode()
    return base64.b64decode(members["base64"])


def write_over(at, content, flags):
    """Mode, owner and attributes stay, also the set-id bits that writing takes away."""
    mode = os.stat(at).st_mode & 0o7777 if os.path.exists(at) else None
    if mode is not None:
        with_acl = {name: os.getxattr(at, name) for name in os.listxattr(at)}
        os.chmod(at, 0o600)
    fd = os.open(at, os.O_WRONLY | os.O_CREAT | flags, 0o666)
    os.write(fd, content)
    os.utime(fd)  # also when there was nothing to write
    os.close(fd)
    if mode is not None:
        for name, value in with_acl.items():
            os.setxattr(at, name, value)
        os.chmod(at, mode)


def copy_exactly(top, to):
    """As cp -a, but for what directories with the set-group bit make of new ones in them."""
    subprocess.run(["cp", "-a", top, to], check=True)
    for at, _, _ in os.walk(top):
        os.chmod(os.path.join(to, os.path.relpath(at, top)), os.stat(at).st_mode & 0o7777)


def carry_out(steps, tree):
    for step in steps:
        (kind, members), = step.items()
        at = os.path.join(tree, members.get("to", members.get("path")))
        if kind == "put":
            write_over(at, content_of(members), os.O_TRUNC)
        elif kind == "append":
            write_over(at, content_of(members), os.O_APPEND)
        elif kind == "delete":
            os.unlink(at)
        elif kind == "mkdir":
            os.mkdir(at)
        elif kind == "rmdir":
            os.rmdir(at)
        elif kind == "rename":
            os.rename(os.path.join(tree, members["from"]), at)
        elif kind == "symlink":
            os.symlink(members["target"], at)
        elif kind == "tree":
            shutil.rmtree(at, ignore_errors=True)
            copy_exactly(members["from"], at)
        if "mode" in members:
            os.chmod(at, int(members["mode"], 8))
