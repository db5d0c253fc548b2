#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every name that our headers and those of mingw-w64 both have means the same in both.

One table of questions is made from our headers: the value of each constant, the size and the
signedness of each type, where each member of a structure lies and how wide it is, and each
prototype. It is compiled
with our headers and with two sets of theirs (what drivers include, what programs include), never
run: the answers are read from the assembler text. A question that one side cannot answer is left
out on that side. What differs must be in differences.txt with a reason, and what is there must
differ.

With -v it prints what was compared. MINGW_CC and GCC name the compilers; both must be gcc, whose
messages are read (that other compilers agree about our layouts is proved in the headers).
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = Path(os.environ.get("KTM_SOURCE", HERE.parents[1]))
INCLUDE = SOURCE / "include" / "ktm"
MINGW_CC = os.environ.get("MINGW_CC", "x86_64-w64-mingw32-gcc")
GCC = os.environ.get("GCC", "gcc")

VERSION = "#define _WIN32_WINNT 0x0A00\n#define NTDDI_VERSION 0x0A000000\n"
SETS = {
    "ours": "".join(f"#include <{p.name}>\n" for p in sorted(INCLUDE.glob("*.h"))),
    "driver": VERSION + "#include <ntifs.h>\n#include <ktmtypes.h>\n",
    # Their clfsw32.h forgets stdio.h, and their clfsmgmtw32.h names a type that nobody has.
    "program": VERSION + "#include <stdio.h>\n#define WIN32_NO_STATUS\n#include <windows.h>\n"
               "#undef WIN32_NO_STATUS\n#include <ntstatus.h>\n#include <winternl.h>\n"
               "#include <ktmw32.h>\n#include <txfw32.h>\n#include <clfsw32.h>\n"
               "#define CLFS_MANAGEMENT_POLICY_TYPE CLFS_MGMT_POLICY_TYPE\n"
               "#include <clfsmgmtw32.h>\n",
}

# A 64-bit constant in assembler text: its label, then the number or eight zero bytes.
ANSWER = re.compile(r"^answer_(\d+):\s+\.(?:(?:quad|xword|8byte)\s+(-?\d+)|(?:zero|space)\s+8)$",
                    flags=re.M)


# ---- the table, from our headers ----

def macro_names():
    text = "".join(p.read_text() for p in sorted(INCLUDE.glob("*.h"))).replace("\\\n", " ")
    return re.findall(r"^#define[ ]+(\w+)[ ]+\S", text, flags=re.M)


def statements(text):
    """The pieces of a text that ';' ends, those inside braces not counted."""
    depth = start = 0
    for i, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and depth == 0:
            yield " ".join(text[start:i].split())
            start = i + 1


def own_statements():
    """What our headers say as C, annotations expanded to nothing, without the system's headers."""
    text = subprocess.run([GCC, "-E", f"-I{INCLUDE}", "-x", "c", "-"], input=SETS["ours"],
                          capture_output=True, text=True, check=True).stdout
    ours, kept = False, []
    for line in text.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            ours = Path(marker[1]).parent == INCLUDE
        elif ours:
            kept.append(re.sub(r"__attribute__ ?\(\((?:[^()]|\([^()]*\))*\)\)", "", line))
    return [s for s in statements("\n".join(kept)) if not s.startswith("_Static_assert")]


def declarators(text):
    """'ULONG a[2], *b' -> a, b."""
    return re.findall(r"[\s*](\w+)\s*(?=,|$)", re.sub(r"\[[^\]]*\]", "", text))


def fields(body):
    """Names one can ask the offset of: members, those of a named member behind a dot."""
    for member in statements(body):
        nested = re.fullmatch(r"(?:__extension__ )?(?:struct|union)\s*\{(.*)\}\s*(\w*)", member)
        if not nested:
            yield from declarators(member)
            continue
        if nested[2]:
            yield nested[2]
        yield from ((nested[2] + "." if nested[2] else "") + f for f in fields(nested[1]))


def table():
    """question -> C expression; a question is 'kind name'."""
    questions = {}
    for name in macro_names():
        questions[f"value {name}"] = f"(long long)({name})"
        questions[f"bytes {name}"] = f"sizeof({name} \"\")"  # answered for text only
    for statement in own_statements():
        found = re.fullmatch(r"typedef (?:(struct|union|enum) \w* ?\{(.*)\} ?)?(.*)", statement)
        if not found:
            continue
        kind, body, names = found[1], found[2], found[3]
        pointer = re.match(r"[^(]*\( ?\*(\w+)\)", names)  # to a function
        names = [pointer[1]] if pointer else declarators(" " + names)
        for name in names:
            questions[f"size {name}"] = f"sizeof({name})"
            questions[f"sign {name}"] = f"(({name})-1 < ({name})1)"
        if kind == "enum":
            for constant in re.findall(r"(\w+)(?: = [^,]*)?(?:,|$)", body.strip()):
                questions[f"value {constant}"] = f"(long long)({constant})"
        elif kind:
            questions[f"align {names[0]}"] = f"_Alignof({names[0]})"
            for field in fields(body):
                # CLS_x is CLFS_x too, and some headers have only one of the two.
                for name in {names[0], names[0].replace("CLS_", "CLFS_", 1)}:
                    questions[f"offset {name}.{field}"] = f"__builtin_offsetof({name}, {field})"
                    questions[f"width {name}.{field}"] = f"sizeof((({name} *)0)->{field})"
    return questions


def prototypes():
    """name -> declaration; Zw names get that of their Nt twins."""
    result = {}
    for statement in own_statements():
        twin = re.fullmatch(r"__typeof__\((\w+)\) (\w+)", statement)
        if twin:
            result[twin[2]] = re.sub(rf"\b{twin[1]}\b", twin[2], result[twin[1]])
        elif name := re.match(r"(?!typedef|extern|static)[^({]*?(\w+)\(", statement):
            result[name[1]] = statement + ";"
    return result


# ---- asking a compiler ----

class Compiler:
    def __init__(self, command, includes, work):
        self.command, self.includes, self.work = command, includes, work

    def run(self, lines, *options):
        """Compiles one line per question behind the includes; returns messages per line, text."""
        path, output = self.work / "questions.c", self.work / "answers.s"
        path.write_text(self.includes + '#line 1 "questions"\n' + "\n".join(lines) + "\n")
        done = subprocess.run([*self.command, "-std=gnu17", "-w", "-fmax-errors=0",
                               "-ftrack-macro-expansion=0", *options, "-S", "-o", str(output),
                               str(path)], capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C"})
        messages = {}
        for line, kind, what in re.findall(r"^questions:(\d+):\d+: (error|fatal error): (.*)$",
                                           done.stderr, flags=re.M):
            messages.setdefault(int(line) - 1, what)
        if done.returncode and not messages:
            raise SystemExit(f"{self.command[0]} cannot compile the headers:\n{done.stderr}")
        return messages, "" if done.returncode else output.read_text()

    def words(self):
        """All that the headers say. Asking only for these saves the compiler from guessing, for
        every unknown name, what might have been meant."""
        done = subprocess.run([*self.command, "-E", "-dD", "-x", "c", "-"], input=self.includes,
                              capture_output=True, text=True, check=True)
        return set(re.findall(r"\w+", done.stdout))

    def answers(self, questions):
        """question -> number, for those that can be answered here."""
        words = self.words()
        asked = {q: e for q, e in questions.items() if re.split(r"[ .]", q)[1] in words}
        for _ in range(5):
            items = list(asked.items())
            lines = [f'_Static_assert(({e}) == ({e}), ""); const long long answer_{i} = ({e});'
                     for i, (_, e) in enumerate(items)]
            messages, text = self.run(lines)
            if text:
                return {items[int(i)][0]: int(n or 0) for i, n in ANSWER.findall(text)}
            asked = {q: e for i, (q, e) in enumerate(items) if i not in messages}
        raise SystemExit(f"{self.command[0]}: questions keep failing: {messages}")

    def conflicts(self, declarations):
        """names that the headers declare, and name -> message where they declare it otherwise."""
        words = self.words()
        names = [name for name in declarations if name in words]
        lines = [f"__typeof__({name}) {name};" for name in names]
        unknown, _ = self.run(lines)
        names = [n for i, n in enumerate(names) if i not in unknown]
        messages, _ = self.run([declarations[name] for name in names])
        return names, {names[i]: what for i, what in messages.items()}


def mingw_options():
    """Where the driver headers are: a directory 'ddk' beside windows.h."""
    found = subprocess.run([MINGW_CC, "-E", "-x", "c", "-"], input="#include <windows.h>\n",
                           capture_output=True, text=True, check=True).stdout
    directory = Path(re.search(r'"([^"]*/windows\.h)"', found)[1]).parent
    return ["-isystem", str(directory / "ddk")]


# ---- comparing ----

def expected_differences():
    """(set, question) -> (ours, theirs) from differences.txt; a reason must follow."""
    result = {}
    for line in (HERE / "differences.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        part = re.fullmatch(r"(driver|program) (\w+ \S+) (\S+) (\S+)\s+- (\S.*)", line)
        if not part:
            raise SystemExit(f"differences.txt: cannot read '{line}'")
        result[part[1], part[2]] = (part[3], part[4])
    return result


def same(question, ours, theirs):
    # Constants that are unsigned on one side only are still the same 32 bits.
    return ours == theirs or (question.startswith("value ") and ours % 2**32 == theirs % 2**32
                              and -2**31 <= min(ours, theirs) and max(ours, theirs) < 2**32)


def main():
    verbose = "-v" in sys.argv[1:]
    try:
        subprocess.run([MINGW_CC, "--version"], capture_output=True, check=True)
    except OSError:
        print(f"{MINGW_CC} is not installed")
        return 77
    questions, declarations = table(), prototypes()
    expected, unused, problems = expected_differences(), set(), []
    unused.update(expected)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        own = Compiler([GCC, "-fno-pic", f"-I{INCLUDE}"], SETS["ours"], work).answers(questions)
        theirs_command = [MINGW_CC, *mingw_options()]
        for name in ("driver", "program"):
            compiler = Compiler(theirs_command, SETS[name], work)
            theirs = compiler.answers({q: e for q, e in questions.items() if q in own})
            functions, conflicts = compiler.conflicts(declarations)
            found = {q: (str(own[q]), str(theirs[q])) for q in theirs
                     if not same(q, own[q], theirs[q])}
            found.update({f"prototype {f}": ("ours", "other") for f in conflicts})
            for question, pair in sorted(found.items()):
                unused.discard((name, question))
                if expected.get((name, question)) != pair:
                    problems.append(f"{name} {question} {pair[0]} {pair[1]}"
                                    f"  - {conflicts.get(question.split()[1], 'differs')}")
            kinds = [q.split()[0] for q in theirs] + ["prototype"] * len(functions)
            counts = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
            print(f"{name}: compared {len(kinds)} ({counts})")
            if len(kinds) < 300:
                problems.append(f"{name}: only {len(kinds)} names to compare: the table is broken")
            if verbose:
                for question in theirs:
                    print(f"  {question}: {own[question]}")
    problems += [f"{n} {q}: in differences.txt, but does not differ" for n, q in sorted(unused)]
    print("\n".join(problems))
    print(f"{len(own)} answers from our headers, {len(declarations)} prototypes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
