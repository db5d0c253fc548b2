#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The status table, ntstatus.h, winerror.h and the specification say the same.

 1. Every STATUS_ value of the specification is in ntstatus.h with that value [CLFS-STAT-01].
 2. Every status of ntstatus.h has exactly one row of src/base/status_table.h, and the reverse.
 3. A row has the Win32 error of the specification [CLFS-STAT-04, W32-GEN-03], and of facilities 0x19
    and 0x1A the error of the same name in winerror.h has that number.
 4. Rows stand in the order of their values within a section, and sentences are sentences.
"""
import os
import re
import sys
from pathlib import Path

SOURCE = Path(os.environ.get("KTM_SOURCE", Path(__file__).resolve().parents[2]))
ALIASES = {"STATUS_WAIT_0"}  # another name of a value, without a row


def defines(header, pattern):
    text = (SOURCE / "include" / "ktm" / header).read_text()
    return dict(re.findall(r"^#define\s+(%s)\s+(\S+)\s*$" % pattern, text, flags=re.M))


def specified():
    """name -> (value, Win32 error) of both specifications; they must not contradict each other."""
    types = (SOURCE / "docs/spec/ktm-types.md").read_text().split("## 6. Status codes")[1]
    clfs = (SOURCE / "docs/spec/clfs.md").read_text()
    clfs = clfs.split("## 5. Status codes")[1].split("## 6. Kernel routines")[0]
    found = {}
    cell = r"\|\s*`?(STATUS_[A-Z0-9_]+)`?(?: †)?\s*\|\s*\**(0x[0-9A-Fa-f]{8})\**\s*\|\s*(?:`\w+` )?(\d+)"
    for text in (types, clfs):
        for name, value, error in re.findall(cell, text):
            row = (int(value, 16), int(error))
            if found.setdefault(name, row) != row:
                raise SystemExit(f"{name}: the two specifications disagree")
    return found


def main():
    statuses = {n: int(re.search(r"0x[0-9A-F]{8}", v)[0], 16)
                for n, v in defines("ntstatus.h", r"STATUS_\w+").items()}
    errors = {n: int(v) for n, v in defines("winerror.h", r"\w+").items()}
    table = (SOURCE / "src/base/status_table.h").read_text()
    row = r'STATUS_ROW\((\w+), (\d+),\s+"([^"]*)"\)'
    rows = {n: (int(e), s) for n, e, s in re.findall(row, table)}
    spec = specified()

    problems = []
    if len(spec) < 160 or table.count("STATUS_ROW(") != len(rows):
        problems.append(f"parsed {len(spec)} specified statuses and {len(rows)} rows: too few")
    for name, (value, error) in spec.items():
        if statuses.get(name) != value:
            problems.append(f"{name}: not 0x{value:08X} in ntstatus.h")
        if name in rows and rows[name][0] != error:
            problems.append(f"{name}: Win32 error {rows[name][0]}, specified {error}")
    for name in sorted(set(statuses) - ALIASES ^ set(rows)):
        problems.append(f"{name}: in ntstatus.h or in the table, not in both")
    for name, (error, sentence) in rows.items():
        twin = "ERROR_" + name.removeprefix("STATUS_")
        if statuses.get(name, 0) >> 16 & 0xFFF in (0x019, 0x01A) and errors.get(twin) != error:
            problems.append(f"{twin}: not {error} in winerror.h")
        if error not in errors.values():
            problems.append(f"{name}: no name in winerror.h has the number {error}")
        if not re.fullmatch(r"[A-Z].{10,120}\.", sentence):
            problems.append(f"{name}: '{sentence}' is no sentence")
    for section in table.split("/* ----")[1:]:
        values = [statuses[n] for n, _, _ in re.findall(row, section) if n in statuses]
        if values != sorted(values):
            problems.append(f"rows out of order in '{section.splitlines()[0].strip()}'")

    print("\n".join(problems))
    print(f"{len(rows)} statuses, {len(spec)} of them specified")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
