/* SPDX-License-Identifier: MIT */
/*
 * What resource managers of database servers have in common: who they are to a server, kept in a
 * file of the home. Each of their libraries brings its own copy.
 */
#pragma once

#include <sys/types.h>

#include "base/base.h"
#include "base/explain.h"
#include "base/guid.h"
#include "base/list.h"

struct home {
    char *directory;
    char *path; /* of the file in it; and that it is open, among those that are */
    struct list in_open;
    pid_t process;
    const char *kind;
    GUID manager, tm;
    uint64_t incarnation; /* 0: never written */
    char place[96];       /* "": the server has no name of its own for it */
};

/* Reads the file <directory>/<kind>.<name>, or makes up who we are. 'place' says in words where the
 * server's data are; 'kind' stays the caller's. Answers: RM_METADATA_CORRUPT (damaged, or of
 * another place or TM), SHARING_VIOLATION (it is open in this process). */
NTSTATUS home_open(struct home *home, const char *directory, const char *kind, const char *name,
                   const GUID *tm, const char *place, struct explanation *why) must_use;
/* Writes it, durably, with the next incarnation. */
NTSTATUS home_advance(struct home *home, struct explanation *why) must_use;
/* Another one may open it. */
void home_close(struct home *home);
/* After home_close, or one that was never opened. */
void home_free(struct home *home);
/* Before everything else. */
void home_init(struct home *home);
