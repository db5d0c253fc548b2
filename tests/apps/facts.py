# SPDX-License-Identifier: MIT
"""What the tests of the Python module share: the module of this build, facts, the last line."""
import os
import sys

SOURCE = os.environ.get("KTM_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("KTM_BUILD", os.path.join(SOURCE, "build", "debug"))
os.environ.setdefault("KTM_LIBRARY", os.path.join(BUILD, "libktm.so"))
for name in ("sqlite", "postgres", "mariadb"):
    os.environ.setdefault(f"KTM_{name.upper()}_LIBRARY", os.path.join(BUILD, f"libktm-{name}.so"))
sys.path.insert(0, os.path.join(SOURCE, "python"))
sys.path.insert(0, os.path.join(SOURCE, "tests", "rm", "servers"))
sys.dont_write_bytecode = True

if os.environ.get("KTM_SANITIZE"):
    print("an interpreter without sanitizers cannot load a library with them\n"
          "0 passed, 0 failed, 1 skipped")
    sys.exit(77)

import ktm  # noqa: E402

RESULTS = {"passed": 0, "failed": 0, "skipped": 0}


def expect(is_so, what, detail=""):
    RESULTS["passed" if is_so else "failed"] += 1
    if not is_so:
        print(f"not so: {what}{': ' if detail else ''}{detail}", flush=True)


def refused(kind, function, *arguments, **more):
    """The exception, when it is of that kind; None: there was none."""
    try:
        function(*arguments, **more)
    except kind as error:
        return error
    return None


def skip(what, why):
    RESULTS["skipped"] += 1
    print(f"skipped: {what}: {why}")


def was_built(manager):
    return os.path.exists(os.environ[f"KTM_{manager.upper()}_LIBRARY"])


def end():
    print(", ".join(f"{count} {name}" for name, count in RESULTS.items()))
    sys.exit(1 if RESULTS["failed"] else 0)
