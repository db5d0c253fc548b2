#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/box.c and the page about it, docs/write-a-resource-manager.md: what the page shows is what
the program is; and the program is killed, failed and cut off from power as superior.py does it.
"""
import os
import re

import superior  # noqa: E402, and where to find kit
import kit

PAGE = os.path.join(kit.SOURCE, "docs", "write-a-resource-manager.md")
PROGRAM = os.path.join(kit.SOURCE, "examples", "box.c")

superior.SUPERIOR = os.path.join(kit.BUILD, "examples", "box")
superior.HOMES = ("both",)
superior.Lab.leftovers = lambda _: ""  # what is promised and not kept shows as a file in the box


def check_page(report):
    with open(PAGE, encoding="utf-8") as file:
        blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), re.M | re.S)
    with open(PROGRAM, encoding="utf-8") as file:
        program = file.read()
    report.check("the page shows code", len(blocks) >= 5)
    for block in blocks:
        report.check("the page shows the program as it is", block in program, block[:200])


if __name__ == "__main__":
    superior.check_refusal = lambda report, _lab: check_page(report)
    superior.main()
