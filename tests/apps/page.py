#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/applications.md: what the page shows compiles, runs, and does what the page says."""
import os
import re
import subprocess
import sys
import tempfile

import facts
from facts import BUILD, SOURCE, expect
from servers import NoServer, Server

PAGE = os.path.join(SOURCE, "docs", "applications.md")
PLACE = "/srv/shop"
COMPILERS = {"c": ["cc", "-std=c17"], "cpp": ["c++", "-std=c++17"]}


def blocks(language):
    with open(PAGE, encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.M | re.S)


def environment(top, postgres):
    with open(os.path.join(top, "services"), "w", encoding="ascii") as file:
        file.write("[shop]\n" + postgres.where.replace(" ", "\n") + "\n")
    return dict(os.environ, PGSERVICEFILE=os.path.join(top, "services"),
                KTM_HOME=os.path.join(top, "home"), PYTHONPATH=os.path.join(SOURCE, "python"),
                LD_LIBRARY_PATH=BUILD)


def program_of(top, language, text):
    """The command that runs it; None: it does not compile."""
    name = os.path.join(top, f"block.{'py' if language == 'python' else language}")
    with open(name, "w", encoding="utf-8") as file:
        file.write(text.replace(PLACE, top))
    if language == "python":
        return [sys.executable, name]
    modules = ["libpq"] + ["libmariadb"] * ("ktm_mariadb" in text)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *modules], capture_output=True,
                           text=True, check=True).stdout.split()
    done = subprocess.run(COMPILERS[language] + ["-Wall", "-Wextra", "-Werror",
                          f"-I{SOURCE}/include/ktm", "-o", name + ".out", name, f"-L{BUILD}", "-lktm",
                          "-lktm-postgres", "-lktm-mariadb"] + flags,
                          capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"a block of {language} compiles", done.stderr)
    return [name + ".out"] if done.returncode == 0 else None


def run(top, language, text, env):
    words = program_of(top, language, text)
    if words:
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"a block of {language} runs", done.stdout + done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="ktm-page.") as top:
        prices = os.path.join(top, "prices")
        with Server("postgres") as postgres, Server("mariadb") as mariadb:
            env = environment(top, postgres)
            with open(os.path.join(top, "my.cnf"), "w", encoding="ascii") as file:
                file.write(f"[client]\nsocket={mariadb.where}\nuser=root\n")
            mariadb.ask("CREATE TABLE book (name VARCHAR(20) PRIMARY KEY, amount INT) ENGINE=InnoDB")
            postgres.ask("CREATE TABLE prices (name text PRIMARY KEY, amount int)")
            postgres.ask("INSERT INTO prices VALUES ('tea', 0)")
            for language in ("python", "cpp", "c"):
                first, *others = blocks(language)
                run(top, language, first, env)
                expect(os.path.exists(prices) and open(prices, encoding="ascii").read() == "tea 3\n",
                       f"{language}: the file")
                expect(postgres.ask("SELECT amount FROM prices") == "3", f"{language}: the row")
                os.remove(prices)
                postgres.ask("UPDATE prices SET amount = 0")
                for block in others:
                    run(top, language, block, env)
                if language == "python":
                    expect(open(prices, encoding="ascii").read() == "tea 5\n"
                           and postgres.ask("SELECT amount FROM prices") == "5", "the service")
            expect(mariadb.ask("SELECT amount FROM book WHERE name = 'tea'") == "0", "the books")
            expect([len(blocks(language)) for language in ("python", "cpp", "c")] == [2, 2, 1],
                   "the page shows as much as this test knows")
    facts.end()


if __name__ == "__main__":
    try:
        main()
    except NoServer as none:
        facts.skip("everything", none)
        facts.end()
