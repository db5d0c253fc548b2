/* SPDX-License-Identifier: MIT */
/*
 * How fast is "append a record and make it durable", beside what this machine can do at all?
 *
 * In one run, in turn, at 1, 8 and 64 threads: (1) the log: clfs_append + clfs_flush of one record
 * of 128 bytes; (2) the bare loop: records gather in a buffer, a writer thread writes and forces
 * what has gathered and wakes all with one futex call; (3) every thread writes 4 KiB and forces for
 * itself. Rounds are interleaved and medians compared. Also, from memory alone: appends without
 * flush, and records read per second when recovering. Budgets: 64 threads >= 0.8 x (2); 1 thread:
 * <= 1.15 x the time of (3).
 *
 *   log [--seconds S] [--rounds N] [--dir DIR]
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clfs/clfs.h"
#include "sys/thread.h"

enum { RECORD_SIZE = 128, THREADS_MAX = 64, ROUNDS_MAX = 15, FILE_SIZE = 8 << 20 };
enum { BLOCK_SIZE = 64 << 10, CONTAINER_SIZE = 8 << 20, CONTAINERS = 4 };

static double seconds = 1.0;
static unsigned rounds = 5;
static const char *directory = "/var/tmp";

static void
must(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "bench-log: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- threads that count ---- */

struct worker {
    struct sys_thread *thread;
    void (*once)(void *subject);
    void *subject;
    uint64_t count;
    uint8_t apart[64];
};

static _Atomic bool is_over;

static void
worker_main(void *context)
{
    struct worker *worker = context;

    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        worker->once(worker->subject);
        worker->count++;
    }
}

/* How often a second that many threads together do 'once'. */
static double
rate(unsigned threads, void (*once)(void *subject), void *subject)
{
    static struct worker workers[THREADS_MAX];
    uint64_t start = sys_now(), count = 0;

    atomic_store(&is_over, false);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.once = once, .subject = subject};
        must(sys_thread_start("bench", worker_main, &workers[i], &workers[i].thread) == 0,
             "starting a thread");
    }
    usleep((useconds_t)(seconds * 1e6));
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < threads; i++) {
        sys_thread_join(workers[i].thread);
        count += workers[i].count;
    }
    return (double)count * 1e9 / (double)(sys_now() - start);
}

/* ---- what the machine can do ---- */

struct limit {
    int fd;
    _Atomic uint64_t offset;
    struct sys_mutex mutex;
    uint8_t *filling, *writing;
    size_t fill;
    uint64_t gathering;            /* number of the batch that fills now */
    _Atomic uint64_t done;         /* batches below it are durable */
    _Atomic uint32_t word, signal; /* bumped when a batch is done; when one has begun to fill */
    _Atomic bool is_stopping;
};

static int
zeroed_file(void)
{
    char path[PATH_MAX];
    uint8_t *zeros = calloc(1, FILE_SIZE);
    int fd;

    snprintf(path, sizeof(path), "%s/bench-log-limit", directory);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && zeros, "creating a file");
    must(pwrite(fd, zeros, FILE_SIZE, 0) == FILE_SIZE && fsync(fd) == 0, "filling a file");
    unlink(path);
    free(zeros);
    return fd;
}

static void
solo_once(void *subject)
{
    static const uint8_t block[4096];
    struct limit *limit = subject;
    uint64_t offset = atomic_fetch_add(&limit->offset, sizeof(block)) % FILE_SIZE;

    must(pwrite(limit->fd, block, sizeof(block), (off_t)offset) == sizeof(block), "pwrite");
    must(fdatasync(limit->fd) == 0, "fdatasync");
}

static void
writer_main(void *context)
{
    struct limit *limit = context;
    uint64_t offset = 0;

    for (;;) {
        uint32_t seen = atomic_load(&limit->signal);
        uint8_t *taken;
        size_t size;

        sys_mutex_lock(&limit->mutex);
        taken = limit->filling;
        size = (limit->fill + 511) & ~(size_t)511;
        if (size) {
            limit->filling = limit->writing;
            limit->writing = taken;
            limit->fill = 0;
            limit->gathering++;
        }
        sys_mutex_unlock(&limit->mutex);
        if (!size && limit->is_stopping)
            return;
        if (!size) {
            sys_wait(&limit->signal, seen, SYS_FOREVER);
            continue;
        }
        if (offset + size > FILE_SIZE)
            offset = 0;
        must(pwrite(limit->fd, taken, size, (off_t)offset) == (ssize_t)size, "pwrite");
        must(fdatasync(limit->fd) == 0, "fdatasync");
        offset += size;
        atomic_fetch_add(&limit->done, 1);
        atomic_fetch_add(&limit->word, 1);
        sys_wake(&limit->word, INT_MAX);
    }
}

static void
bare_once(void *subject)
{
    struct limit *limit = subject;
    uint8_t record[RECORD_SIZE] = {1};
    uint64_t mine;
    bool is_first;

    sys_mutex_lock(&limit->mutex);
    mine = limit->gathering;
    is_first = limit->fill == 0;
    memcpy(limit->filling + limit->fill, record, sizeof(record));
    limit->fill += sizeof(record);
    sys_mutex_unlock(&limit->mutex);
    if (is_first) {
        atomic_fetch_add(&limit->signal, 1);
        sys_wake(&limit->signal, 1);
    }
    for (;;) {
        uint32_t seen = atomic_load(&limit->word);

        if (atomic_load(&limit->done) > mine)
            return;
        sys_wait(&limit->word, seen, SYS_FOREVER);
    }
}

static double
measure_solo(unsigned threads)
{
    struct limit limit = {.fd = zeroed_file()};
    double result = rate(threads, solo_once, &limit);

    close(limit.fd);
    return result;
}

static double
measure_bare(unsigned threads)
{
    struct limit limit = {.fd = zeroed_file()};
    struct sys_thread *writer;
    double result;

    sys_mutex_init(&limit.mutex);
    limit.filling = calloc(THREADS_MAX + 4, RECORD_SIZE);
    limit.writing = calloc(THREADS_MAX + 4, RECORD_SIZE);
    must(limit.filling && limit.writing, "allocating");
    must(sys_thread_start("writer", writer_main, &limit, &writer) == 0, "starting a thread");
    result = rate(threads, bare_once, &limit);
    atomic_store(&limit.is_stopping, true);
    atomic_fetch_add(&limit.signal, 1);
    sys_wake(&limit.signal, 1);
    sys_thread_join(writer);
    free(limit.filling);
    free(limit.writing);
    sys_mutex_deinit(&limit.mutex);
    close(limit.fd);
    return result;
}

/* ---- the log ---- */

struct subject {
    struct clfs_log *log;
    struct clfs_area *area;
};

static uint64_t
append_some(struct subject *subject)
{
    static const uint8_t data[RECORD_SIZE];
    struct bytes part = bytes_of(data, sizeof(data));
    uint64_t lsn;

    for (;;) {
        NTSTATUS status =
            clfs_append(subject->area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn);
        struct clfs_info info;

        if (status == STATUS_SUCCESS)
            return lsn;
        must(status == STATUS_LOG_FULL, "clfs_append");
        must(clfs_flush(subject->area, 0, NULL) == STATUS_SUCCESS, "clfs_flush");
        clfs_log_info(subject->log, &info);
        status = clfs_advance_base(subject->area, info.flushed_lsn);
        must(status == STATUS_SUCCESS || status == STATUS_LOG_TAIL_INVALID, "clfs_advance_base");
    }
}

static void
log_once(void *subject)
{
    struct subject *it = subject;

    must(clfs_flush(it->area, append_some(it), NULL) == STATUS_SUCCESS, "clfs_flush");
}

static void
lazy_once(void *subject)
{
    struct subject *it = subject;

    append_some(it);
    must(clfs_write_behind(it->area) == STATUS_SUCCESS, "clfs_write_behind");
}

static void
subject_open(struct subject *subject)
{
    uint64_t size = CONTAINER_SIZE;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/bench-log-%d", directory, (int)getpid());
    must(clfs_log_open(sys_linux(), path, CLFS_CREATE_NEW, true, &subject->log) == 0, "open");
    must(clfs_log_add_containers(subject->log, CONTAINERS, &size, NULL) == 0, "add containers");
    must(clfs_area_create(subject->log, BLOCK_SIZE, &subject->area) == 0, "area");
}

static void
subject_close(struct subject *subject)
{
    must(clfs_area_destroy(subject->area) == 0, "area");
    must(clfs_log_delete(subject->log) == 0, "delete");
    must(clfs_log_close(subject->log) == 0, "close");
}

static double
measure_log(unsigned threads)
{
    struct subject subject;
    double result;

    subject_open(&subject);
    result = rate(threads, log_once, &subject);
    subject_close(&subject);
    return result;
}

static double
measure_lazy(unsigned threads)
{
    struct subject subject;
    double result;

    subject_open(&subject);
    result = rate(threads, lazy_once, &subject);
    subject_close(&subject);
    return result;
}

/* Records a second when reading forward, as recovery does; blocks of one record or full ones. */
static double
measure_read(bool one_per_block)
{
    struct subject subject;
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t start, count = 1;

    subject_open(&subject);
    for (int i = 0; i < 30000; i++) {
        append_some(&subject);
        if (one_per_block)
            must(clfs_write_out(subject.area) == 0, "write");
    }
    must(clfs_flush(subject.area, 0, NULL) == 0, "flush");
    struct clfs_info info;
    clfs_log_info(subject.log, &info);
    start = sys_now();
    must(clfs_read(subject.area, info.base_lsn, CLFS_FORWARD, &record, &reader) == 0, "read");
    while (clfs_read_next(reader, CLFS_ANY, NULL, &record) == STATUS_SUCCESS)
        count++;
    start = sys_now() - start;
    clfs_reader_destroy(reader);
    subject_close(&subject);
    return (double)count * 1e9 / (double)start;
}

/* ---- the table ---- */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *values, unsigned count)
{
    qsort(values, count, sizeof(values[0]), compare);
    return values[count / 2];
}

static void
options_read(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--dir") == 0)
            directory = argv[i + 1];
    }
    must(rounds > 0 && rounds <= ROUNDS_MAX, "reading the options");
}

int
main(int argc, char **argv)
{
    static const unsigned counts[] = {1, 8, 64};

    options_read(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%-8s %12s %12s %12s %10s %10s\n", "threads", "log/s", "bare/s", "solo/s", "log/bare",
           "log/solo");
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
        double log[ROUNDS_MAX], bare[ROUNDS_MAX], solo[ROUNDS_MAX], a, b, c;

        for (unsigned r = 0; r < rounds; r++) {
            log[r] = measure_log(counts[i]);
            bare[r] = measure_bare(counts[i]);
            solo[r] = measure_solo(counts[i]);
        }
        a = median(log, rounds);
        b = median(bare, rounds);
        c = median(solo, rounds);
        printf("%-8u %12.0f %12.0f %12.0f %10.3f %10.3f\n", counts[i], a, b, c, a / b, a / c);
    }
    printf("append without flush, 1 thread: %.0f/s, 8 threads: %.0f/s\n", measure_lazy(1),
           measure_lazy(8));
    printf("read forward: %.0f records/s from full blocks, %.0f from blocks of one record\n",
           measure_read(false), measure_read(true));
    return 0;
}
