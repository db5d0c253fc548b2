#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/branch.c: one transaction over two transaction managers, whatever dies in between.

BR-01 BR-03 BR-04 INV-01 INV-04 RECOV-45: what superior.py does to a coordinator of one's own, here to
the one inside: killed at every file mutation, whole and torn, also while recovering; every mutation
fails once; the power goes. Afterwards both sites have the new text, or both the old one.
"""
import os

import superior  # noqa: E402, and where to find kit
import kit

superior.SUPERIOR = os.path.join(kit.BUILD, "examples", "branch")
superior.Lab.leftovers = lambda _: ""  # there is no journal but the logs

if __name__ == "__main__":
    superior.main()
