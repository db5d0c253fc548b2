#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/upload.py: a file and a row of PostgreSQL come together, whatever dies.

INV-01 INV-04 RECOV-24 RECOV-27 RECOV-32 RECOV-40 RECOV-42: the service is killed at every file mutation
and around every word it says, to the server or to who uploads, also while it starts; the server is
killed at such words, with the service and without; mutations fail; and the power goes. After the next
start file and row are both the old ones or both the new ones, what was said to be taken is there, and
nothing is left. KTM_SWEEP=full visits every point.
"""
import http.client
import os
import subprocess
import sys
import threading
import time

import crash
import kit
import served
from crash import sample
from served import NoServer, points_of, wired

UPLOAD = os.path.join(kit.SOURCE, "examples", "upload.py")
NAME = "note"
OLD, NEW = b"old", b"new " * 5000
READY = "ready on port "
STARTED_AND_FAILED = 1


class Reply:
    """What the service has said, and how it ended; code None: it had to be ended."""

    def __init__(self):
        self.status, self.body, self.code, self.out = 0, b"", None, ""

    def __repr__(self):
        return f"{self.status} {self.body[:200]}, exit {self.code}: {self.out.strip()!r}"


class Lab(served.Lab):
    KINDS = ("postgres",)

    def prepare(self, how):
        if how == "used":
            self.serve([("PUT", OLD)])

    def fresh(self, how):
        super().fresh(how)
        self.servers["postgres"].ask("DROP TABLE IF EXISTS upload")
        if how == "used":  # as prepare has left it
            self.servers["postgres"].ask(
                "CREATE TABLE upload (name text PRIMARY KEY, size bigint, sha256 text)")
            self.servers["postgres"].ask(
                "INSERT INTO upload VALUES ('note', 3, encode(sha256('old'), 'hex'))")

    def serve(self, requests, env=None, on_stop=None, **settings):
        """Starts the service and asks; the replies, the last one with how it ended."""
        whole = dict(os.environ, PYTHONPATH=os.path.join(kit.SOURCE, "python"),
                     PYTHONDONTWRITEBYTECODE="1",
                     KTM_LIBRARY=os.path.join(kit.BUILD, "libktm.so"),
                     KTM_POSTGRES_LIBRARY=os.path.join(kit.BUILD, "libktm-postgres.so"))
        whole.update(env or (kit.shimmed(self.root, **settings) if settings else {}))
        process = subprocess.Popen(
            [sys.executable, UPLOAD, self.root, self.servers["postgres"].where, "0"],
            env=whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        replies = [Reply() for _ in requests]
        client = threading.Thread(target=converse, args=(process, requests, replies))
        client.start()
        deadline = time.monotonic() + served.SECONDS
        while client.is_alive():
            client.join(0.005)
            self.watch(process, on_stop)
            if time.monotonic() > deadline:
                process.kill()
        if process.poll() is None:
            process.kill()
            process.wait()
        else:
            replies[-1].code = process.returncode
        process.stdout.close()
        return replies

    @staticmethod
    def watch(process, on_stop):
        if on_stop is None or process.returncode is not None:
            return
        pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            on_stop(process)
        elif pid:
            process.returncode = os.waitstatus_to_exitcode(status)

    def put(self, env=None, on_stop=None, **settings):
        return self.serve([("PUT", NEW)], env, on_stop, **settings)[0]

    def settle(self, promised, **settings):
        """Starts it again, which recovers, and judges: (old or new, what is wrong)."""
        listed, got = self.serve([("LIST", None), ("GET", None)], **settings)
        rows = listed.body.decode().splitlines()
        data = got.body if got.status == 200 else b""
        state = "new" if data == NEW else "old"
        if listed.status != 200 or got.status not in (200, 404) or data not in (OLD, NEW, b""):
            return "", f"started again, it said {listed} and {got}"
        wanted = [f"{len(data)} {sha256(data)} {NAME}"] if data else []
        if rows != wanted:
            return state, f"the file has {len(data)} bytes, and the rows are {rows}"
        if promised not in ("", state):
            return state, f"{promised} was promised, and it is {state}"
        names = os.listdir(os.path.join(self.root, "files"))
        if names != [NAME] * bool(data):
            return state, f"left behind: {names}"
        return state, self.prepared()

    def judge(self, reply, turn, **settings):
        if reply.code not in (None, kit.KILLED, STARTED_AND_FAILED):
            return "", f"died of something else: {reply}"
        if reply.status not in (0, 201, 500, 503):
            return "", f"it said {reply}"
        state, problem = self.settle({201: "new", 503: "old"}.get(reply.status, ""), **settings)
        if not problem and turn % 4 == 0:
            again = self.put(**settings)
            state_then, problem = self.settle("new", **settings)
            if again.status != 201 or state_then != "new":
                problem = problem or f"the next upload said {again}"
        return state, problem


def sha256(data):
    return kit.hashlib.sha256(data).hexdigest()


def converse(process, requests, replies):
    """The other side of the service."""
    line = process.stdout.readline()
    if not line.startswith(READY):
        replies[-1].out = line + process.stdout.read()
        return
    for (verb, data), reply in zip(requests, replies):
        link = http.client.HTTPConnection("localhost", int(line[len(READY):]),
                                          timeout=served.SECONDS)
        try:
            link.request("GET" if verb == "LIST" else verb, "/" if verb == "LIST" else f"/{NAME}",
                         body=data)
            answer = link.getresponse()
            status, reply.body = answer.status, answer.read()
            reply.status = status
        except (OSError, http.client.HTTPException):
            process.wait()  # it has died, and says no more
            return
        finally:
            link.close()


def hurt(lab, point):
    """At a file mutation."""
    how, kind, at = point
    lab.fresh(how)
    return lab.judge(lab.put(how=kind, at=at, errno="EIO" if kind == "fail" else None), at)


def hush(lab, point):
    """At a word."""
    how, kind, at = point
    lab.fresh(how)
    return lab.judge(lab.put(wired(how=kind, at=at)), at)


def hurt_twice(lab, point):
    """And again while it starts."""
    at, again = point
    lab.fresh("used")
    lab.put(how="before", at=at)
    reply = lab.serve([("GET", None)], how="torn" if again % 3 == 0 else "before", at=again)[0]
    if reply.code not in (None, kit.KILLED):
        return "", f"started again, neither killed nor ready: {reply}"
    return lab.settle("")


def lose_server(lab, point):
    with_client, at = point
    lab.fresh("used")
    reply = lab.put(wired(how="stop", at=at),
                    lambda process: lab.strike(process, lab.KINDS, with_client))
    return lab.judge(reply, at)


def lose_power(lab, point):
    lie, at, mode = point
    lab.fresh("used")
    reply = lab.killed_without_power(lab.put, at, mode, lie)
    return lab.judge(reply, at, inodes=lab.inodes)


def sweep_all(report, lab):
    sweep = crash.sweeper(Lab)
    counter = os.path.join(lab.top, "count")
    for how, count in (("new", 8), ("used", 14)):
        lab.fresh(how)
        first = lab.put(count=counter)
        mutations = kit.count_of(counter)
        lab.fresh(how)
        second = lab.put(wired(count=counter))
        said = kit.count_of(counter)
        report.check(f"{how}: undisturbed runs", first.status == second.status == 201,
                     f"{first} {second}")
        report.say(f"{how}: {mutations} mutations, {said} words")
        states = sweep(f"{how}: killed at file mutations", hurt,
                       [(how, "before", at) for at in points_of(mutations, count)])
        served.check_turning_point(report, states)
        sweep(f"{how}: killed before a word", hush,
              [(how, "before", at) for at in points_of(said, count)])
        sweep(f"{how}: killed after a word", hush,
              [(how, "after", at) for at in points_of(said, count)])
    sweep("a mutation fails", hurt, [("used", "fail", at) for at in points_of(mutations, 8)])
    sweep("killed in the middle of a write", hurt,
          [("used", "torn", at) for at in points_of(mutations, 6)])
    sweep("killed again while it starts", hurt_twice,
          [(at, again) for at in sample(range(1, mutations + 1), mutations if kit.IS_FULL else 4)
           for again in sample(range(1, 30), 30 if kit.IS_FULL else 4, at)])
    for with_client in (False, True):
        sweep(f"the server is killed{', and the service' * with_client}", lose_server,
              [(with_client, at) for at in points_of(said, 8)])
    sweep("power lost", lose_power, [(None, at, mode) for at in points_of(mutations, 8)
                                     for mode in served.CUTS])
    broken = crash.count_broken(lose_power, Lab, [("file-sync", at, "nothing") for at in
                                                  range(mutations - 12, mutations, 2)])
    report.check("a missing sync is found", broken > 0)


def main():
    report = kit.Report()
    if kit.SANITIZED or not os.path.exists(os.path.join(kit.BUILD, "libktm-postgres.so")):
        report.skip("everything", "an interpreter without sanitizers cannot load a library with them"
                    if kit.SANITIZED else "libktm-postgres.so was not built")
        report.end()
    with kit.Place() as place:
        if not place.path:
            report.skip("everything", place.why)
            report.end()
        crash.start(place.path, report)
        crash.one(Lab, globals())
        try:
            lab = Lab("reference")
        except NoServer as error:
            report.skip("everything", error)
            report.end()
        sweep_all(report, lab)
    report.end()


if __name__ == "__main__":
    main()
