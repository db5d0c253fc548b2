# SPDX-License-Identifier: MIT
"""What the tests of examples with database servers share: a place with servers of its own, programs
that die between two words to a server (libktmwire.so), servers that die between them, and a power cut of
the machine with the files, while the servers are elsewhere.
"""
import os
import random
import signal
import subprocess
import sys

import crash
import kit
from replay import History, Image

sys.path.insert(0, os.path.join(kit.SOURCE, "tests", "rm", "servers"))

from servers import NoServer, Server  # noqa: E402,F401

WIRE = os.path.join(kit.BUILD, "tests", "kill", "libktmwire.so")
SECONDS = 120
CUTS = ("nothing", "prefix", "subset")  # what a power cut leaves


def wired(**settings):
    """The environment in which what a program says is counted; settings as how="before", at=3."""
    env = {"LD_PRELOAD": WIRE}
    for name, value in settings.items():
        env["KTM_WIRE_" + name.upper()] = str(value)
    return env


class Lab(crash.Lab):
    """A crash.Lab with servers, for the kinds in KINDS. Each process has its own."""
    KINDS = ()

    def __init__(self, name):
        super().__init__(name)
        self.servers = {}
        self.furnish()

    def furnish(self):
        """New servers; subclasses add what is in them."""
        for image in self.images.values():
            kit.remove(image)
        self.images = {}  # a home knows its server
        for kind in self.KINDS:
            self.servers[kind] = Server(kind)

    def fresh(self, how):
        if self.prepared():  # from a run that went wrong, and it has locks
            for server in self.servers.values():
                server.close()
            self.furnish()
        super().fresh(how)

    def prepared(self):
        """What is left prepared on a server, or ""."""
        found = []
        for kind, server in self.servers.items():
            sql = "SELECT gid FROM pg_prepared_xacts" if kind == "postgres" else "XA RECOVER"
            if server.ask(sql):
                found.append(kind)
        return f"prepared and left: {found}" if found else ""

    def strike(self, process, victims, with_client):
        """The program has stopped before a word: the victims are killed, and the program too, or else
        it goes on while they start again."""
        for victim in victims:
            self.servers[victim].kill()
        os.kill(process.pid, signal.SIGKILL if with_client else signal.SIGCONT)
        for victim in victims:
            self.servers[victim].again()

    def stopped(self, words, at, victims, with_client):
        """Runs the program until it is to say its word 'at', and strikes."""
        process = subprocess.Popen(words, env=kit.environment(wired(how="stop", at=at)),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            self.strike(process, victims, with_client)
        else:
            process.returncode = os.waitstatus_to_exitcode(status)
        try:
            out, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return kit.Outcome("none in time", process.communicate()[0].decode(), SECONDS)
        return kit.Outcome(process.returncode, out.decode(errors="replace"), 0)

    def killed_without_power(self, run, at, mode, lie=None):
        """run(**settings) is killed at a file mutation, and what was not synced by then is lost, or
        not."""
        image = Image.scan(self.root)
        trace = os.path.join(self.top, "trace")
        for name in (trace, trace + ".data"):
            if os.path.exists(name):
                os.unlink(name)
        outcome = run(how="before", at=at, trace=trace, lie=lie)
        history = History(image, trace)
        self.make(history.state(len(history.events), mode, random.Random(f"{at} {mode}")))
        return outcome


def points_of(length, count):
    """All of them, or a sample."""
    everywhere = range(1, length + 2)
    return everywhere if kit.IS_FULL else crash.sample(everywhere, 8 if kit.SANITIZED else count)


def check_turning_point(report, states):
    """All old, then all new: one mutation, or one word, decides over both. It is last in a point."""
    line = [states[point] for point in sorted(states, key=lambda point: point[-1])]
    turn = line.index("new") if "new" in line else len(line)
    report.check("one point decides", 0 < turn < len(line) and "old" not in line[turn:], f"{line}")
