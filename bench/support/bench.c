/* SPDX-License-Identifier: MIT */
/* Interleaved comparisons, and their table. */
#include "bench/support/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FORCES 21

static struct bench_options options;
static char directory[PATH_MAX];
static pid_t process;
static FILE *json;
static bool has_missed;

void
bench_must(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "bench: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

double
bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- beginning and end ---- */

static void
remove_directory(void)
{
    char command[PATH_MAX + 32];

    if (getpid() != process)
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    if (system(command) != 0) /* NOLINT(cert-env33-c): our own words */
        fprintf(stderr, "bench: '%s' was not removed\n", directory);
}

struct bench_options
bench_start(int argc, char **argv, struct bench_options defaults)
{
    const char *file = getenv("KTM_BENCH_JSON"), *parent = "/var/tmp";

    options = defaults;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            options.only = argv[i];
        else if (i + 1 < argc && !strcmp(argv[i], "--seconds"))
            options.seconds = atof(argv[++i]);
        else if (i + 1 < argc && !strcmp(argv[i], "--rounds"))
            options.rounds = (unsigned)atoi(argv[++i]);
        else if (i + 1 < argc && !strcmp(argv[i], "--dir"))
            parent = argv[++i];
    }
    if (options.rounds < 1 || options.rounds > BENCH_ROUNDS_MAX || options.seconds <= 0) {
        fprintf(stderr, "bench: rounds 1..%d, seconds > 0\n", BENCH_ROUNDS_MAX);
        exit(2);
    }
    snprintf(directory, sizeof(directory), "%.4000s/ktm-bench-XXXXXX", parent);
    bench_must(mkdtemp(directory) != NULL, parent);
    process = getpid();
    atexit(remove_directory);
    options.directory = directory;
    json = file ? fopen(file, "w") : NULL;
    bench_must(!file || json, "opening the file of results");
    if (json)
        fprintf(json, "{");
    return options;
}

static void
json_name(const char *name)
{
    fprintf(json, "%s\n \"%s\":", ftell(json) > 1 ? "," : "", name);
}

int
bench_end(void)
{
    if (json) {
        fprintf(json, "}\n");
        bench_must(fclose(json) == 0, "writing the file of results");
    }
    return has_missed;
}

/* ---- the machine's limit ---- */

int
bench_preallocated(uint64_t size)
{
    char path[PATH_MAX + 16];
    int fd;

    snprintf(path, sizeof(path), "%s/zeros", directory);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bench_must(fd >= 0, path);
    for (uint64_t at = 0; at < size; at += 4096) {
        static const char zeros[4096];

        bench_must(pwrite(fd, zeros, sizeof(zeros), (off_t)at) == sizeof(zeros), "pwrite");
    }
    bench_must(fsync(fd) == 0, "fsync");
    unlink(path);
    return fd;
}

static int
ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void
bench_limit(int fd, const char *before)
{
    static const char block[4096] = "x";
    double times[FORCES];
    char name[128];

    for (int i = 0; i < FORCES; i++) {
        double start = bench_now();

        bench_must(pwrite(fd, block, sizeof(block), 4096L * i) == sizeof(block), "pwrite");
        bench_must(fdatasync(fd) == 0, "fdatasync");
        times[i] = bench_now() - start;
    }
    qsort(times, FORCES, sizeof(*times), ascending);
    printf("limit: fdatasync of 4 KiB takes %.0f us now\n", times[FORCES / 2] * 1e6);
    if (!json)
        return;
    snprintf(name, sizeof(name), "fdatasync before %s", before);
    json_name(name);
    fprintf(json, "{\"us\":%.1f}", times[FORCES / 2] * 1e6);
}

/* ---- slices ---- */

struct client {
    pthread_t thread;
    const struct bench_arm *arm;
    void *context;
    unsigned number;
    uint64_t count;
    uint8_t apart[64];
};

static _Atomic bool is_over;

static void *
client_main(void *argument)
{
    struct client *client = argument;

    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        client->arm->once(client->context, client->number);
        client->count++;
    }
    return NULL;
}

/* Microseconds of a transaction: as its client sees it; of all processors, by whoever works. */
struct cost {
    double time, work;
};

/* Microseconds that the processors have not been idle since the machine was started. */
static double
worked(void)
{
    FILE *file = fopen("/proc/stat", "r");
    unsigned long long ticks[8] = {0}, sum = 0;

    if (!file)
        return 0;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6]) == 7)
        sum = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]; /* not idle, not waiting */
    fclose(file);
    return (double)sum * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static struct cost
slice(const struct bench_comparison *comparison, const struct bench_arm *arm, double seconds)
{
    static struct client clients[BENCH_CLIENTS_MAX];
    uint64_t count = 0;
    double start, work;

    atomic_store(&is_over, false);
    work = worked();
    start = bench_now();
    for (unsigned i = 0; i < comparison->clients; i++) {
        clients[i] = (struct client){.arm = arm, .context = comparison->context, .number = i};
        bench_must(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) == 0,
                   "pthread_create");
    }
    usleep((useconds_t)(seconds * 1e6));
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < comparison->clients; i++) {
        pthread_join(clients[i].thread, NULL);
        count += clients[i].count;
    }
    return (struct cost){.time = (bench_now() - start) * 1e6 * comparison->clients / (double)count,
                         .work = (worked() - work) / (double)count};
}

/* ---- comparing ---- */

struct spread {
    double low, median, high; /* quartiles */
};

static struct spread
spread_of(const double *values, unsigned count)
{
    double sorted[BENCH_ROUNDS_MAX];

    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), ascending);
    return (struct spread){sorted[count / 4], sorted[count / 2], sorted[count - 1 - count / 4]};
}

static void
print_arm(const struct bench_comparison *comparison, unsigned arm, struct spread time, double work,
          struct spread ratio, bool is_met)
{
    bool is_last = arm + 1 == comparison->arm_count;
    char name[128];

    snprintf(name, sizeof(name), "%s, %u client%s: %s", comparison->name, comparison->clients,
             comparison->clients == 1 ? "" : "s", comparison->arms[arm].name);
    printf("%-66s %9.0f %9.0f %9.0f %7.3f  %.2f..%.2f", name, time.median, work,
           comparison->clients * 1e6 / time.median, ratio.median, ratio.low, ratio.high);
    if (is_last && comparison->budget)
        printf("  %s %s", comparison->budget, is_met ? "met" : "MISSED");
    printf("\n");
    if (!json)
        return;
    json_name(name);
    fprintf(json,
            "{\"us\":%.1f, \"work_us\":%.1f, \"ratio\":%.3f, \"ratio_low\":%.3f, "
            "\"ratio_high\":%.3f}",
            time.median, work, ratio.median, ratio.low, ratio.high);
}

bool
bench_compare(const struct bench_comparison *comparison)
{
    static double times[BENCH_ARMS_MAX][BENCH_ROUNDS_MAX], works[BENCH_ARMS_MAX][BENCH_ROUNDS_MAX];
    static bool has_title;
    unsigned count = comparison->arm_count;
    bool is_met = true;

    for (unsigned arm = 0; arm < count; arm++) /* connections, caches */
        slice(comparison, &comparison->arms[arm], options.seconds / 4);
    for (unsigned round = 0; round < options.rounds; round++)
        for (unsigned i = 0; i < count; i++) {
            unsigned arm = (round + i) % count;

            struct cost cost = slice(comparison, &comparison->arms[arm], options.seconds);

            times[arm][round] = cost.time;
            works[arm][round] = cost.work;
        }
    if (!has_title)
        printf("%-66s %9s %9s %9s %7s  %s\n", "", "us", "work us", "1/s", "ratio", "quartiles");
    has_title = true;
    for (unsigned arm = 0; arm < count; arm++) {
        double ratios[BENCH_ROUNDS_MAX];
        struct spread ratio;

        for (unsigned round = 0; round < options.rounds; round++)
            ratios[round] = times[arm][round] / times[0][round];
        ratio = spread_of(ratios, options.rounds);
        is_met = !comparison->budget || ratio.median <= comparison->ratio_max;
        print_arm(comparison, arm, spread_of(times[arm], options.rounds),
                  spread_of(works[arm], options.rounds).median, ratio, is_met);
    }
    fflush(stdout);
    has_missed = has_missed || !is_met;
    return is_met;
}
