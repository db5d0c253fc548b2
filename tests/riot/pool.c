/* SPDX-License-Identifier: MIT */
/* Handles and identifiers that all callers share, and which kind of handle a routine is about. */
#include "tests/riot/riot.h"

#include <pthread.h>
#include <stdatomic.h>

#include "wdm.h"

enum { ROOM = 16, GUIDS = 32 };

static _Atomic(HANDLE) pool[KINDS][ROOM];
static _Atomic(HANDLE) stale[KINDS][ROOM]; /* closed; mean something else by now, or nothing */
static GUID guids[GUIDS];
static pthread_mutex_t guids_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- handles ---- */

static HANDLE
live(struct caller *caller, enum kind kind)
{
    if (kind == KINDS)
        kind = (enum kind)riot_below(caller, KINDS);
    return pool[kind][riot_below(caller, ROOM)];
}

void *
riot_handle(struct caller *caller, enum kind kind)
{
    switch (riot_below(caller, 48)) {
    case 0:
        return NULL;
    case 1:
        return NtCurrentProcess();
    case 2:
        return (HANDLE)(uintptr_t)riot_below(caller, 4096);
    case 3: /* one that is live, and a bit of it wrong */
        return (HANDLE)((uintptr_t)live(caller, kind) ^ (uintptr_t)1 << riot_below(caller, 62));
    case 4:
        return stale[riot_below(caller, KINDS)][riot_below(caller, ROOM)];
    case 5:
    case 6:
        return live(caller, KINDS);
    default:
        return live(caller, kind);
    }
}

static void
let_go(HANDLE handle, enum kind kind, uint32_t place)
{
    if (!handle)
        return;
    (void)NtSetEvent(handle, NULL); /* who waits for an event waits no longer */
    (void)NtClose(handle);
    stale[kind][place] = handle;
}

void
riot_keep(struct caller *caller, enum kind kind, void *handle)
{
    uint32_t place = riot_below(caller, ROOM);

    if (kind == KINDS)
        kind = (enum kind)riot_below(caller, KINDS);
    let_go(atomic_exchange(&pool[kind][place], handle), kind, place);
}

void
riot_close_one(struct caller *caller)
{
    riot_keep(caller, KINDS, NULL);
}

void
riot_close_all(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (uint32_t place = 0; place < ROOM; place++)
            let_go(atomic_exchange(&pool[kind][place], NULL), (enum kind)kind, place);
}

/* ---- kinds ---- */

enum kind
riot_kind_wanted(const struct call *call)
{
    static const struct {
        const char *part;
        enum kind first, others;
    } wants[] = {
        {"Close", KINDS, KINDS},
        {"Wait", KINDS, KINDS},
        {"Enumerate", KINDS, KINDS},
        {"SetResourceManagerCompletionPort", KIND_RM, KIND_PORT},
        {"CreateEnlistment", KIND_RM, KIND_TX},
        {"OpenEnlistment", KIND_RM, KIND_RM},
        {"CreateResourceManager", KIND_TM, KIND_TM},
        {"OpenResourceManager", KIND_TM, KIND_TM},
        {"CreateTransaction", KIND_TM, KIND_TM},
        {"IoCompletion", KIND_PORT, KIND_PORT},
        {"Queued", KIND_PORT, KIND_PORT},
        {"Event", KIND_EVENT, KIND_EVENT},
        {"Propagation", KIND_RM, KIND_RM},
        {"Protocol", KIND_RM, KIND_RM},
        {"ReadOnly", KIND_EN, KIND_EN},
        {"Complete", KIND_EN, KIND_EN},
        {"Reject", KIND_EN, KIND_EN},
        {"Enlistment", KIND_EN, KIND_EN},
        {"ResourceManager", KIND_RM, KIND_RM},
        {"TransactionManager", KIND_TM, KIND_TM},
        {"OpenTransaction", KIND_TM, KIND_TM},
        {"Transaction", KIND_TX, KIND_TX},
    };

    EACH (want, wants)
        if (call_is(call, want->part))
            return call->handle_count ? want->others : want->first;
    return KINDS;
}

enum kind
riot_kind_made(const struct call *call)
{
    static const struct {
        const char *part;
        enum kind kind;
    } kinds[] = {
        {"Enlistment", KIND_EN},         {"ResourceManager", KIND_RM}, {"Completion", KIND_PORT},
        {"TransactionManager", KIND_TM}, {"Transaction", KIND_TX},     {"Event", KIND_EVENT},
    };

    EACH (kind, kinds)
        if (call_is(call, kind->part))
            return kind->kind;
    return KINDS;
}

/* ---- identifiers ---- */

void
riot_guid_keep(struct caller *caller, const void *guid)
{
    uint32_t place = riot_below(caller, GUIDS);

    pthread_mutex_lock(&guids_mutex);
    memcpy(&guids[place], guid, sizeof(guids[place]));
    pthread_mutex_unlock(&guids_mutex);
}

void
riot_guid(struct caller *caller, void *guid)
{
    uint32_t place = riot_below(caller, GUIDS);

    pthread_mutex_lock(&guids_mutex);
    memcpy(guid, &guids[place], sizeof(guids[place]));
    pthread_mutex_unlock(&guids_mutex);
}
