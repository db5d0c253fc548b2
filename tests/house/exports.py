#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the libraries export, what ktm.map lists and what the public headers declare agree.

 1. Every exported name is declared in a public header.
 2. Every visible name of the library is exported, so ktm.map forgets none.
 3. Every function that a public header declares and the library defines is visible (KTM_API).
 4. Nothing of ours is left undefined in libktm.so.
 5. libktm.so needs the C library and no other.
 6. libktm.a defines the same names as the shared library and no others.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(os.environ["KTM_SOURCE"])
BUILD = Path(os.environ["KTM_BUILD"])
ENTRY = re.compile(r"^\s*\d+: [0-9a-f]+ +\S+ (\w+) +(GLOBAL|WEAK) +(\w+) +(\w+) (\S+)$")


def symbols(path, *options):
    """name -> visibility of the global symbols that are defined."""
    text = subprocess.run(["readelf", "--syms", "--wide", *options, str(path)],
                          capture_output=True, text=True, check=True).stdout
    result = {}
    for line in text.splitlines():
        found = ENTRY.match(line)
        if found and found[1] in ("FUNC", "OBJECT") and found[4] not in ("UND", "ABS"):
            name = found[5].split("@")[0]
            if not name.startswith("_"):  # of compilers and sanitizers
                result[name] = found[3]
    return result


def undefined(path):
    """Names that some other library has to bring, but that no version of the C library does."""
    text = subprocess.run(["readelf", "--syms", "--wide", "--dyn-syms", str(path)],
                          capture_output=True, text=True, check=True).stdout
    return {found[5] for found in map(ENTRY.match, text.splitlines())
            if found and found[2] == "GLOBAL" and found[4] == "UND" and "@" not in found[5]}


def needed(path):
    """The shared libraries that the file asks for."""
    text = subprocess.run(["readelf", "--dynamic", "--wide", str(path)],
                          capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))


def main():
    headers = "\n".join(p.read_text() for p in (SOURCE / "include" / "ktm").glob("*.h"))
    headers = re.sub(r"/\*.*?\*/|//[^\n]*", " ", headers, flags=re.S)
    words = set(re.findall(r"\w+", headers))
    # A name before '(' that is no macro: a prototype, or a call inside an inline function.
    functions = set(re.findall(r"\b([A-Za-z_]\w*)\s*\(", headers))

    exported = symbols(BUILD / "libktm.so", "--dyn-syms")
    internal = symbols(BUILD / "internal" / "libktm_internal.a")
    archive = symbols(BUILD / "libktm.a")
    visible = {name for name, visibility in internal.items() if visibility == "DEFAULT"}

    problems = []
    problems += [f"{n}: exported, but in no public header" for n in sorted(set(exported) - words)]
    problems += [f"{n}: visible, but not in ktm.map" for n in sorted(visible - set(exported))]
    problems += [f"{n}: declared in a public header without KTM_API"
                 for n in sorted(functions & set(internal) - visible)]
    problems += [f"{n}: in libktm.a and not in libktm.so, or the reverse"
                 for n in sorted(set(archive) ^ set(exported))]
    problems += [f"{n}: undefined in libktm.so" for n in sorted(undefined(BUILD / "libktm.so"))]
    problems += [f"{n}: needed by libktm.so"
                 for n in sorted(needed(BUILD / "libktm.so"))
                 if not re.match(r"libc\.so|ld-linux", n)]
    print("\n".join(problems))
    print(f"{len(exported)} exported names")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
