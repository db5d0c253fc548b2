/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the XA bridge share: a home, and the toy switch (switch/toy.c) with its store
 * in a directory, which does what it is ordered to.
 */
#pragma once

#include "ktm_xa.h"
#include "tests/test.h"
#include "wdm.h"

struct scene {
    char home[512], store[200];
    char spec[600], work[512]; /* of the toy; "LIBRARY:toy_work" */
    struct ktm_xa_options options;
    struct ktm_xa_rm *rm;
    /* What was reported. */
    unsigned reports[8]; /* by enum ktm_xa_kind */
    int code;            /* of the last one */
};

/* Nothing is open; the toy is not checked, and its helper answers within two seconds. */
void scene_set(struct scene *scene);
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
/* The switch in a library of the build, or with one of tests/: "LIBRARY:symbol". */
void scene_library(char into[512], const char *name);

/* "<function> <deed> <times>": see toy.c. */
void scene_order(struct scene *scene, const char *order);
/* How often the toy was asked for that. */
unsigned scene_count(struct scene *scene, const char *function);
/* Is the item committed; how many branches are prepared, or remembered as decided. */
bool scene_has(struct scene *scene, unsigned item);
unsigned scene_prepared(struct scene *scene);
unsigned scene_remembered(struct scene *scene);

/* A branch in a new transaction of its own; with an item made in it. */
struct ktm_xa_tx *scene_begin(struct scene *scene);
struct ktm_xa_tx *scene_work(struct scene *scene, unsigned item);
/* The same, committed and closed: the status. */
NTSTATUS scene_commit(struct scene *scene, unsigned item);
