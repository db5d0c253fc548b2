/* SPDX-License-Identifier: MIT */
/* Many threads commit and roll back transactions over two managers, of which one is closed and made
 * again under them: nobody is told the opposite of what another was told, and everybody returns. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/nt/kit.h"

enum { THREADS = 8, SIDES = 2 };

/* One manager with a resource manager that answers in its callback. */
struct side {
    HANDLE tm, rm;
};

static struct side here;
static struct side there;
static pthread_rwlock_t there_lock = PTHREAD_RWLOCK_INITIALIZER; /* its handles, not its objects */
static atomic_bool is_over;
static atomic_uint committed, aborted, spanned;

/* One transaction, as its two enlistments see it; the key of both, with the side in bit 0. */
struct cross {
    _Atomic ULONG told[SIDES];
    unsigned dice;
    struct cross *next; /* kept to the end: a ROLLBACK may come when the client has gone on */
};

static NTSTATUS NTAPI
answer(PKENLISTMENT en, PVOID rm_context, PVOID key, ULONG what, PLARGE_INTEGER clock, ULONG size,
       PVOID argument)
{
    struct cross *cross = (struct cross *)((uintptr_t)key & ~(uintptr_t)1);
    unsigned side = (uintptr_t)key & 1;

    (void)rm_context, (void)clock, (void)size, (void)argument;
    switch (what) {
    case PREPREPARE:
        return TmPrePrepareComplete(en, NULL);
    case PREPARE:
        if (cross->dice % 16 == side)
            return TmRollbackEnlistment(en, NULL);
        return TmPrepareComplete(en, NULL);
    case COMMIT:
        EXPECT_EQ(0, atomic_exchange(&cross->told[side], what)); /* once */
        return TmCommitComplete(en, NULL);
    case ROLLBACK:
        EXPECT_EQ(0, atomic_exchange(&cross->told[side], what));
        return TmRollbackComplete(en, NULL);
    default:
        return STATUS_SUCCESS;
    }
}

static struct side
side_make(void)
{
    struct side side = {.tm = new_volatile_tm()};
    PVOID rm;

    side.rm = new_volatile_rm(side.tm);
    rm = pointer_to(side.rm);
    EXPECT_OK(TmEnableCallbacks(rm, answer, NULL));
    ObDereferenceObject(rm);
    return side;
}

static NTSTATUS
enlist(const struct side *side, HANDLE tx, struct cross *cross, unsigned number, HANDLE *en)
{
    return NtCreateEnlistment(en, ENLISTMENT_ALL_ACCESS, side->rm, tx, NULL, 0, MASK_FULL,
                              (char *)cross + number);
}

static void
one_transaction(struct cross *cross, unsigned *dice)
{
    HANDLE tx, en[SIDES] = {NULL};
    bool first = rand_r(dice) & 1;
    NTSTATUS status;

    cross->dice = (unsigned)rand_r(dice);
    tx = new_tx(NULL);
    for (unsigned i = 0; i < SIDES; i++) {
        unsigned number = i ^ first;

        pthread_rwlock_rdlock(&there_lock);
        if (enlist(number ? &there : &here, tx, cross, number, &en[i]) == STATUS_SUCCESS && i)
            atomic_fetch_add(&spanned, 1);
        pthread_rwlock_unlock(&there_lock);
    }
    status =
        cross->dice % 16 == 7 ? NtRollbackTransaction(tx, TRUE) : NtCommitTransaction(tx, TRUE);
    if (NT_SUCCESS(status) && cross->dice % 16 != 7)
        atomic_fetch_add(&committed, 1);
    else
        atomic_fetch_add(&aborted, 1);
    for (unsigned i = 0; i < SIDES; i++)
        if (en[i])
            (void)NtClose(en[i]);
    close_handle(tx);
}

/* One who was not told was gone when the other was. */
static void
judge_and_free(struct cross *cross)
{
    while (cross) {
        ULONG a = atomic_load(&cross->told[0]), b = atomic_load(&cross->told[1]);
        struct cross *next = cross->next;

        EXPECT(a == b || a == 0 || b == 0);
        free(cross);
        cross = next;
    }
}

static void *
client(void *context)
{
    unsigned dice = (unsigned)(uintptr_t)context;
    struct cross *all = NULL;

    for (unsigned count = 0; !atomic_load(&is_over) && count < 20000; count++) {
        struct cross *cross = calloc(1, sizeof(*cross));

        EXPECT(cross);
        cross->next = all;
        all = cross;
        one_transaction(cross, &dice);
    }
    return all;
}

static void
run_for(unsigned milliseconds, bool closes)
{
    pthread_t threads[THREADS];
    void *all[THREADS];
    struct timespec pause = {.tv_nsec = closes ? 200000 : 3000000};

    here = side_make();
    there = side_make();
    for (uintptr_t i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, client, (void *)(i + 1)));
    for (unsigned i = 0; i < (closes ? 2 * milliseconds : milliseconds / 3); i++) {
        struct side old;

        nanosleep(&pause, NULL);
        if (!closes)
            continue;
        pthread_rwlock_wrlock(&there_lock);
        old = there;
        there = side_make();
        pthread_rwlock_unlock(&there_lock);
        close_handle(i & 1 ? old.rm : old.tm);
        close_handle(i & 1 ? old.tm : old.rm);
    }
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_join(threads[i], &all[i]));
    for (unsigned i = 0; i < THREADS; i++)
        judge_and_free(all[i]);
    printf("%u committed, %u not, %u over two managers\n", committed, aborted, spanned);
    EXPECT(committed > 50);
    EXPECT(aborted > 5);
    EXPECT(spanned > 50);
}

TEST(threads_share_two_managers) /* BR-01 INV-01 INV-15 LIVE-01 GEN-11 */
{
    run_for(1000, false);
}

TEST(a_manager_is_closed_under_transactions_that_span_it) /* CLOSE-TM-01 INV-01 INV-15 BR-01 */
{
    run_for(1500, true);
}
