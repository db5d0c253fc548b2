/* SPDX-License-Identifier: MIT */
/*
 * The document and the library agree: tools/logdump.py, written from docs/format/log.md alone,
 * finds in the files exactly the records the library reads, the same end, and the same damage.
 */
#include "tests/clfs/world.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

struct text {
    char *at;
    size_t size;
};

/* Runs logdump.py; *status: its exit status. */
static struct text
dumped(const char *path, int *status)
{
    const char *source = getenv("KTM_SOURCE");
    char command[1200];
    struct text text = {0};
    char chunk[4096];
    size_t got;
    FILE *pipe;

    if (system("command -v python3 >/dev/null 2>&1") != 0)
        SKIP("python3 is not here");
    snprintf(command, sizeof(command), "python3 '%s/tools/logdump.py' '%s' 2>/dev/null",
             source ? source : ".", path);
    pipe = popen(command, "r");
    EXPECT(pipe);
    while ((got = fread(chunk, 1, sizeof(chunk), pipe)) > 0) {
        text.at = realloc(text.at, text.size + got + 1);
        memcpy(text.at + text.size, chunk, got);
        text.size += got;
        text.at[text.size] = 0;
    }
    *status = WEXITSTATUS(pclose(pipe));
    return text;
}

static void
put_lsn(FILE *to, uint64_t lsn)
{
    if (lsn == CLFS_LSN_NONE)
        fputs("None", to);
    else
        fprintf(to, "%x:%x:%u", clfs_lsn_container(lsn), clfs_lsn_offset(lsn),
                clfs_lsn_sequence(lsn));
}

static void
put_record(FILE *to, const struct clfs_record *record)
{
    fputs(record->type == CLFS_RESTART ? "restart " : "data ", to);
    put_lsn(to, record->lsn);
    fputs(": previous ", to);
    put_lsn(to, record->previous);
    fputs(", undo-next ", to);
    put_lsn(to, record->undo_next);
    fputs(", ", to);
    for (size_t i = 0; i < record->data.size; i++)
        fprintf(to, "%02x", record->data.at[i]);
    fputc('\n', to);
}

/* What logdump.py should print about the records, by the library. */
static struct text
told(const char *path)
{
    struct text text = {0};
    FILE *to = open_memstream(&text.at, &text.size);
    struct clfs_log *log = NULL;
    struct clfs_area *area;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    struct clfs_info info;
    NTSTATUS status;

    EXPECT_OK(clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, false, &log));
    info = info_of(log);
    fputs("last            ", to);
    put_lsn(to, info.last_lsn);
    fputs("\nrestart         ", to);
    put_lsn(to, info.restart_lsn);
    fputc('\n', to);
    EXPECT_OK(clfs_area_create(log, 64 << 10, &area));
    status = clfs_read(area, info.base_lsn, CLFS_FORWARD, &record, &reader);
    while (status == STATUS_SUCCESS) {
        put_record(to, &record);
        status = clfs_read_next(reader, CLFS_ANY, NULL, &record);
    }
    EXPECT_STATUS(STATUS_END_OF_FILE, status);
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    fclose(to);
    return text;
}

static bool
is_compared(const char *line)
{
    return !strncmp(line, "last  ", 6) || !strncmp(line, "restart ", 8) ||
           !strncmp(line, "data ", 5);
}

/* The lines of 'all' that are compared are those of 'some'. */
static bool
has_lines(const char *all, const char *some)
{
    for (; *all; all = strchr(all, '\n') + 1) {
        size_t size = strcspn(all, "\n") + 1;

        if (!is_compared(all))
            continue;
        if (strncmp(all, some, size) != 0)
            return false;
        some += size;
    }
    return *some == 0;
}

static void
compare(const char *path)
{
    int status;
    struct text dump = dumped(path, &status), log;

    EXPECT_EQ(0, status);
    log = told(path);
    EXPECT(has_lines(dump.at, log.at));
    free(dump.at);
    free(log.at);
}

static void
append_many(struct clfs_area *area, unsigned count, size_t size)
{
    static uint8_t data[40000];
    uint64_t lsn = CLFS_LSN_NONE;

    for (unsigned i = 0; i < count; i++) {
        struct bytes part = bytes_of(data, size + i);
        memset(data, (int)i, size + i);
        EXPECT_OK(clfs_append(area, &part, 1, lsn, i % 2 ? lsn : CLFS_LSN_NONE, 0, &lsn));
        if (i % 3 == 0)
            EXPECT_OK(clfs_flush(area, 0, NULL));
    }
}

TEST(another_reader_finds_the_same_in_a_closed_log) /* CLFS-READ-44 */
{
    char path[512];
    struct clfs_log *log;
    struct clfs_area *area;
    uint64_t lsn;

    snprintf(path, sizeof(path), "%s/log", test_directory());
    log = log_with(sys_linux(), path, 3);
    area = area_of(log, 64 << 10);
    EXPECT_OK(clfs_log_close(log)); /* the area keeps it open */
    EXPECT_OK(clfs_area_destroy(area));
    compare(path); /* nothing in it */

    log = log_with(sys_linux(), path, 3);
    area = area_of(log, 64 << 10);
    append_many(area, 30, 30000); /* two containers */
    EXPECT_OK(clfs_write_restart(area, bytes_of("r", 1), CLFS_LSN_NONE, 0, &lsn));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    compare(path);

    log = log_with(sys_linux(), path, 3);
    area = area_of(log, 64 << 10);
    EXPECT_OK(clfs_advance_base(area, lsn));
    append_many(area, 30, 30000); /* and around */
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    compare(path);
}

/* In a process that dies with the log open. */
static void
die_in(void (*work)(struct clfs_area *area), const char *path)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct clfs_log *log = log_with(sys_linux(), path, 3);

        work(area_of(log, 64 << 10));
        _exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

static void
work_flushed(struct clfs_area *area)
{
    append_many(area, 31, 20000); /* into the second container; the last are forced */
    append_many(area, 2, 100);
    EXPECT_OK(clfs_write_out(area)); /* written, not forced */
    appended(area, "lost");
}

TEST(another_reader_finds_the_same_end_after_a_crash) /* CLFS-DUR-17, CLFS-DUR-22 */
{
    char path[512];

    snprintf(path, sizeof(path), "%s/log", test_directory());
    die_in(work_flushed, path);
    compare(path);
}

static void
corrupt(const char *path, const char *suffix, long offset)
{
    char name[600];
    uint8_t byte;
    int fd;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    fd = open(name, O_RDWR);
    EXPECT(fd >= 0);
    EXPECT_EQ(1, pread(fd, &byte, 1, offset));
    byte ^= 0x10;
    EXPECT_EQ(1, pwrite(fd, &byte, 1, offset));
    close(fd);
}

TEST(another_reader_sees_the_same_damage) /* CLFS-DUR-20, CLFS-HARD-13, CLFS-HARD-27 */
{
    static const struct {
        const char *suffix;
        long offset;
    } places[] = {
        {".c0001", 0x210}, {".c0001", 300000}, {".c0001", 8}, {".c0002", 20}, {".c0002", 0x230},
    };
    struct clfs_log *log = NULL;
    char path[512];
    int status;

    snprintf(path, sizeof(path), "%s/log", test_directory());
    die_in(work_flushed, path);
    EACH (place, places) {
        corrupt(path, place->suffix, place->offset);
        free(dumped(path, &status).at);
        EXPECT_EQ(1, status);
        EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT,
                      clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
        corrupt(path, place->suffix, place->offset); /* and back */
    }
    compare(path);
    corrupt(path, ".blf", 100); /* one copy of the metadata: the other serves */
    compare(path);
    corrupt(path, ".blf", 638976 + 100);
    free(dumped(path, &status).at);
    EXPECT_EQ(1, status);
    EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
}
