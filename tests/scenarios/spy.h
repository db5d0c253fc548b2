/* SPDX-License-Identifier: MIT */
/* Sees what the engine does to its log: the linker puts these functions around those of clfs.h
 * (see CMakeLists.txt). */
#pragma once

#include "tests/engine/world.h"

/* Tells 'world' of records appended and of forces that reached the disk; NULL: nobody. */
void spy_for(struct world *world);

/* For tests of the tests: mistakes that a sweep must find. */
enum spy_mistake {
    SPY_HONEST,
    SPY_SWALLOWS_SYNCS, /* the disk says yes and does nothing (sweep.c sees to it) */
    SPY_FORCES_NOTHING, /* a flush says yes and does nothing */
    SPY_LOSES_COMMITS,  /* COMMIT records become FORGET records of nobody */
    SPY_FORGETS_EARLY,  /* COMMIT records are followed by a FORGET */
    SPY_LOSES_PREPARES, /* PREPARE records as the COMMIT records above */
    SPY_MISTAKES,
};
void spy_make(enum spy_mistake mistake);
enum spy_mistake spy_mistake(void);
