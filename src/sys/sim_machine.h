/* SPDX-License-Identifier: MIT */
/*
 * Inside the simulated machine: its processes and their open files. Private to sim.c (what programs
 * call) and sim_machine.c (what tests do to the machine).
 */
#pragma once

#include "sys/sim_disk.h"
#include "sys/thread.h"

struct sys_sim {
    struct sys_mutex mutex;
    struct sim_disk disk;
    struct list processes;
    size_t handles; /* of all processes, dead ones too: all must be closed before the end */

    bool has_power;
    uint64_t cut_in; /* the n-th operation from now cuts; 0: none */
    enum sys_sim_cut cut_how;
    uint64_t fail_sync_in;

    uint64_t time_monotonic;
    int64_t time_wall;
    uint64_t time_rest; /* nanoseconds that are not yet a tick of the wall clock */
    uint64_t random;    /* what programs draw */
    struct sys_sim_counts counts;
    FILE *trace;
};

struct sim_process {
    struct sys sys;
    struct sys_sim *sim;
    struct list in_sim;
    struct list files; /* open ones */
};

struct sim_file {
    struct sys_file file;
    struct sim_process *process;
    struct list in_process;
    struct sim_node *node; /* NULL: dead, the process that opened it is no more */
    unsigned flags;
    uint64_t errors_seen; /* of the node's sync_errors: each opening is told once */
    char *path;
};

static inline struct sim_process *
sim_process_of(struct sys *sys)
{
    return container_of(sys, struct sim_process, sys);
}

extern const struct sys_table sim_table;

/* The file is taken out of the hands of its process: dead, or about to be closed. */
void sim_file_detach(struct sim_file *file);
/* A line of the trace. */
void sim_trace(struct sys_sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
