# SPDX-License-Identifier: MIT
"""Database servers for tests that are scripts, started by drive.c, which says more."""
import os
import shutil
import subprocess
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("KTM_BUILD", os.path.join(SOURCE, "build", "debug"))
DRIVE = os.path.join(BUILD, "tests", "drive")
SKIPPED = 77


class NoServer(Exception):
    """There is none of this kind on this machine."""


class Server:
    """One server with its own data, for a with block; kind: "postgres" or "mariadb". 'where' is its
    connection string, or its socket."""

    def __init__(self, kind):
        if not os.path.exists(DRIVE):
            raise NoServer(f"{DRIVE} was not built")
        # Servers are killed here, and never cut off from power.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = tempfile.mkdtemp(prefix=f"ktm-{kind}.", dir=memory)
        self.driver = subprocess.Popen([DRIVE, kind, self.directory], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.where = self.driver.stdout.readline().strip()
        if not self.where:
            shutil.rmtree(self.directory, ignore_errors=True)
            if self.driver.wait() == SKIPPED:
                raise NoServer(f"no {kind} on this machine")
            raise RuntimeError(f"{kind} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.driver.stdin.close()
        self.driver.wait()
        self.driver.stdout.close()

    def say(self, line):
        self.driver.stdin.write(line + "\n")
        self.driver.stdin.flush()
        answer = self.driver.stdout.readline()
        if not answer:
            raise RuntimeError(f"the driver has ended at '{line}'")
        return answer.rstrip("\n")

    def ask(self, sql):
        """The administrator's hands: the first column of the first row, or ""."""
        return self.say("ask " + sql)

    def kill(self):
        """SIGKILL, all of it."""
        self.say("kill")

    def again(self):
        self.say("again")
