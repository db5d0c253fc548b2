/* SPDX-License-Identifier: MIT */
/* Closing a resource manager while the TM, on threads of its own, is calling it back; and what the
 * kit says is unfinished when others already know the outcome. */
#include "tests/test.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "ktm_rm.h"
#include "sys/thread.h"
#include "wdm.h"

#define MILLISECOND 1000000u

static const GUID identity = {0xc105e000, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};

struct author {
    unsigned slow_ms; /* each call takes that long */
    _Atomic uint32_t begun, ended;
};

static void
take_time(struct author *self)
{
    atomic_fetch_add(&self->begun, 1);
    sys_wake(&self->begun, INT_MAX);
    nanosleep(&(struct timespec){.tv_nsec = self->slow_ms * (long)MILLISECOND}, NULL);
    atomic_fetch_add(&self->ended, 1);
}

static enum ktm_rm_answer
done(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)work;
    (void)key;
    take_time(context);
    return KTM_RM_DONE;
}

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

static HANDLE
manager_open(void)
{
    char home[400];
    HANDLE tm;

    snprintf(home, sizeof(home), "%s/home", test_directory());
    EXPECT_OK(ktm_tm_open(home, &tm));
    return tm;
}

static struct ktm_rm *
resource_open(HANDLE tm, struct author *context, enum ktm_rm_mode mode)
{
    static const struct ktm_rm_author author = {.prepare = done, .commit = done, .rollback = done};
    struct ktm_rm *rm;

    EXPECT_OK(ktm_rm_open(tm,
                          &(struct ktm_rm_options){.identity = &identity,
                                                   .incarnation = 1,
                                                   .author = &author,
                                                   .context = context,
                                                   .mode = mode,
                                                   .is_volatile = TRUE},
                          &rm));
    return rm;
}

static HANDLE
begin(HANDLE tm, struct ktm_rm *rm, struct author *author, LONGLONG timeout_ms)
{
    LARGE_INTEGER timeout = {.QuadPart = -timeout_ms * 10000};
    HANDLE tx;
    void *work;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0,
                                  timeout_ms ? &timeout : NULL, NULL));
    EXPECT_OK(ktm_rm_enlist(rm, tx, make, author, &work));
    return tx;
}

TEST(a_close_waits_for_a_callback_on_another_thread)
{
    struct author author = {.slow_ms = 200};
    HANDLE tm = manager_open();
    struct ktm_rm *rm = resource_open(tm, &author, KTM_RM_CALLBACKS);
    HANDLE tx = begin(tm, rm, &author, 20);

    /* The timer rolls back, on its own thread, which now takes its time. */
    while (atomic_load(&author.begun) == 0)
        EXPECT(sys_wait(&author.begun, 0, sys_now() + 10000ull * MILLISECOND));
    ktm_rm_close(rm);
    EXPECT_EQ(1, atomic_load(&author.ended));
    EXPECT_OK(NtClose(tx));
    EXPECT_OK(NtClose(tm));
}

TEST(who_was_told_the_outcome_finds_nothing_unfinished)
{
    struct author author = {0};
    HANDLE tm = manager_open();
    struct ktm_rm *rm = resource_open(tm, &author, KTM_RM_THREAD);

    for (int i = 0; i < 200; i++) {
        HANDLE tx = begin(tm, rm, &author, 0);

        EXPECT_OK(NtCommitTransaction(tx, TRUE));
        EXPECT_EQ(0, ktm_rm_unfinished(rm));
        EXPECT_OK(NtClose(tx));
    }
    ktm_rm_close(rm);
    EXPECT_OK(NtClose(tm));
}
