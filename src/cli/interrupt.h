/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C and its like: remembered, and looked at where the work can be taken back. Once the commit
 * has been asked for they change nothing any more; the outcome is told all the same. Who asks
 * twice ends the process at once, and 'ktm recover' takes back or finishes what it left.
 */
#pragma once

#include "base/base.h"

/* SIGINT, SIGTERM and SIGHUP (when it is not ignored already) are remembered from now on. */
void interrupt_watch(void);
/* The name of the signal that came, NULL: none. */
const char *interrupt_name(void);
