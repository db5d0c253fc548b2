#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/till.c, killed, failed and cut off from power as till.py does it, over a database in WAL mode:
as last resource, and where it prepares, because nobody else has it open.
"""
import till

till.MODES = (till.LAST_WAL, till.WAL)

if __name__ == "__main__":
    till.main()
