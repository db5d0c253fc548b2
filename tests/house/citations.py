#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The citation check reads every way in which people write IDs, and no other words."""
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

sys.dont_write_bytecode = True
TOOL = Path(__file__).resolve().parents[2] / "tools" / "check-citations"
loader = importlib.machinery.SourceFileLoader("check_citations", str(TOOL))
tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_citations", loader))
loader.exec_module(tool)

CASES = [
    ("[CLFS-DUR-13]", ["CLFS-DUR-13"]),
    ("TEST(x) /* ENL-PC-09 LOG-02 */", ["ENL-PC-09", "LOG-02"]),
    ('{ "PT-16" },', ["PT-16"]),
    ("TX-COMMIT-01..03", ["TX-COMMIT-01", "TX-COMMIT-02", "TX-COMMIT-03"]),
    ("TX-COMMIT-02..TX-COMMIT-03", ["TX-COMMIT-02", "TX-COMMIT-03"]),
    ("[CLFS-DELETE-01, -12]", ["CLFS-DELETE-01", "CLFS-DELETE-12"]),
    ("[SIG-01, 03/05]", ["SIG-01", "SIG-03", "SIG-05"]),
    ("[SIG-01..02, 04..05]", ["SIG-01", "SIG-02", "SIG-04", "SIG-05"]),
    ("[OBJ-19, SIG-01..02]", ["OBJ-19", "SIG-01", "SIG-02"]),
    ("[CLFS-APPEND-19,\n * LSN-04]", ["CLFS-APPEND-19", "CLFS-LSN-04"]),
    ("[TM-RECOVER, TM-ROLLFWD]", []),
    ("SIG-01, 42 times", ["SIG-01"]),
    ("[SIG-77]", [None]),
    ("[SIG-05..07]", ["SIG-05", "SIG-06", None]),
    ("[RECOV-11..21]", ["RECOV-11", "RECOV-12", "RECOV-20", "RECOV-21"]),
    ("[NOWHERE-01]", [None]),
    ("[UTF-16] SHA-25 UTF-08 NOWHERE-01", []),
    ("x[sizeof(a)-12]", []),
]


def main():
    spec = tool.Spec()
    failed = 0
    for text, wanted in CASES:
        got = [statement for statement, _ in tool.citations(spec, text)]
        if got != wanted:
            failed += 1
            print(f"{text!r}: {got}, expected {wanted}")
    if len(spec.known) != tool.STATEMENTS_EXPECTED:
        failed += 1
        print(f"{len(spec.known)} statements")
    print(f"{len(CASES) + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
