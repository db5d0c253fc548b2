/* SPDX-License-Identifier: MIT */
/* A server, a home, a resource manager, and a second participant whose vote can be chosen. */
#pragma once

#include <semaphore.h>

#include "ktm_mariadb.h"
#include "rm/mariadb/mariadb.h"
#include "tests/rm/servers/mariadb.h"
#include "tests/rm/servers/wire.h"
#include "tests/test.h"
#include "wdm.h"

struct scene {
    struct mariadb server;
    char home[512];
    char why[1024];
    HANDLE tm;
    struct ktm_mariadb_rm *rm;
    struct ktm_rm *other; /* durable, so that commits are in two phases */
    _Atomic bool other_refuses;
    void (*at_prepare)(struct scene *scene); /* called when the other prepares, commits */
    void (*at_commit)(struct scene *scene);
    bool other_is_first, was_done;
    void *thing;
    sem_t ready;
    struct ktm_mariadb_report last; /* what was reported last; its text in 'told' */
    char told[1024];
    _Atomic unsigned reports, damages, delays;
    bool other_postpones; /* it does not come to its commit */
    struct ktm_mariadb_options options;
};

/* Starts the server, with a table account(id, amount) of two rows of 100, and opens. */
void scene_start(struct scene *scene, const char *settings);
/* The same without the open, for tests whose processes open themselves. */
void scene_prepare(struct scene *scene, const char *settings);
NTSTATUS scene_open_rm(struct scene *scene); /* with scene->options */
void scene_open(struct scene *scene);        /* the TM and both participants */
/* The same with the wire between; what the test itself asks goes straight. */
void scene_open_over(struct scene *scene, struct wire *wire);
void scene_close(struct scene *scene);
void scene_end(struct scene *scene);

/* A new transaction in which both take part. */
HANDLE scene_begin(struct scene *scene, struct ktm_mariadb_tx **tx);
/* The same, with the other first: it is asked first. */
HANDLE scene_begin_after_other(struct scene *scene, struct ktm_mariadb_tx **tx);
/* The same without the other. */
HANDLE scene_begin_alone(struct scene *scene, struct ktm_mariadb_tx **tx);
/* Adds to an account; has to succeed. */
void scene_add(struct ktm_mariadb_tx *tx, int id, int amount);
long scene_amount(struct scene *scene, int id);
long scene_prepared(struct scene *scene);

/* A branch of that name that changes this account, prepared; by a connection that is closed then.
 */
void scene_say_branch(MYSQL *connection, const struct xid *xid, int id);
void scene_prepare_branch(struct scene *scene, const struct xid *xid, int id);

/* Runs in a process of its own, with everything opened anew, until it kills itself or ends. */
void scene_in_child(struct scene *scene, void (*run)(struct scene *scene));
void scene_kill_self(struct scene *scene);
