/* SPDX-License-Identifier: MIT */
/*
 * What does it cost to replace files together, beside replacing them one by one?
 *
 * Files of 4 KiB in one directory get new content. In one run, in turn, one client:
 *
 *   plain  What every careful program does for each file: write it under another name, fsync it,
 *          rename it, fsync the directory, which is where the name is. Two fsyncs a file, the plain
 *          ones that the change needs; a crash in between leaves some files old and some new.
 *   batch  The same work sorted: all are written and fsynced, all are renamed, one fsync of the
 *          directory. No more atomic; for information.
 *   ktm    ktm_file_put for each, ktm_file_commit: all or none, whatever dies in between. One
 *          file takes the same two forces; more take one each, one for the new names, one for the
 *          decision, one for the exchanged names. The budget is beside plain.
 *
 *   files [PART OF A NAME] [--seconds S] [--rounds N] [--dir DIR]
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "bench/support/bench.h"
#include "ktm_file.h"

enum { FILE_SIZE = 4096 };

struct shape {
    const char *name;
    unsigned files;
    char directory[PATH_MAX];
    int directory_fd;
    struct ktm_file_rm *rm;
};

static char content[FILE_SIZE];

static void
write_new(struct shape *shape, unsigned file)
{
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "%u.new", file);
    fd = openat(shape->directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bench_must(fd >= 0 && write(fd, content, FILE_SIZE) == FILE_SIZE && fsync(fd) == 0, name);
    close(fd);
}

static void
rename_new(struct shape *shape, unsigned file)
{
    char from[32], to[32];

    snprintf(from, sizeof(from), "%u.new", file);
    snprintf(to, sizeof(to), "%u", file);
    bench_must(renameat(shape->directory_fd, from, shape->directory_fd, to) == 0, from);
}

static void
directory_sync(struct shape *shape)
{
    bench_must(fsync(shape->directory_fd) == 0, "fsync of a directory");
}

static void
once_plain(void *context, unsigned client)
{
    struct shape *shape = context;

    (void)client;
    for (unsigned i = 0; i < shape->files; i++) {
        write_new(shape, i);
        rename_new(shape, i);
        directory_sync(shape);
    }
}

static void
once_batch(void *context, unsigned client)
{
    struct shape *shape = context;

    (void)client;
    for (unsigned i = 0; i < shape->files; i++)
        write_new(shape, i);
    for (unsigned i = 0; i < shape->files; i++)
        rename_new(shape, i);
    directory_sync(shape);
}

static void
once_ktm(void *context, unsigned client)
{
    struct shape *shape = context;
    struct ktm_file_tx *tx;
    char path[PATH_MAX + 32];

    (void)client;
    bench_must(ktm_file_begin(shape->rm, NULL, &tx) == STATUS_SUCCESS, "ktm_file_begin");
    for (unsigned i = 0; i < shape->files; i++) {
        snprintf(path, sizeof(path), "%s/%u", shape->directory, i);
        bench_must(ktm_file_put(tx, path, KTM_FILE_MODE_KEEP, ktm_file_bytes(content, FILE_SIZE)) ==
                       STATUS_SUCCESS,
                   path);
    }
    bench_must(ktm_file_commit(tx) == STATUS_SUCCESS, "ktm_file_commit");
    ktm_file_close(tx);
}

static void
compare(struct shape *shape)
{
    static const struct bench_arm arms[] = {
        {"plain", once_plain}, {"batch", once_batch}, {"ktm", once_ktm}};
    const struct bench_comparison comparison = {.name = shape->name,
                                                .clients = 1,
                                                .budget = "<= 1.3",
                                                .ratio_max = 1.3,
                                                .arms = arms,
                                                .arm_count = ARRAY_SIZE(arms),
                                                .context = shape};

    (void)bench_compare(&comparison);
}

int
main(int argc, char **argv)
{
    static struct shape shapes[] = {
        {.name = "1 file", .files = 1},
        {.name = "2 files", .files = 2},
        {.name = "10 files", .files = 10},
    };
    struct bench_options options =
        bench_start(argc, argv, (struct bench_options){.seconds = 0.25, .rounds = 15});
    struct ktm_file_rm *rm = NULL;
    char home[PATH_MAX], why[512] = "";
    int log = bench_preallocated(1 << 20);

    snprintf(home, sizeof(home), "%.4000s/home", options.directory);
    if (ktm_file_open(NULL, home, NULL, why, sizeof(why), &rm) != STATUS_SUCCESS)
        return fprintf(stderr, "bench: %s\n", why), 1;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        struct shape *shape = &shapes[i];

        if (options.only && !strstr(shape->name, options.only))
            continue;
        snprintf(shape->directory, sizeof(shape->directory), "%.4000s/%u", options.directory,
                 shape->files);
        bench_must(mkdir(shape->directory, 0755) == 0, shape->directory);
        shape->directory_fd = open(shape->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        shape->rm = rm;
        once_plain(shape, 0); /* they are there before */
        bench_limit(log, shape->name);
        compare(shape);
        close(shape->directory_fd);
    }
    ktm_file_shut(rm);
    return bench_end();
}
