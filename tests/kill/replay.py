#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a power cut may leave of what a traced program did (the trace: libktmkill.so, trace.c).

The model. Content is durable by fsync or fdatasync of that file (or O_DSYNC), and when a sync has
failed, what it was to cover never is. Modes, owners, times and extended attributes are durable by
fsync of the file or directory. A name is durable by fsync of its directory, nothing else; a rename is
atomic, so it is durable when one of its two directories is. Whatever is not durable may be lost or
not, each operation for itself, writes also by sectors of 512 bytes; but of what was done to one name
nothing is kept after something that was lost.

    replay.py IMAGE TRACE TO [--cut N] [--mode nothing|all|prefix|subset] [--seed S]

makes one such state in the directory TO. IMAGE is what was there when the traced program started, as
'replay.py --scan DIRECTORY IMAGE' wrote it before.
"""
import argparse
import ctypes
import hashlib
import os
import pickle
import random
import stat
import sys
from urllib.parse import unquote

SECTOR = 512
NEVER = 1 << 60
MODES = ("nothing", "all", "prefix", "subset")


# ---- inodes as the kernel has them ----

class Statx(ctypes.Structure):
    """The head of 'struct statx', as far as it is needed."""
    _fields_ = [("mask", ctypes.c_uint32), ("blksize", ctypes.c_uint32),
                ("attributes", ctypes.c_uint64), ("nlink", ctypes.c_uint32),
                ("uid", ctypes.c_uint32), ("gid", ctypes.c_uint32),
                ("mode", ctypes.c_uint16), ("spare", ctypes.c_uint16),
                ("ino", ctypes.c_uint64), ("size", ctypes.c_uint64),
                ("blocks", ctypes.c_uint64), ("attributes_mask", ctypes.c_uint64),
                ("atime", ctypes.c_int64 * 2),
                ("btime_sec", ctypes.c_int64), ("btime_nsec", ctypes.c_uint32),
                ("rest", ctypes.c_uint8 * 256)]


LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME, STATX_INO = -100, 0x100, 0x800, 0x100


def identity(path):
    """Inode and birth (0 where it is not recorded), as the trace has them."""
    out = Statx()
    if LIBC.statx(AT_FDCWD, os.fsencode(path), AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_INO,
                  ctypes.byref(out)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    born = out.btime_sec * 1000000000 + out.btime_nsec if out.mask & STATX_BTIME else 0
    return out.ino, born


def xattrs_of(path):
    try:
        return {name: os.getxattr(path, name, follow_symlinks=False)
                for name in os.listxattr(path, follow_symlinks=False)}
    except OSError:
        return {}


# ---- the machine ----

class Node:
    """A file, directory or symbolic link, and what was done to it."""

    def __init__(self, ident, kind, meta, content=b"", target=None):
        self.ident = ident        # (inode, birth)
        self.kind = kind          # file directory symlink
        self.meta = meta          # (mode, uid, gid, mtime, xattrs) when it was new
        self.content = content
        self.target = target
        self.entries = {}         # of a directory, in the image
        self.metas = []           # operations, in order
        self.contents = []
        self.names = []           # of a directory
        self.cache = {}

    def content_after(self, kept):
        """'kept': pairs of operation and the sectors of it (None: all)."""
        key = tuple((op.index, None if sectors is None else tuple(sectors)) for op, sectors in kept)
        if not key:
            return self.content
        if key not in self.cache:
            if len(self.cache) > 64:
                self.cache.clear()
            content = bytearray(self.content)
            for op, sectors in kept:
                op.apply(content, sectors)
            self.cache[key] = bytes(content)
        return self.cache[key]


class Operation:
    def __init__(self, index, event):
        self.index = index        # among all operations
        self.event = event        # line of the trace
        self.durable_at = NEVER   # line of the sync that covers it
        self.is_lost = False      # a sync that should have covered it has failed


class Write(Operation):
    def __init__(self, index, event, offset, data):
        super().__init__(index, event)
        self.offset, self.data = offset, data

    def sectors(self):
        return range(self.offset // SECTOR, (self.offset + len(self.data) + SECTOR - 1) // SECTOR)

    def apply(self, content, sectors):
        end = self.offset + len(self.data)
        if sectors is None:
            if len(content) < self.offset:
                content.extend(bytes(self.offset - len(content)))
            content[self.offset:end] = self.data
            return
        for sector in sectors:
            at, to = max(sector * SECTOR, self.offset), min((sector + 1) * SECTOR, end)
            if len(content) < at:
                content.extend(bytes(at - len(content)))
            content[at:to] = self.data[at - self.offset:to - self.offset]


class Resize(Operation):
    def __init__(self, index, event, size):
        super().__init__(index, event)
        self.size = size

    def apply(self, content, _sectors):
        if len(content) > self.size:
            del content[self.size:]
        else:
            content.extend(bytes(self.size - len(content)))


class Zero(Operation):
    def __init__(self, index, event, offset, size):
        super().__init__(index, event)
        self.offset, self.size = offset, size

    def apply(self, content, _sectors):
        end = min(self.offset + self.size, len(content))
        if end > self.offset:
            content[self.offset:end] = bytes(end - self.offset)


class Meta(Operation):
    def __init__(self, index, event, meta):
        super().__init__(index, event)
        self.meta = meta


class Names(Operation):
    def __init__(self, index, event):
        super().__init__(index, event)
        self.binds = []           # (directory, name, node or None)
        self.times = []           # (directory, mtime)

    def keys(self):
        for directory, name, _ in self.binds:
            yield directory, name


class Image:
    """What is on the disk when a program starts, all of it durable."""

    def __init__(self, root):
        self.root = root          # Node
        self.nodes = {}           # ident -> Node

    @staticmethod
    def scan(path):
        def visit(at):
            info = os.lstat(at)
            meta = (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns,
                    xattrs_of(at))
            if stat.S_ISLNK(info.st_mode):
                node = Node(identity(at), "symlink", meta, target=os.readlink(at))
            elif stat.S_ISDIR(info.st_mode):
                node = Node(identity(at), "directory", meta)
                for name in os.listdir(at):
                    node.entries[name] = visit(os.path.join(at, name))
            else:
                with open(at, "rb") as file:
                    node = Node(identity(at), "file", meta, file.read())
            image.nodes[node.ident] = node
            return node

        image = Image(None)
        image.root = visit(path)
        return image


def ident_of(text):
    inode, born = text.split(".")
    return int(inode), int(born)


def pairs(words):
    for word in words:
        key, value = word.split("=", 1)
        yield key, value


def meta_of(words):
    value = {}
    xattrs = {}
    for key, text in words:
        if key == "x":
            name, content = text.split(":")
            xattrs[bytes.fromhex(name).decode()] = bytes.fromhex(content)
        else:
            value[key] = text
    return (stat.S_IMODE(int(value["mode"], 8)), int(value["uid"]), int(value["gid"]),
            int(value["mtime"]), xattrs)


class History:
    """An image and a trace: every state a power cut may leave comes from here."""

    def __init__(self, image, trace):
        self.root = image.root
        self.nodes = dict(image.nodes)
        for node in self.nodes.values():
            node.metas, node.contents, node.names, node.cache = [], [], [], {}
        self.operations = []
        self.by_key = {}          # (directory, name) -> Names, in order
        self.syncs = 0
        with open(trace + ".data", "rb") as file:
            self.data = file.read()
        with open(trace, encoding="ascii") as file:
            self.events = [line.split() for line in file]
        for event, words in enumerate(self.events):
            self.read(event, words)

    def read(self, event, words):
        _number, function, result, _errno = words[:4]
        rest = list(pairs(words[4:]))
        value = dict(rest)
        if "sync" in value:
            self.sync(event, value, int(result) >= 0)
            return
        if int(result) < 0 or function == "sync_file_range":
            return
        if "new" in value:
            ident = ident_of(value["file"])
            self.nodes[ident] = Node(ident, value["new"], meta_of(rest),
                                     target=unquote(value["target"]) if "target" in value else None)
        if "bind" in value:
            self.read_names(event, rest)
        elif "file" in value:
            self.read_inode(event, value, rest)

    def add(self, operation):
        self.operations.append(operation)
        return operation

    def read_inode(self, event, value, rest):
        node = self.nodes[ident_of(value["file"])]
        new = []
        if "new" not in value:
            new.append(self.add(Meta(len(self.operations), event, meta_of(rest))))
            node.metas.append(new[-1])
        if "write" in value:
            offset, size, at = map(int, value["write"].split(","))
            node.contents.append(self.add(Write(len(self.operations), event, offset,
                                                self.data[at:at + size])))
            new.append(node.contents[-1])
        if "zero" in value:
            offset, size = map(int, value["zero"].split(","))
            node.contents.append(self.add(Zero(len(self.operations), event, offset, size)))
            new.append(node.contents[-1])
        if "resize" in value:
            node.contents.append(self.add(Resize(len(self.operations), event,
                                                 int(value["resize"]))))
            new.append(node.contents[-1])
        if "durable" in value:
            for operation in new[-1:]:
                operation.durable_at = event

    def read_names(self, event, rest):
        operation = self.add(Names(len(self.operations), event))
        for key, text in rest:
            if key == "bind":
                directory, name, child = text.split(":")
                node = None if child == "-" else self.nodes[ident_of(child)]
                operation.binds.append((self.nodes[ident_of(directory)], unquote(name), node))
            elif key == "parent":
                directory, mtime = text.split(":")
                operation.times.append((self.nodes[ident_of(directory)], int(mtime)))
        for key in operation.keys():
            self.by_key.setdefault(key, []).append(operation)
            if operation not in key[0].names:
                key[0].names.append(operation)

    # ---- what is durable when ----

    def sync(self, event, value, is_done):
        self.syncs += 1
        if value["sync"] == "everything":
            if is_done:
                for operation in self.operations:
                    self.settle(operation, event)
            return
        node = self.nodes[ident_of(value["file"])]
        covered = list(node.contents) + list(node.names)
        if value["sync"] == "all":
            covered += node.metas
        for operation in covered:
            if is_done:
                self.settle(operation, event)
            elif operation.durable_at == NEVER and not isinstance(operation, Names):
                operation.is_lost = True

    def settle(self, operation, event):
        if operation.durable_at != NEVER or operation.is_lost:
            return
        operation.durable_at = event
        if isinstance(operation, Names):
            # A rename takes what happened before to its other name with it.
            for key in operation.keys():
                for earlier in self.by_key[key]:
                    if earlier.index < operation.index:
                        self.settle(earlier, event)

    # ---- states ----

    def state(self, cut, mode, rng=None):
        """What may be there when the power goes after 'cut' lines of the trace."""
        keeps = {"nothing": keep_nothing, "all": keep_all}.get(mode)
        if not keeps:
            keeps = (keep_prefix if mode == "prefix" else keep_subset)(rng, cut)
        kept = {}                 # operation index -> sectors or None
        blocked = set()
        for operation in self.operations:
            if operation.event >= cut:
                break
            is_kept, sectors = True, None
            if operation.durable_at >= cut:
                is_kept, sectors = keeps(operation)
                if isinstance(operation, Names):
                    is_kept = is_kept and not any(key in blocked for key in operation.keys())
                    if not is_kept:
                        blocked.update(operation.keys())
            if is_kept:
                kept[operation.index] = sectors
        return State(self, kept)


def keep_nothing(_operation):
    return False, None


def keep_all(_operation):
    return True, None


def torn(operation, rng):
    """Some sectors of a write."""
    return True, [sector for sector in operation.sectors() if rng.random() < 0.5]


def keep_prefix(rng, cut):
    end = rng.randrange(cut + 1)

    def keeps(operation):
        if operation.event == end and isinstance(operation, Write):
            return torn(operation, rng)
        return operation.event < end, None
    return keeps


def keep_subset(rng, _cut):
    share = rng.choice((0.1, 0.3, 0.5, 0.7, 0.9))

    def keeps(operation):
        if isinstance(operation, Write) and rng.random() < 0.3:
            return torn(operation, rng)
        return rng.random() < share, None
    return keeps


class State:
    """A tree of names, and for each file what became of its content."""

    def __init__(self, history, kept):
        self.kept = kept
        self.root = history.root
        self.entries = {}         # directory -> {name: node}, where names have changed
        self.mtimes = {}
        for operation in history.operations:
            if operation.index in kept and isinstance(operation, Names):
                for directory, name, node in operation.binds:
                    entries = self.entries.setdefault(directory, dict(directory.entries))
                    if node is None:
                        entries.pop(name, None)
                    else:
                        entries[name] = node
                for directory, mtime in operation.times:
                    self.mtimes[directory] = (operation.index, mtime)

    def entries_of(self, directory):
        return self.entries.get(directory, directory.entries)

    def content_of(self, node):
        return node.content_after([(op, self.kept[op.index]) for op in node.contents
                                   if op.index in self.kept])

    def meta_of(self, node):
        meta, index = node.meta, -1
        for operation in node.metas:
            if operation.index in self.kept:
                meta, index = operation.meta, operation.index
        changed, mtime = self.mtimes.get(node, (-1, 0))
        return meta[:3] + (mtime,) + meta[4:] if changed > index else meta

    def walk(self):
        """(path, node) from the root on, directories before what is in them."""
        stack = [("", self.root)]
        while stack:
            path, node = stack.pop()
            yield path, node
            if node.kind == "directory":
                for name, child in self.entries_of(node).items():
                    stack.append((path + "/" + name, child))

    def digest(self):
        """Equal for states that a program cannot tell apart."""
        value = hashlib.blake2b(digest_size=16)
        for path, node in sorted(self.walk(), key=lambda item: item[0]):
            contents = [(op.index, self.kept[op.index]) for op in node.contents
                        if op.index in self.kept]
            meta = self.meta_of(node)
            value.update(repr((path, node.ident, contents, meta[:3],
                               sorted(meta[4].items()))).encode(errors="surrogateescape"))
        return value.digest()

    def make(self, to, inodes):
        """Makes it below the directory 'to', which is empty or missing; 'inodes' is the file that
        tells libktmkill who everybody is said to be."""
        paths = {}
        directories = []
        lines = []
        for path, node in self.walk():
            at = to + path
            meta = self.meta_of(node)
            if node in paths and node.kind != "directory":
                os.link(paths[node], at, follow_symlinks=False)
                continue
            if node in paths:
                raise ValueError(f"{path}: a directory cannot have two names")
            paths[node] = at
            if node.kind == "symlink":
                os.symlink(node.target, at)
                make_owner(at, meta)
                os.utime(at, ns=(meta[3], meta[3]), follow_symlinks=False)
            elif node.kind == "directory":
                if path or not os.path.isdir(at):
                    os.mkdir(at, 0o700)
                directories.append((at, meta))
            else:
                fd = os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                write_all(fd, self.content_of(node))
                os.close(fd)
                make_meta(at, meta)
            lines.append("%d %d %d %d\n" % (identity(at) + node.ident))
        for at, meta in reversed(directories):
            make_meta(at, meta)
        with open(inodes, "w", encoding="ascii") as file:
            file.writelines(lines)

    def image(self):
        """The same as the start of another trace, whose program is told the old identities."""
        copies = {}

        def copy(node):
            if node not in copies:
                copies[node] = Node(node.ident, node.kind, self.meta_of(node),
                                    self.content_of(node) if node.kind == "file" else b"",
                                    node.target)
                if node.kind == "directory":
                    copies[node].entries = {name: copy(child)
                                            for name, child in self.entries_of(node).items()}
            return copies[node]

        image = Image(copy(self.root))
        image.nodes = {node.ident: node for node in copies.values()}
        return image


def write_all(fd, content):
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view):]


def make_owner(at, meta):
    if os.geteuid() == 0 and (meta[1] != 0 or meta[2] != 0):
        os.chown(at, meta[1], meta[2], follow_symlinks=False)


def make_meta(at, meta):
    make_owner(at, meta)
    wanted = meta[4]
    for name in os.listxattr(at):
        if name not in wanted:
            os.removexattr(at, name)
    for name, value in wanted.items():
        os.setxattr(at, name, value)
    os.chmod(at, meta[0])
    os.utime(at, ns=(meta[3], meta[3]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scan", metavar="DIRECTORY")
    parser.add_argument("image")
    parser.add_argument("trace", nargs="?")
    parser.add_argument("to", nargs="?")
    parser.add_argument("--cut", type=int)
    parser.add_argument("--mode", choices=MODES, default="nothing")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sys.setrecursionlimit(10000)
    if args.scan:
        with open(args.image, "wb") as file:
            pickle.dump(Image.scan(args.scan), file)
        return
    if not args.to:
        parser.error("IMAGE TRACE TO are needed")
    with open(args.image, "rb") as file:
        history = History(pickle.load(file), args.trace)
    cut = len(history.events) if args.cut is None else args.cut
    state = history.state(cut, args.mode, random.Random(args.seed))
    state.make(args.to, args.to.rstrip("/") + ".inodes")
    print(f"{args.to}: after {cut} of {len(history.events)} mutations, {args.mode} of what was not "
          f"durable; KTM_KILL_INODES={args.to.rstrip('/')}.inodes")


if __name__ == "__main__":
    main()
