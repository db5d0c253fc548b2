/* SPDX-License-Identifier: MIT */
/*
 * What transactions leave behind: nothing. Many of each kind, with two resource managers each, and
 * the process has the memory, the handles, the descriptors and the threads it had before; a million
 * altogether in a long run (KTM_SOAK), some thousand otherwise; a tenth of them with a log.
 */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/nt/loan_kit.h"

#include "ktm.h"

enum { ALTOGETHER = 1000000, IN_A_SHORT_RUN = 10000, RSS_MAY_GROW = 1 << 20 };

/* ---- what a process has ---- */

struct belongings {
    size_t in_use; /* bytes that malloc has given out */
    size_t resident;
    unsigned descriptors, threads, handle; /* the place in the table of one made now */
};

static unsigned
entries(const char *directory)
{
    DIR *open = opendir(directory);
    unsigned n = 0;

    EXPECT(open);
    while (readdir(open))
        n++;
    closedir(open);
    return n;
}

static size_t
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all, now;

    EXPECT(file);
    EXPECT_EQ(2, fscanf(file, "%lu %lu", &all, &now));
    fclose(file);
    return now * (size_t)sysconf(_SC_PAGESIZE);
}

static struct belongings
belongings(void)
{
    HANDLE tx = new_tx(NULL);
    struct belongings now = {.descriptors = entries("/proc/self/fd"),
                             .threads = entries("/proc/self/task"),
                             .handle = (unsigned)((uintptr_t)tx >> 2 & 0xffffff)};
    struct mallinfo2 heap;

    close_handle(tx);
    now.resident = resident();
    heap = mallinfo2();
    now.in_use = heap.uordblks + heap.hblkhd;
    return now;
}

/* ---- lives of transactions ---- */

struct managers {
    HANDLE tm[2], rm[2]; /* the second TM: for transactions over two */
    bool is_durable;
};

static HANDLE
tx_of(const struct managers *it, const LARGE_INTEGER *timeout, OBJECT_ATTRIBUTES *named)
{
    static WCHAR text[] = {'s', 'a', 'l', 'a', 'r', 'i', 'e', 's'};
    UNICODE_STRING description = {.Length = sizeof(text), .Buffer = text};
    LARGE_INTEGER copy = timeout ? *timeout : (LARGE_INTEGER){0};
    HANDLE tx;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, named, NULL, it->tm[0], 0, 0, 0,
                                  &copy, &description));
    return tx;
}

static void
hear(HANDLE rm, ULONG what)
{
    struct note note;

    EXPECT(note_next(rm, &note));
    EXPECT_EQ(what, note.what);
}

static void
both(const struct managers *it, const HANDLE *en, ULONG what, answer_routine *answer)
{
    for (int i = 0; i < 2; i++) {
        hear(it->rm[i], what);
        EXPECT(NT_SUCCESS(answer(en[i], NULL)));
    }
}

static void
end(HANDLE tx, const HANDLE *en)
{
    close_handle(en[0]);
    close_handle(en[1]);
    close_handle(tx);
}

static void
enlist(const struct managers *it, HANDLE tx, HANDLE *en, ULONG mask)
{
    for (int i = 0; i < 2; i++)
        en[i] = new_en(it->rm[i], tx, mask, NULL);
}

static void
commits(const struct managers *it)
{
    HANDLE tx = tx_of(it, NULL, NULL), en[2];

    enlist(it, tx, en, MASK_FULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    both(it, en, PREPREPARE, NtPrePrepareComplete);
    both(it, en, PREPARE, NtPrepareComplete);
    both(it, en, COMMIT, NtCommitComplete);
    end(tx, en);
}

static void
rolls_back(const struct managers *it)
{
    HANDLE tx = tx_of(it, NULL, NULL), en[2];

    enlist(it, tx, en, MASK_FULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    both(it, en, PREPREPARE, NtPrePrepareComplete);
    hear(it->rm[0], PREPARE);
    hear(it->rm[1], PREPARE);
    EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(en[1], NULL));
    both(it, en, ROLLBACK, NtRollbackComplete);
    end(tx, en);
}

/* Nobody takes care: time-out set, description set anew, information set, a descriptor to wait on,
 * a name, handles twice, and then all is closed without an answer. */
static void
is_dropped(const struct managers *it)
{
    static const LARGE_INTEGER hour = {.QuadPart = -36000000000};
    static WCHAR text[] = {'\\', 'n', 'a', 'm', 'e'};
    TRANSACTION_PROPERTIES_INFORMATION properties = {.Timeout = hour};
    UNICODE_STRING name = {.Length = sizeof(text), .Buffer = text};
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tx = tx_of(it, &hour, &named), en[2];
    int fd;

    enlist(it, tx, en, MASK_FULL);
    EXPECT_OK(NtSetInformationTransaction(tx, TransactionPropertiesInformation, &properties,
                                          sizeof(properties)));
    if (it->is_durable)
        EXPECT_OK(
            NtSetInformationEnlistment(en[0], EnlistmentRecoveryInformation, text, sizeof(text)));
    EXPECT_OK(KtmGetWaitFd(tx, &fd));
    close_handle(duplicate(tx, TRANSACTION_QUERY_INFORMATION));
    ObDereferenceObject(pointer_to(tx));
    close_handle(tx);
    for (int i = 0; i < 2; i++) {
        hear(it->rm[i], ROLLBACK);
        close_handle(en[i]);
    }
}

static void
is_driven(const struct managers *it)
{
    HANDLE tx = tx_of(it, NULL, NULL), en[2], superior;

    superior = new_superior(it->rm[1], tx, MASK_SUPERIOR, NULL);
    enlist(it, tx, en, MASK_TWO);
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(superior, NULL)));
    both(it, en, PREPARE, NtPrepareComplete);
    hear(it->rm[1], PREPARE_DONE);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(superior, NULL)));
    both(it, en, COMMIT, NtCommitComplete);
    hear(it->rm[1], COMMIT_DONE);
    close_handle(superior);
    end(tx, en);
}

static void
is_frozen_meanwhile(const struct managers *it)
{
    LARGE_INTEGER hour = {.QuadPart = -36000000000};
    HANDLE tx = tx_of(it, NULL, NULL), en[2];

    enlist(it, tx, en, MASK_TWO);
    EXPECT_OK(NtFreezeTransactions(&hour, &hour));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_OK(NtThawTransactions());
    hear(it->rm[0], PREPARE);
    EXPECT(NT_SUCCESS(NtPrepareComplete(en[0], NULL)));
    EXPECT_OK(NtFreezeTransactions(&hour, &hour));
    hear(it->rm[1], PREPARE);
    EXPECT(NT_SUCCESS(NtPrepareComplete(en[1], NULL)));
    EXPECT_OK(NtThawTransactions());
    both(it, en, COMMIT, NtCommitComplete);
    end(tx, en);
}

static void
is_told_through_a_port(const struct managers *it)
{
    HANDLE tx = tx_of(it, NULL, NULL), port = new_port(), event, en[2];
    struct slot slots[2] = {0};
    struct taken taken;

    EXPECT_OK(NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(set_port(it->rm[i], port));
        slots[i].overlapped.hEvent = event;
        EXPECT_STATUS(STATUS_PENDING, lend(it->rm[i], &slots[i], sizeof(slots[i].buffer)));
    }
    enlist(it, tx, en, MASK_LATE);
    EXPECT(NT_SUCCESS(NtCommitTransaction(tx, FALSE)));
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(take(port, 0, &taken));
        EXPECT_EQ(COMMIT, slots[i].buffer.note.TransactionNotification);
        EXPECT_OK(NtCommitComplete(en[i], NULL));
        EXPECT_OK(set_port(it->rm[i], NULL));
    }
    close_handle(event);
    close_handle(port);
    end(tx, en);
}

static const struct life {
    const char *name;
    void (*live)(const struct managers *it);
    bool is_durable, is_over_two;
} lives[] = {
    {"commits", commits, false, false},
    {"commits", commits, true, false},
    {"commits over two TMs", commits, false, true},
    {"commits over two logs", commits, true, true},
    {"rolls back", rolls_back, false, false},
    {"rolls back", rolls_back, true, false},
    {"is dropped", is_dropped, false, false},
    {"is dropped", is_dropped, true, false},
    {"is driven by a superior", is_driven, false, false},
    {"is driven by a superior", is_driven, true, false},
    {"is frozen meanwhile", is_frozen_meanwhile, true, false},
    {"is told through a port", is_told_through_a_port, false, false},
    {"is told through a port", is_told_through_a_port, true, false},
};

/* ---- the count ---- */

static UNICODE_STRING log_names[2]; /* made once: what the kit makes it keeps */

static HANDLE
logged_tm(unsigned number)
{
    HANDLE tm;

    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL,
                                         &log_names[number], 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    return tm;
}

struct run {
    const struct life *life;
    unsigned times;
};

static void *
live_now(void *context)
{
    const struct run *run = context;
    const struct life *life = run->life;
    struct managers it = {.is_durable = life->is_durable};

    it.tm[0] = life->is_durable ? logged_tm(0) : new_volatile_tm();
    it.tm[1] = !life->is_over_two ? it.tm[0] : life->is_durable ? logged_tm(1) : new_volatile_tm();
    for (unsigned i = 0; i < 2; i++)
        it.rm[i] = life->is_durable ? new_durable_rm(it.tm[i], i) : new_volatile_rm(it.tm[i]);
    for (unsigned i = 0; i < run->times; i++)
        life->live(&it);
    close_handle(it.rm[0]);
    close_handle(it.rm[1]);
    if (life->is_over_two)
        close_handle(it.tm[1]);
    close_handle(it.tm[0]);
    return NULL;
}

/* In a thread of its own, for malloc counts what it keeps for a thread as given out. */
static void
live(const struct life *life, unsigned times)
{
    struct run run = {life, times};
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, live_now, &run));
    EXPECT_EQ(0, pthread_join(thread, NULL));
}

static bool
heap_is_known(void)
{
    void *volatile some = malloc(1000);
    struct mallinfo2 heap = mallinfo2();

    free(some);
    return heap.uordblks != 0; /* a sanitizer's allocator tells nothing, but finds leaks itself */
}

TEST(nothing_is_left_of_a_million_transactions) /* INV-07 GEN-09 OBJ-20 LIVE-01 TMR-02 TMR-04 */
{
    unsigned altogether = test_soak_seconds() ? ALTOGETHER : IN_A_SHORT_RUN;
    bool is_known = heap_is_known();

    log_names[0] = log_name("first");
    log_names[1] = log_name("second");
    if (test_sweep_is_short())
        altogether /= 20;
    EACH (life, lives) {
        struct belongings before, after;

        for (int i = 0; i < 8; i++) { /* what is kept for the next time is made */
            live(life, 20);
            (void)belongings();
        }
        before = belongings();
        live(life, altogether / (life->is_durable ? 70 : 6));
        after = belongings();
        if (is_known &&
            (before.in_use != after.in_use || after.resident > before.resident + RSS_MAY_GROW))
            test_fail(__FILE__, __LINE__, "%s (%s): %zd bytes more in use, %zd more resident",
                      life->name, life->is_durable ? "durable" : "volatile",
                      (ssize_t)(after.in_use - before.in_use),
                      (ssize_t)(after.resident - before.resident));
        EXPECT_EQ(before.descriptors, after.descriptors);
        EXPECT_EQ(before.threads, after.threads);
        EXPECT(after.handle <
               1024); /* places are used again: the first piece of the table suffices */
    }
}
