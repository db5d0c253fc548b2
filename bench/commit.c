/* SPDX-License-Identifier: MIT */
/*
 * How fast is a commit of two resource managers, beside what this machine can do at all?
 *
 * In one run, in turn: (1) fdatasync of a 4 KiB overwrite of a preallocated file; (2) a bare
 * group-commit loop, a writer thread that writes and forces what has gathered and wakes all with
 * one futex call, with records of the size of ours; (3) durable and (4) volatile two-RM
 * transactions with callbacks at 1, 8 and 64 threads; (5) the cost of a volatile commit while a
 * million other transactions are open; (6) memory per transaction and enlistment. Rounds are
 * interleaved and the medians compared, so a busy neighbour hits all alike. Budgets: design
 * section 7.
 *
 *   commit [--seconds S] [--rounds N] [--json FILE (or KTM_BENCH_JSON)] [--dir DIR]
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <wdm.h>

enum {
    THREADS_MAX = 64,
    ROUNDS_MAX = 15,
    RECORD_SIZE = 176 /* COMMIT of two enlistments with its headers */
};
enum { FILE_SIZE = 8 << 20, OPEN_TRANSACTIONS = 1000000 };

static double seconds = 1.0;
static int rounds = 5;
static char directory[PATH_MAX] = "/var/tmp";

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
must(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "bench-commit: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- threads that count ---- */

struct worker {
    pthread_t thread;
    void (*once)(struct worker *);
    void *context;
    uint64_t count;
    uint8_t pad[64];
};

static _Atomic bool is_over;

static void *
worker_main(void *argument)
{
    struct worker *worker = argument;

    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        worker->once(worker);
        worker->count++;
    }
    return NULL;
}

/* How often a second 'threads' threads together do 'once'. */
static double
rate(int threads, void (*once)(struct worker *), void *context)
{
    static struct worker workers[THREADS_MAX];
    double start, stop;
    uint64_t count = 0;

    atomic_store(&is_over, false);
    start = now();
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.once = once, .context = context};
        must(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) == 0,
             "pthread_create");
    }
    usleep((useconds_t)(seconds * 1e6));
    atomic_store(&is_over, true);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        count += workers[i].count;
    }
    stop = now();
    return (double)count / (stop - start);
}

/* ---- (1), (2): the machine's limits ---- */

struct limit {
    int fd;
    off_t offset;
    pthread_t writer;
    pthread_mutex_t mutex;
    pthread_cond_t gathered;
    char *filling, *writing;
    size_t fill;
    _Atomic uint32_t batch; /* number of the batch that gathers now */
    bool is_stopping;
};

static int
preallocated(const char *name)
{
    char path[PATH_MAX + 32];
    char *zeros = calloc(1, FILE_SIZE);
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && zeros, "creating a file");
    must(pwrite(fd, zeros, FILE_SIZE, 0) == FILE_SIZE && fsync(fd) == 0, "preallocating");
    unlink(path);
    free(zeros);
    return fd;
}

static void
force_once(struct worker *worker)
{
    static const char block[4096] = "x";
    struct limit *limit = worker->context;

    must(pwrite(limit->fd, block, sizeof(block), limit->offset) == sizeof(block), "pwrite");
    must(fdatasync(limit->fd) == 0, "fdatasync");
    limit->offset = (limit->offset + 4096) % FILE_SIZE;
}

static void *
writer_main(void *argument)
{
    struct limit *limit = argument;

    pthread_mutex_lock(&limit->mutex);
    for (;;) {
        char *taken = limit->filling;
        size_t size;

        while (limit->fill == 0 && !limit->is_stopping)
            pthread_cond_wait(&limit->gathered, &limit->mutex);
        if (limit->fill == 0)
            break;
        size = (limit->fill + 511) & ~(size_t)511;
        limit->filling = limit->writing;
        limit->writing = taken;
        limit->fill = 0;
        atomic_fetch_add(&limit->batch, 1);
        pthread_mutex_unlock(&limit->mutex);
        if (limit->offset + (off_t)size > FILE_SIZE)
            limit->offset = 0;
        must(pwrite(limit->fd, taken, size, limit->offset) == (ssize_t)size, "pwrite");
        must(fdatasync(limit->fd) == 0, "fdatasync");
        limit->offset += (off_t)size;
        pthread_mutex_lock(&limit->mutex);
        atomic_fetch_add(&limit->batch, 1);
        syscall(SYS_futex, &limit->batch, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&limit->mutex);
    return NULL;
}

static void
group_once(struct worker *worker)
{
    struct limit *limit = worker->context;
    char record[RECORD_SIZE] = "x";
    uint32_t mine, seen;

    pthread_mutex_lock(&limit->mutex);
    mine = atomic_load(&limit->batch);
    /* the batch that gathers now is taken at the next odd or even step and done one after that */
    mine += mine % 2 ? 3 : 2;
    memcpy(limit->filling + limit->fill, record, sizeof(record));
    limit->fill += sizeof(record);
    pthread_cond_signal(&limit->gathered);
    pthread_mutex_unlock(&limit->mutex);
    while ((int32_t)((seen = atomic_load(&limit->batch)) - mine) < 0)
        syscall(SYS_futex, &limit->batch, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static double
measure_force(void)
{
    struct limit limit = {.fd = preallocated("limit")};
    double result = rate(1, force_once, &limit);

    close(limit.fd);
    return result;
}

static double
measure_group(int threads)
{
    struct limit limit = {.fd = preallocated("group")};
    double result;

    limit.filling = malloc(THREADS_MAX * RECORD_SIZE + 4096);
    limit.writing = malloc(THREADS_MAX * RECORD_SIZE + 4096);
    must(limit.filling && limit.writing, "malloc");
    pthread_mutex_init(&limit.mutex, NULL);
    pthread_cond_init(&limit.gathered, NULL);
    must(pthread_create(&limit.writer, NULL, writer_main, &limit) == 0, "pthread_create");
    result = rate(threads, group_once, &limit);
    pthread_mutex_lock(&limit.mutex);
    limit.is_stopping = true;
    pthread_cond_signal(&limit.gathered);
    pthread_mutex_unlock(&limit.mutex);
    pthread_join(limit.writer, NULL);
    free(limit.filling);
    free(limit.writing);
    close(limit.fd);
    return result;
}

/* ---- (3), (4): our commits ---- */

struct coordinator {
    HANDLE tm, rm[2];
    char log[PATH_MAX];
};

static NTSTATUS
on_notification(PKENLISTMENT enlistment, PVOID rm_context, PVOID context, ULONG what,
                PLARGE_INTEGER clock, ULONG size, PVOID argument)
{
    (void)rm_context, (void)context, (void)clock, (void)size, (void)argument;
    switch (what) {
    case TRANSACTION_NOTIFY_PREPARE:
        return TmPrepareComplete(enlistment, NULL);
    case TRANSACTION_NOTIFY_COMMIT:
        return TmCommitComplete(enlistment, NULL);
    case TRANSACTION_NOTIFY_ROLLBACK:
        return TmRollbackComplete(enlistment, NULL);
    default:
        return STATUS_SUCCESS;
    }
}

static void
coordinator_open(struct coordinator *c, bool is_durable)
{
    ULONG options = is_durable ? 0 : RESOURCE_MANAGER_VOLATILE;
    WCHAR name[PATH_MAX];
    UNICODE_STRING path = {.Buffer = name};
    PVOID object;

    snprintf(c->log, sizeof(c->log), "%.4000s/ktm-bench-%d", directory, (int)getpid());
    for (const char *at = c->log; *at; at++, path.Length += 2)
        name[path.Length / 2] = (WCHAR)*at;
    path.MaximumLength = path.Length;
    must(NT_SUCCESS(NtCreateTransactionManager(&c->tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL,
                                               is_durable ? &path : NULL,
                                               is_durable ? 0 : TRANSACTION_MANAGER_VOLATILE, 0)),
         "NtCreateTransactionManager");
    must(!is_durable || NT_SUCCESS(NtRecoverTransactionManager(c->tm)),
         "NtRecoverTransactionManager");
    for (int i = 0; i < 2; i++) {
        GUID guid = {.Data1 = 0xBE7C4000u + (unsigned)i};

        must(NT_SUCCESS(NtCreateResourceManager(&c->rm[i], RESOURCEMANAGER_ALL_ACCESS, c->tm, &guid,
                                                NULL, options, NULL)),
             "NtCreateResourceManager");
        must(NT_SUCCESS(ObReferenceObjectByHandle(c->rm[i], 0, *TmResourceManagerObjectType,
                                                  KernelMode, &object, NULL)),
             "ObReferenceObjectByHandle");
        must(NT_SUCCESS(TmEnableCallbacks(object, on_notification, NULL)), "TmEnableCallbacks");
        ObDereferenceObject(object);
        must(NT_SUCCESS(NtRecoverResourceManager(c->rm[i])), "NtRecoverResourceManager");
    }
}

static void
coordinator_close(struct coordinator *c)
{
    char path[PATH_MAX + 32];

    NtClose(c->rm[0]);
    NtClose(c->rm[1]);
    NtClose(c->tm);
    snprintf(path, sizeof(path), "rm -f '%s'.*", c->log);
    must(system(path) == 0, "removing the log");
}

static void
enlist(struct coordinator *c, HANDLE tx, HANDLE en[2])
{
    const ULONG mask =
        TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;

    for (int i = 0; i < 2; i++)
        must(NtCreateEnlistment(&en[i], ENLISTMENT_ALL_ACCESS, c->rm[i], tx, NULL, 0, mask, NULL) ==
                 STATUS_SUCCESS,
             "NtCreateEnlistment");
}

static void
commit_once(struct worker *worker)
{
    struct coordinator *c = worker->context;
    HANDLE tx, en[2];

    must(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, c->tm, 0, 0, 0, NULL, NULL) ==
             STATUS_SUCCESS,
         "NtCreateTransaction");
    enlist(c, tx, en);
    must(NtCommitTransaction(tx, TRUE) == STATUS_SUCCESS, "NtCommitTransaction");
    NtClose(en[0]);
    NtClose(en[1]);
    NtClose(tx);
}

static double
measure_commit(int threads, bool is_durable)
{
    struct coordinator c;
    double result;

    coordinator_open(&c, is_durable);
    result = rate(threads, commit_once, &c);
    coordinator_close(&c);
    return result;
}

/* ---- (5), (6): many open transactions ---- */

struct crowd {
    double slowdown;          /* commit with a million open, beside the same with none */
    double bytes_transaction; /* an open transaction with no enlistment */
    double bytes_enlistment;
    double bytes_left; /* after all is closed, per transaction */
};

static size_t
memory_used(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static struct crowd
measure_crowd(void)
{
    static HANDLE transactions[OPEN_TRANSACTIONS], enlistments[100000];
    struct crowd crowd;
    struct coordinator c;
    size_t before, open, enlisted;
    double alone, crowded;

    coordinator_open(&c, false);
    alone = rate(1, commit_once, &c);
    before = memory_used();
    for (int i = 0; i < OPEN_TRANSACTIONS; i++)
        must(NtCreateTransaction(&transactions[i], TRANSACTION_ALL_ACCESS, NULL, NULL, c.tm, 0, 0,
                                 0, NULL, NULL) == STATUS_SUCCESS,
             "NtCreateTransaction");
    open = memory_used();
    crowded = rate(1, commit_once, &c);
    enlisted = memory_used();
    for (int i = 0; i < 100000; i++)
        must(NtCreateEnlistment(&enlistments[i], ENLISTMENT_ALL_ACCESS, c.rm[0], transactions[i],
                                NULL, 0,
                                TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |
                                    TRANSACTION_NOTIFY_ROLLBACK,
                                NULL) == STATUS_SUCCESS,
             "NtCreateEnlistment");
    crowd.bytes_enlistment = (double)(memory_used() - enlisted) / 100000;
    crowd.bytes_transaction = (double)(open - before) / OPEN_TRANSACTIONS;
    crowd.slowdown = alone / crowded;
    for (int i = 0; i < 100000; i++)
        NtClose(enlistments[i]);
    for (int i = 0; i < OPEN_TRANSACTIONS; i++)
        NtClose(transactions[i]);
    crowd.bytes_left = (double)((int64_t)memory_used() - (int64_t)before) / OPEN_TRANSACTIONS;
    coordinator_close(&c);
    return crowd;
}

/* ---- the table ---- */

static int
ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double
median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), ascending);
    return values[count / 2];
}

static const int thread_counts[] = {1, 8, 64};

struct results {
    double force, group[3], durable[3], volatile_[3];
    struct crowd crowd;
};

static struct results
measure(void)
{
    static double force[ROUNDS_MAX], group[3][ROUNDS_MAX], durable[3][ROUNDS_MAX],
        volatile_[3][ROUNDS_MAX];
    struct results r;

    for (int i = 0; i < rounds; i++) {
        force[i] = measure_force();
        for (int t = 0; t < 3; t++) {
            group[t][i] = measure_group(thread_counts[t]);
            durable[t][i] = measure_commit(thread_counts[t], true);
            volatile_[t][i] = measure_commit(thread_counts[t], false);
        }
    }
    r.force = median(force, rounds);
    for (int t = 0; t < 3; t++) {
        r.group[t] = median(group[t], rounds);
        r.durable[t] = median(durable[t], rounds);
        r.volatile_[t] = median(volatile_[t], rounds);
    }
    r.crowd = measure_crowd();
    return r;
}

static bool
row(const char *what, double value, const char *unit, double ratio, const char *budget, bool is_met)
{
    printf("%-44s %12.0f %-6s %8.3f  %-22s %s\n", what, value, unit, ratio, budget,
           is_met ? "met" : "MISSED");
    return is_met;
}

static bool
print(const struct results *r)
{
    bool is_good = true;

    printf("%-44s %12s %-6s %8s  %-22s\n", "measure", "value", "unit", "ratio", "budget");
    printf("%-44s %12.0f %-6s %8.3f\n", "limit: fdatasync of 4 KiB, 1 thread", r->force, "1/s",
           1.0);
    for (int t = 0; t < 3; t++)
        printf("limit: bare group commit, %2d threads %8s %12.0f %-6s %8.3f\n", thread_counts[t],
               "", r->group[t], "1/s", r->group[t] / r->force);
    is_good &=
        row("durable two-RM commit, 1 thread", r->durable[0], "1/s", r->force / r->durable[0],
            "<= 1.15 x fdatasync", r->force / r->durable[0] <= 1.15);
    printf("%-44s %12.0f %-6s %8.3f\n", "durable two-RM commit, 8 threads", r->durable[1], "1/s",
           r->durable[1] / r->group[1]);
    is_good &=
        row("durable two-RM commit, 64 threads", r->durable[2], "1/s", r->durable[2] / r->group[2],
            ">= 0.8 x group commit", r->durable[2] / r->group[2] >= 0.8);
    is_good &= row("volatile two-RM commit, 1 thread", r->volatile_[0], "1/s",
                   r->volatile_[0] / 500000, ">= 500,000/s", r->volatile_[0] >= 500000);
    for (int t = 1; t < 3; t++)
        printf("volatile two-RM commit, %2d threads %10s %12.0f %-6s\n", thread_counts[t], "",
               r->volatile_[t], "1/s");
    is_good &=
        row("memory of an open transaction", r->crowd.bytes_transaction, "bytes",
            r->crowd.bytes_transaction / 1024, "<= 1 KiB", r->crowd.bytes_transaction <= 1024);
    is_good &=
        row("memory of an enlistment", r->crowd.bytes_enlistment, "bytes",
            r->crowd.bytes_enlistment / 512, "<= 512 bytes", r->crowd.bytes_enlistment <= 512);
    is_good &= row("commit with 1,000,000 others open", r->crowd.slowdown * 100, "%",
                   r->crowd.slowdown, "<= 1.2 x with none", r->crowd.slowdown <= 1.2);
    return is_good;
}

static void
write_json(const struct results *r, const char *path)
{
    FILE *file = fopen(path, "w");

    must(file != NULL, path);
    fprintf(file, "{\"fdatasync_4k\":%.0f,\n", r->force);
    for (int t = 0; t < 3; t++)
        fprintf(file, " \"group_%d\":%.0f, \"durable_%d\":%.0f, \"volatile_%d\":%.0f,\n",
                thread_counts[t], r->group[t], thread_counts[t], r->durable[t], thread_counts[t],
                r->volatile_[t]);
    fprintf(
        file,
        " \"bytes_per_transaction\":%.0f, \"bytes_per_enlistment\":%.0f, \"bytes_left\":%.1f,\n",
        r->crowd.bytes_transaction, r->crowd.bytes_enlistment, r->crowd.bytes_left);
    fprintf(file, " \"slowdown_with_million_open\":%.3f}\n", r->crowd.slowdown);
    must(fclose(file) == 0, path);
}

int
main(int argc, char **argv)
{
    const char *json = getenv("KTM_BENCH_JSON");
    struct results results;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seconds"))
            seconds = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--rounds"))
            rounds = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--json"))
            json = argv[i + 1];
        else if (!strcmp(argv[i], "--dir"))
            snprintf(directory, sizeof(directory), "%s", argv[i + 1]);
    }
    if (rounds < 1 || rounds > ROUNDS_MAX || seconds <= 0)
        return fprintf(stderr, "bench-commit: rounds 1..%d, seconds > 0\n", ROUNDS_MAX), 2;
    results = measure();
    if (json)
        write_json(&results, json);
    return print(&results) ? 0 : 1;
}
