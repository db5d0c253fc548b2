/* SPDX-License-Identifier: MIT */
/* A server, a home, a resource manager, and a second participant whose vote can be chosen. */
#pragma once

#include "ktm_postgres.h"
#include "tests/rm/servers/postgres.h"
#include "tests/test.h"
#include "wdm.h"

struct scene {
    struct postgres server;
    char home[512];
    char why[1024];
    HANDLE tm;
    struct ktm_postgres_rm *rm;
    struct ktm_rm *other; /* durable, so that commits are in two phases */
    bool other_waits;     /* it votes in ktm_rm_run only */
    _Atomic bool other_refuses;
    void (*at_prepare)(struct scene *scene); /* called when the other prepares, commits */
    void (*at_commit)(struct scene *scene);
    bool other_is_first, was_done;
    void *thing;
    struct ktm_postgres_report last; /* what was reported last; its text in 'told' */
    char told[1024];
    _Atomic unsigned reports;
    struct ktm_postgres_options options;
};

/* Starts the server, with a table account(id, amount) of two rows of 100, and opens. */
void scene_start(struct scene *scene, const char *settings);
/* The same without the open, for tests whose processes open themselves. */
void scene_prepare(struct scene *scene, const char *settings);
NTSTATUS scene_open_rm(struct scene *scene); /* with scene->options */
void scene_open(struct scene *scene);        /* the TM and both participants */
void scene_close(struct scene *scene);
void scene_end(struct scene *scene);

/* A new transaction in which both take part. */
HANDLE scene_begin(struct scene *scene, struct ktm_postgres_tx **tx);
/* The same, with the other first: it is asked first. */
HANDLE scene_begin_after_other(struct scene *scene, struct ktm_postgres_tx **tx);
/* The same without the other. */
HANDLE scene_begin_alone(struct scene *scene, struct ktm_postgres_tx **tx);
void scene_enlist_other(struct scene *scene, HANDLE transaction);
void scene_finish(struct ktm_postgres_tx *tx, HANDLE transaction); /* closes both */
/* Adds to an account; has to succeed. */
void scene_add(struct ktm_postgres_tx *tx, int id, int amount);
long scene_amount(struct scene *scene, int id);
long scene_prepared(struct scene *scene);

/* Until some session of the server is like that: a condition on pg_stat_activity; or until somebody
 * is at work on a statement like this. */
void scene_wait_for(struct scene *scene, const char *condition);
void scene_wait_for_statement(struct scene *scene, const char *like);

/* Runs in a process of its own, with everything opened anew, until it kills itself or ends. */
void scene_in_child(struct scene *scene, void (*run)(struct scene *scene));
void scene_kill_self(struct scene *scene);
