/* SPDX-License-Identifier: MIT */
/*
 * Scenario files: what happens, and what is to be seen of it. A reader who knows the protocol and
 * no C can review them.
 *
 *     # SCEN-02: one resource manager, all phases.
 *     begin t; enlist a full
 *     commit t; preprepared a; prepared a; committed a
 *     ----
 *     commit t: PENDING; a PREPREPARE
 *     preprepared a: PENDING; a PREPARE
 *     prepared a: PENDING; append COMMIT t; force; t committed; a COMMIT
 *     committed a: append FORGET t; t signalled
 *
 * Commands above the line of dashes, separated by semicolons or line ends; below it one line for
 * each command that answers anything but SUCCESS or after which something is seen: records appended
 * to the log ("append"), the log forced ("force": the disk was really told to), notifications,
 * outcomes, objects becoming signalled. '#' starts a comment; the comments name the requirements.
 * Each file is run twice over: as it is, and swept (sweep.h).
 *
 * Names are letters: t..w transactions, other small letters enlistments, capitals resource
 * managers; enlistment a is of A, which is made when it is missing.
 *
 *   volatile                        (first of all: a TM without log)
 *   rm A [volatile] [callbacks] [answers]   answers: says yes to everything, in its callback
 *   begin t [timeout MS]            enlist a MASK [superior] [volatile] [by B] [in u]
 *   commit t   rollback t   query t   wait t   open t   advance MS   settle   clock   left
 *   preprepared a, prepared a, committed a, rolledback a, readonly a, reject a, veto a, outcome a
 *   preprepare s, prepare s, decide s           (decide: CommitEnlistment) each may end: clock N
 *   close t | a | A | tm   open A   recover A | a   return A (opened and recovered, all answered)
 *   info a TEXT   read a   crash   power [all]   start   disk fails | lies | ok
 */
#pragma once

#include "tests/engine/world.h"

struct scenario {
    char name[64];
    char path[512];
    char *text;     /* the whole file */
    char *commands; /* inside 'text' */
    char *expected; /* inside 'text' */
};

/* Fails the test when there is no such file or it has no line of dashes. */
struct scenario *scenario_load(const char *path);
/* One without a file and without a trace to expect. */
struct scenario *scenario_of(const char *name, const char *commands);
void scenario_free(struct scenario *scenario);
OWNED_BY(struct scenario, scenario_free)

/* Carries out the commands until they end or the world is dead. 'trace', when not NULL, becomes
 * what was seen, to be freed. Without a trace, a command whose objects do not exist (because an
 * earlier one failed) is left out; with one it fails the test. */
void scenario_run(const struct scenario *scenario, struct world *world, char **trace);
/* A scenario that begins with "volatile". */
/* The world it begins with; 'sim': as for world_create. */
struct world *scenario_world(const struct scenario *scenario, struct sys_sim *sim);
/* Runs it on a machine of its own, and answers whether the trace is the expected one; 'trace' as
 * above. Whatever the world's judge has to say fails the test. */
bool scenario_holds(const struct scenario *scenario, char **trace);
/* Writes the file again with this trace. */
void scenario_rewrite(const struct scenario *scenario, const char *trace);
