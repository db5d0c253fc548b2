/* SPDX-License-Identifier: MIT */
/*
 * What the pointers of the Clfs routines stand for: log file objects, marshalling areas, read
 * contexts.
 *
 * A pointer from a caller is looked up among the live ones before it is followed, so one that is
 * stale or of the wrong kind is refused [CLFS-CONC-10]. A call *acquires* what it uses and
 * *releases* it; ending an object makes it unfindable, waits for the calls in progress, and then
 * belongs to the one who ends it [CLFS-HARD-45].
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "clfs/clfs.h"
#include "wdm.h"

enum clfs_kind { CLFS_KIND_FILE = 1, CLFS_KIND_AREA, CLFS_KIND_CONTEXT };

struct clfs_object {
    struct clfs_object *next; /* in the table */
    enum clfs_kind kind;
    _Atomic uint32_t users; /* calls in progress, twice; bit 0: it is being ended */
};

/* In a forked child: there are none. */
void clfs_object_begin_anew(void);
void clfs_file_begin_anew(void);
/* Makes a new object findable. */
void clfs_object_add(struct clfs_object *object, enum clfs_kind kind);
/* Answers: INVALID_PARAMETER (NULL), INVALID_HANDLE. */
NTSTATUS clfs_object_acquire(const void *pointer, enum clfs_kind kind,
                             struct clfs_object **out) must_use;
void clfs_object_release(struct clfs_object *object); /* NULL: nothing */
OWNED_BY(struct clfs_object, clfs_object_release)
/* Nobody finds or uses it when this returns, and it is the caller's. Answers: as above (another
 * thread may be ending it too). */
NTSTATUS clfs_object_end(const void *pointer, enum clfs_kind kind,
                         struct clfs_object **out) must_use;

/* ---- the three kinds ---- */

#define CLFS_ACCESS_READ   1u
#define CLFS_ACCESS_WRITE  2u
#define CLFS_ACCESS_DELETE 4u

/* A log file object ("LFO"). */
struct _FILE_OBJECT {
    struct clfs_object object; /* first */
    struct list in_files;      /* of all, for share checks */
    struct clfs_log *log;
    unsigned access, share; /* CLFS_ACCESS_ bits */
    bool is_readonly;       /* FILE_ATTRIBUTE_READONLY was asked for */
    char *path;             /* without ".blf" */
};

struct clfs_marshal {
    struct clfs_object object;
    struct clfs_area *area;
    unsigned access;
    POOL_TYPE pool;
    PALLOCATE_FUNCTION allocate; /* both or neither */
    PFREE_FUNCTION release;
    unsigned contexts_max;           /* 0: no limit */
    _Atomic unsigned contexts, refs; /* refs: of the routines' area, the log's, each context's */
    _Atomic bool is_deleted;
};
void clfs_marshal_unref(struct clfs_marshal *marshal); /* the last one frees */

struct clfs_context {
    struct clfs_object object;
    struct clfs_marshal *marshal;
    struct clfs_reader *reader;
    atomic_flag is_busy;
};

/* ---- shared by the routines ---- */

static inline PLOG_FILE_OBJECT
clfs_file(struct clfs_object *object)
{
    return container_of(object, struct _FILE_OBJECT, object);
}

static inline struct clfs_marshal *
clfs_marshal(struct clfs_object *object)
{
    return container_of(object, struct clfs_marshal, object);
}

static inline struct clfs_context *
clfs_context(struct clfs_object *object)
{
    return container_of(object, struct clfs_context, object);
}

/* Answers: ACCESS_DENIED. */
static inline NTSTATUS must_use
clfs_access_check(unsigned granted, unsigned needed)
{
    return (granted & needed) ? STATUS_SUCCESS : status_raise(STATUS_ACCESS_DENIED);
}

/* The rules for a counted string from a caller [CLFS-NAME-15, CLFS-HARD-43]. Answers:
 * INVALID_PARAMETER. */
static inline NTSTATUS must_use
clfs_string_check(const UNICODE_STRING *text)
{
    if (!text || text->Length > text->MaximumLength || (!text->Buffer && text->Length))
        return status_raise(STATUS_INVALID_PARAMETER);
    return STATUS_SUCCESS;
}
