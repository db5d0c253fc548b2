/* SPDX-License-Identifier: MIT */
/*
 * Hostile callers: any routine of the library, with any handles and any parameters, in any order,
 * by several threads at once. Nothing may crash, hang or leak.
 *
 * What is valid about a call is only what no library could check: pointers point to memory of the
 * size that is said, and text ends where it must. Handles are live, closed, of other kinds, made
 * up; numbers, flags, identifiers and the contents of memory are drawn. The routines come from
 * tables; how an argument is drawn follows from its type, which is in the table, as text.
 */
#pragma once

#include "tests/test.h"

enum { ARGUMENTS_MAX = 10, BUFFER_SIZE_MAX = 4096 };

enum result { RESULT_STATUS, RESULT_BOOL, RESULT_HANDLE, RESULT_NONE };

struct routine {
    const char *name;
    void (*address)(void);
    const char *types; /* "(HANDLE, BOOLEAN)" */
    enum result result;
    _Atomic uint32_t successes;
};

struct routines {
    struct routine *all;
    size_t count;
};
extern const struct routines riot_services; /* Nt… and Zw…, out of src/nt/services.h */
extern const struct routines riot_kernel;   /* Tm…, by pointers */
extern const struct routines riot_win32;

/* ---- a caller ---- */

struct piece { /* of memory that is lent to a call */
    struct piece *next;
    void *at;
};

struct caller {
    uint64_t random;
    unsigned depth; /* of calls inside callbacks */
    uint64_t calls;
    const char *_Atomic at; /* the routine he is in, for the report of a hang */
    struct piece *kept;     /* what a call may still write to, or hand to somebody */
    _Atomic bool is_done;
};

uint32_t riot_below(struct caller *caller, uint32_t n);
struct caller *riot_self(void); /* the caller who runs this thread; NULL: it is none */

/* ---- call.c: one call ---- */

struct routine *riot_routine(struct caller *caller);
/* Calls the routine; what it makes goes into the pool. */
void riot_call(struct caller *caller, struct routine *routine);
void riot_callback(struct caller *caller); /* what a callback does */
void riot_forget(struct caller *caller);   /* frees what was kept */

/* What one call has been lent. */
struct call {
    struct caller *caller;
    const struct routine *routine;
    size_t size;          /* of every buffer whose size is said beside it */
    struct piece *pieces; /* freed after the call, or kept */
    void *objects[ARGUMENTS_MAX];
    unsigned object_count, handle_count;
    void *made;
    bool is_beside_memory; /* is the argument: it may be its size */
    bool has_no_object;    /* there is none to be called with */
};
bool call_is(const struct call *call, const char *part); /* the name contains it */

/* ---- draw.c: one argument ---- */

/* 'type' has 'size' characters. */
uintptr_t riot_draw(struct call *call, const char *type, size_t size);

/* ---- pool.c: what everybody shares ---- */

enum kind { KIND_TM, KIND_RM, KIND_TX, KIND_EN, KIND_EVENT, KIND_PORT, KINDS };

enum kind riot_kind_wanted(const struct call *call); /* KINDS: any */
enum kind riot_kind_made(const struct call *call);
/* Any value; most often a handle of that kind. */
void *riot_handle(struct caller *caller, enum kind kind);
void riot_keep(struct caller *caller, enum kind kind, void *handle); /* closes one for it */
void riot_close_one(struct caller *caller);
void riot_close_all(void);
/* Identifiers that are, or were, somebody's; 16 bytes. */
void riot_guid_keep(struct caller *caller, const void *guid);
void riot_guid(struct caller *caller, void *guid);
