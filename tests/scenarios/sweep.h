/* SPDX-License-Identifier: MIT */
/*
 * Sweeping: a scenario is run again and again, each time with something going wrong at another
 * place, then everybody recovers until all is quiet, and the judge of world.h says whether they
 * agree with each other and with what anybody had been told.
 *
 * A *point* is one such run, written as text in failures so that it can be repeated alone:
 *
 *     KTM_POINT='cut 7 within subset 3 0' test-scenarios --verbose sweep/scen-02
 */
#pragma once

#include "tests/scenarios/scenario.h"

enum sweep_kind {
    SWEEP_CUT,    /* the power fails at the n-th operation that changes the disk */
    SWEEP_STOP,   /* the power fails after the n-th command of the scenario */
    SWEEP_HEARD,  /* the power fails when the n-th notification has been heard */
    SWEEP_KILL,   /* the process dies there; what it has written stays */
    SWEEP_LIE,    /* the n-th sync fails once and loses its pages; later the power fails */
    SWEEP_ERROR,  /* the n-th call and all after it fail, until the process is started again */
    SWEEP_ONCE,   /* the n-th call fails, once */
    SWEEP_FULL,   /* no space from the n-th write on */
    SWEEP_MEMORY, /* the n-th allocation fails */
    SWEEP_KINDS
};

struct sweep_point {
    enum sweep_kind kind;
    uint64_t n; /* 1 = the first */
    enum sys_sim_cut how;
    enum sys_sim_keep keep;
    uint64_t choice;
    /* and once more during the recovery that follows: the power fails at its m-th operation */
    uint64_t again; /* 0: no */
};

/* Runs one point on a copy of 'base' (a machine on which the TM has been made). False: it is beyond
 * the end of the scenario. A violation, with the point that showed it, is left in 'violation'. */
bool sweep_point_run(const struct scenario *scenario, struct sys_sim *base,
                     const struct sweep_point *point, char violation[600]);
/* All points of a kind, or a sample of them. Stops at the first violation. Counts the runs. */
void sweep_run(const struct scenario *scenario, struct sys_sim *base, enum sweep_kind kind,
               char violation[600], unsigned *runs);
/* A machine on which the TMs of the scenario have been made and left. */
struct sys_sim *sweep_base(const struct scenario *scenario);
