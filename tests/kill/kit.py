# SPDX-License-Identifier: MIT
"""What the tests in this directory share: a place to work in, programs under the shim, facts."""
import errno
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("KTM_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("KTM_BUILD", os.path.join(SOURCE, "build", "debug"))
KTM = os.environ.get("KTM", os.path.join(BUILD, "ktm"))
SHIM = os.path.join(BUILD, "tests", "kill", "libktmkill.so")
SAMPLE = os.path.join(BUILD, "tests", "kill", "sample")
SANITIZED = os.environ.get("KTM_SANITIZE", "")
IS_FULL = os.environ.get("KTM_SWEEP") == "full"
SEED = int(os.environ.get("KTM_KILL_SEED", "1"))  # another one makes other trees and change sets
SPACE = (1 << 30) if IS_FULL else (192 << 20)
SECONDS_MAX = 14000 if IS_FULL else 880
KILLED = -signal.SIGKILL
KILLED_BY_SIZE = -signal.SIGXFSZ
NO_ATTRIBUTES = (errno.EOPNOTSUPP, errno.EPERM)


def must_be_built(path):
    if not os.path.exists(path):
        sys.exit(f"{path} is not built")


# ---- facts ----

class Report:
    """Counts facts and says the false ones; the last line is for tests/run."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.started = time.monotonic()
        must_be_built(SHIM)
        must_be_built(SAMPLE)
        signal.alarm(SECONDS_MAX)  # a hang is a failure, and not for hours

    def check(self, what, is_so, detail=""):
        if is_so:
            self.passed += 1
        else:
            self.failed += 1
            print(f"not so: {what}{': ' if detail else ''}{detail}", flush=True)
        return is_so

    def skip(self, what, reason):
        self.skipped += 1
        print(f"skipped: {what}: {reason}", flush=True)

    def say(self, text):
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.exit(1 if self.failed else 0)


# ---- a place to work in ----

def lacks(directory, space_needed):
    """What a file system must have for these tests and this one has not; "" when all is there."""
    one = os.path.join(directory, "one")
    space = shutil.disk_usage(directory).free
    if space < space_needed:
        return f"only {space >> 20} MiB of free space"
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR))
        with open(one, "wb"):
            pass
        os.setxattr(one, "user.test", b"1")
    except OSError as error:
        return "no " + ("unnamed files" if not os.path.exists(one) else
                        "extended attributes of users") + f" ({error.strerror})"
    finally:
        if os.path.exists(one):
            os.unlink(one)
    return ""


class Place:
    """A scratch directory on a file system that has what it takes, in memory if possible: nothing
    here depends on whether a sync reaches a disk. Gone at the end."""

    def __init__(self):
        self.path = None
        self.why = ""
        for base in (os.environ.get("KTM_KILL_SCRATCH"), "/dev/shm", os.environ.get("TMPDIR"),
                     "/tmp", BUILD):
            if not base or not os.access(base, os.W_OK):
                continue
            path = os.path.realpath(tempfile.mkdtemp(prefix="ktm-kill.", dir=base))
            why = lacks(path, SPACE)
            if not why:
                self.path = path
                return
            os.rmdir(path)
            self.why = f"{base} has {why}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.path:
            remove(self.path)


def remove(path):
    """Everything below, whatever its modes are."""
    def loosen(function, at, _error):
        os.chmod(os.path.dirname(at), 0o700)
        if os.path.isdir(at) and not os.path.islink(at):
            os.chmod(at, 0o700)
        function(at)

    if os.path.lexists(path):
        shutil.rmtree(path, onerror=loosen)


def copy(what, to):
    """A copy that differs in nothing but inode numbers."""
    subprocess.run(["cp", "-a", "--reflink=auto", what, to], check=True)


# ---- programs ----

class Outcome:
    def __init__(self, code, out, seconds):
        self.code, self.out, self.seconds = code, out, seconds

    def __repr__(self):
        return f"exit {self.code}: {self.out.strip()!r}"


def shimmed(root, **settings):
    """The environment that puts a program under the shim; settings as how="before", at=3."""
    env = {"LD_PRELOAD": SHIM, "KTM_KILL_ROOT": root}
    for name, value in settings.items():
        if value is not None:
            env["KTM_KILL_" + name.upper()] = str(value)
    return env


def environment(env=None):
    """Ours, with this, and without what an outer run has asked the shim for."""
    whole = dict(os.environ)
    for name in list(whole):
        if name.startswith("KTM_KILL_"):
            del whole[name]
    if "address" in SANITIZED:
        # The shim comes before the run-time library, and that is meant.
        whole["ASAN_OPTIONS"] = whole.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    whole.update(env or {})
    return whole


def run(argv, env=None, timeout=120, cwd=None, **more):
    whole = environment(env)
    started = time.monotonic()
    try:
        done = subprocess.run(argv, env=whole, cwd=cwd, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False, **more)
        code, out = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, out = "none in time", late.stdout or b""
    return Outcome(code, out.decode(errors="replace"), time.monotonic() - started)


def count_of(path):
    """What the shim counted into the file."""
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8), sys.byteorder)


def remove_trace(path):
    for name in (path, path + ".data"):
        if os.path.exists(name):
            os.unlink(name)


# ---- trees as text ----

# Older than this the time of a file is one the tests gave it; later ones differ from run to run.
TIME_SET_BY_US = 1_500_000_000 * 10**9


def manifest(top):
    """Everything about a tree that must not change: path -> facts."""
    facts = {}
    stack = [""]
    while stack:
        path = stack.pop()
        at = os.path.join(top, path) if path else top
        info = os.lstat(at)
        kind = stat.S_IFMT(info.st_mode)
        fact = [{stat.S_IFREG: "file", stat.S_IFDIR: "directory",
                 stat.S_IFLNK: "symlink"}.get(kind, "other"),
                f"{stat.S_IMODE(info.st_mode):04o}", info.st_uid, info.st_gid]
        try:
            fact.append(tuple(sorted((name, os.getxattr(at, name, follow_symlinks=False))
                                     for name in os.listxattr(at, follow_symlinks=False))))
        except OSError as error:
            if error.errno not in NO_ATTRIBUTES:
                raise
            fact.append(())
        if kind == stat.S_IFREG:
            with open(at, "rb") as file:
                fact += [info.st_size, hashlib.sha256(file.read()).hexdigest()]
            if info.st_mtime_ns < TIME_SET_BY_US:
                fact.append(info.st_mtime_ns)
            if info.st_nlink != 1:
                fact.append(f"{info.st_nlink} links")
        elif kind == stat.S_IFLNK:
            fact.append(os.readlink(at))
        elif kind == stat.S_IFDIR:
            stack += [os.path.join(path, name) for name in os.listdir(at)]
        facts[path] = tuple(fact)
    return facts


def difference(wanted, got, limit=4):
    """The first few facts that differ, as text; "" when none does."""
    lines = []
    for path in sorted(wanted.keys() | got.keys()):
        if wanted.get(path) != got.get(path):
            lines.append(f"{path or '.'}: {brief(got.get(path))} instead of "
                         f"{brief(wanted.get(path))}")
    more = f"; and {len(lines) - limit} more" if len(lines) > limit else ""
    return "; ".join(lines[:limit]) + more


def brief(fact):
    if fact is None:
        return "nothing"
    words = []
    for word in fact:
        if isinstance(word, tuple):
            words += [f"{name}={value.hex()[:8]}" for name, value in word]
        elif word != 0:
            words.append(str(word)[:12])
    return " ".join(words)
