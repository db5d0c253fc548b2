#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Deploys a configuration: files and the database that says which version they are, together.

    deploy.py DIRECTORY TARGET DATABASE VERSION

Every file of DIRECTORY is put below TARGET, files that are not in it any more are removed, and the table
'deployed' of the SQLite database gets a row. All of it happens, or nothing does, also when the power
goes; who reads the database never finds a version whose files are not there.
"""
import os
import sys

import ktm


def files_of(top):
    """All files below a directory, by their path in it."""
    found = set()
    for directory, _, names in os.walk(top):
        found |= {os.path.relpath(os.path.join(directory, name), top) for name in names}
    return found


def deploy(source, target, database, version):
    new, old = files_of(source), files_of(target)
    with ktm.transaction() as t:
        rows = t.sqlite(database)
        rows.execute("CREATE TABLE IF NOT EXISTS deployed(version TEXT PRIMARY KEY, files INTEGER)")
        rows.execute("INSERT INTO deployed VALUES(?, ?)", (version, len(new)))
        made = {""}
        for name in sorted(new):
            parts = os.path.dirname(name)
            if parts not in made and not os.path.isdir(os.path.join(target, parts)):
                t.mkdir(os.path.join(target, parts), mode=0o755)
            made.add(parts)
            t.put_file(os.path.join(target, name), os.path.join(source, name))
        for name in sorted(old - new):
            t.delete(os.path.join(target, name))
    print(f"deployed {version}: {len(new)} files, {len(old - new)} removed")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: deploy.py DIRECTORY TARGET DATABASE VERSION")
    try:
        deploy(*(os.path.abspath(path) for path in sys.argv[1:4]), sys.argv[4])
    except ktm.OutcomeUnknown as error:
        print(f"deploy.py: {error}", file=sys.stderr)
        sys.exit(3)  # whoever looks next, with ktm, finds all of it or nothing
    except (ktm.Error, ktm.SqliteError) as error:
        sys.exit(f"deploy.py: nothing was changed: {error}")
