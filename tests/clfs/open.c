/* SPDX-License-Identifier: MIT */
/* Opening, sharing, closing and deleting logs; adding containers; two processes; foreign files. */
#include "tests/clfs/world.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
here(const char *name)
{
    static char paths[4][600];
    static unsigned turn;
    char *path = paths[turn++ % ARRAY_SIZE(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", test_directory(), name);
    return path;
}

static bool
exists(const char *name)
{
    return access(here(name), F_OK) == 0;
}

static NTSTATUS
open_status(const char *name, enum clfs_disposition disposition, bool writable)
{
    struct clfs_log *log = NULL;
    NTSTATUS status = clfs_log_open(sys_linux(), here(name), disposition, writable, &log);

    EXPECT(!log == (status != STATUS_SUCCESS));
    return status == STATUS_SUCCESS ? clfs_log_close(log) : status;
}

/* ---- dispositions ---- */

TEST(dispositions_say_what_may_be_there) /* CLFS-CREATE-01 -03 -04 -05 -08 -09 */
{
    struct clfs_log *log = NULL;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, open_status("log", 0, true));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, open_status("log", 2, true));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, open_status("log", 5, true));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status("log", CLFS_OPEN_EXISTING, true));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status("log", CLFS_OPEN_EXISTING, false));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status("no/log", CLFS_OPEN_EXISTING, true));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status("no/log", CLFS_OPEN_ALWAYS, true));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status("no/log", CLFS_CREATE_NEW, true));
    EXPECT(!exists("log.blf") && !exists("log.blf.new"));
    EXPECT_OK(open_status("log", CLFS_CREATE_NEW, true));
    EXPECT(exists("log.blf") && !exists("log.blf.new")); /* CLFS-NAME-07 */
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("log", CLFS_CREATE_NEW, true));
    EXPECT_OK(open_status("log", CLFS_OPEN_EXISTING, true));
    EXPECT_OK(open_status("log", CLFS_OPEN_ALWAYS, false));
    EXPECT_OK(open_status("log.blf", CLFS_OPEN_ALWAYS, true)); /* CLFS-NAME-08 */
    EXPECT(exists("log.blf.blf"));

    log = log_with(sys_linux(), here("log"), 2);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("log", CLFS_CREATE_NEW, true));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  open_status("../x/log", CLFS_CREATE_NEW, true) == STATUS_OBJECT_PATH_NOT_FOUND
                      ? STATUS_OBJECT_NAME_COLLISION
                      : STATUS_SUCCESS);
    EXPECT_OK(clfs_log_close(log));
}

TEST(a_new_log_is_empty_and_has_an_identity_of_its_own) /* CLFS-CREATE-10 CLFS-INFO-16 -18 -20 */
{
    struct clfs_log *a = NULL, *b = NULL;
    struct clfs_info info;
    struct stat mode;

    EXPECT_OK(clfs_log_open(sys_linux(), here("a"), CLFS_CREATE_NEW, true, &a));
    EXPECT_OK(clfs_log_open(sys_linux(), here("b"), CLFS_CREATE_NEW, true, &b));
    info = info_of(a);
    EXPECT(info.containers == 0 && info.container_size == 0 && info.current_available == 0);
    EXPECT(info.base_lsn == 0 && info.last_lsn == 0 && info.restart_lsn == CLFS_LSN_NONE);
    EXPECT(!guid_is_zero(&info.identity));
    EXPECT_EQ(4, info.identity.Data3 >> 12); /* version 4 */
    EXPECT(!guid_equal(&info.identity, &(GUID){0}));
    EXPECT(memcmp(&info.identity, &(struct clfs_info){.identity = info_of(b).identity}.identity,
                  sizeof(GUID)) != 0);
    EXPECT_EQ(0, stat(here("a.blf"), &mode));
    EXPECT_EQ(0600, mode.st_mode & 0777); /* CLFS-SEC-08 */
    EXPECT_OK(clfs_log_close(a));
    EXPECT_OK(clfs_log_close(b));
}

/* ---- what is there instead of a log ---- */

static void
put_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(here(name), "wb");

    EXPECT(file);
    EXPECT_EQ(size, fwrite(data, 1, size, file));
    fclose(file);
}

TEST(what_is_no_log_is_refused_and_left_alone) /* CLFS-CREATE-32 CLFS-HARD-10 -11 -12 */
{
    static uint8_t large[1277952 + 1];
    static const struct {
        size_t size;
        int byte;
    } files[] = {{0, 0},       {1, 'x'},       {511, 0},       {512, 0},           {5000, 'x'},
                 {1277952, 0}, {1277952, 255}, {1277951, 'x'}, {sizeof(large), 0}, {1277952, 'K'}};
    NTSTATUS status;
    struct stat after;

    EACH (it, files) {
        memset(large, it->byte, sizeof(large));
        put_file("x.blf", large, it->size);
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, open_status("x", CLFS_OPEN_EXISTING, true));
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, open_status("x", CLFS_OPEN_ALWAYS, true));
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, open_status("x", CLFS_OPEN_ALWAYS, false));
        EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("x", CLFS_CREATE_NEW, true));
        EXPECT_EQ(0, stat(here("x.blf"), &after));
        EXPECT_EQ(it->size, after.st_size);
    }
    EXPECT_EQ(0, unlink(here("x.blf")));
    EXPECT_EQ(0, mkdir(here("x.blf"), 0700));
    status = open_status("x", CLFS_OPEN_ALWAYS, true);
    EXPECT(status == STATUS_LOG_METADATA_CORRUPT || status == STATUS_ACCESS_DENIED);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("x", CLFS_CREATE_NEW, true));
    EXPECT_EQ(0, rmdir(here("x.blf")));
    EXPECT_EQ(0, mkfifo(here("x.blf"), 0600));
    EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, open_status("x", CLFS_OPEN_ALWAYS, true));
    EXPECT_EQ(0, unlink(here("x.blf")));
    EXPECT_OK(open_status("real", CLFS_CREATE_NEW, true));
    EXPECT_EQ(0, symlink(here("real.blf"), here("x.blf")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, open_status("x", CLFS_OPEN_ALWAYS, true));
    EXPECT_EQ(0, unlink(here("x.blf")));
    EXPECT_EQ(0, symlink(here("nowhere"), here("x.blf")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, open_status("x", CLFS_OPEN_ALWAYS, true));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("x", CLFS_CREATE_NEW, true));
    EXPECT(!exists("nowhere"));
}

TEST(an_unfinished_creation_is_no_obstacle) /* CLFS-CREATE-31 */
{
    uint8_t zeros[4096] = {0};

    put_file("log.blf.new", zeros, sizeof(zeros)); /* a crash while it was being filled */
    EXPECT_OK(open_status("log", CLFS_CREATE_NEW, true));
    EXPECT(!exists("log.blf.new"));
    put_file("other.blf.new", "a stranger's file", 17);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status("other", CLFS_OPEN_ALWAYS, true));
    EXPECT(exists("other.blf.new"));
}

/* ---- containers ---- */

TEST(containers_get_sizes_and_names) /* CLFS-CONT-01..09 -14 CLFS-NAME-09 CLFS-LIMIT-01 */
{
    struct clfs_log *log = NULL;
    uint64_t size = 1;
    struct stat file;
    const char *paths[] = {here("sub/here"), "there"};

    EXPECT_OK(clfs_log_open(sys_linux(), here("log"), CLFS_CREATE_NEW, true, &log));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_log_add_containers(log, 0, &size, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_log_add_containers(log, 1, NULL, NULL));
    size = (UINT64_C(4) << 30) + 1;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_log_add_containers(log, 1, &size, NULL));
    size = UINT64_MAX;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_log_add_containers(log, 1, &size, NULL));
    size = CONTAINER + 1;
    EXPECT_OK(clfs_log_add_containers(log, 1, &size, NULL));
    EXPECT_EQ(2 * CONTAINER, size);
    EXPECT_EQ(0, stat(here("log.c0001"), &file));
    EXPECT_EQ(2 * CONTAINER, file.st_size);
    EXPECT_EQ(0600, file.st_mode & 0777);
    EXPECT((uint64_t)file.st_blocks * 512 >= 2 * CONTAINER); /* really allocated */
    size = CONTAINER;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_log_add_containers(log, 1, &size, NULL));
    size = 9 * CONTAINER;
    EXPECT_OK(clfs_log_add_containers(log, 1, &size, NULL));
    EXPECT_EQ(2 * CONTAINER, size);
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, clfs_log_add_containers(log, 2, NULL, paths));
    EXPECT(!exists("there") && info_of(log).containers == 2); /* CLFS-CONT-12 -13 */
    EXPECT_EQ(0, mkdir(here("sub"), 0700));
    paths[0] = here("sub/here");
    EXPECT_OK(clfs_log_add_containers(log, 2, NULL, paths));
    EXPECT(exists("there") && exists("sub/here"));
    EXPECT_EQ(4, info_of(log).containers);
    EXPECT_EQ(8 * CONTAINER, info_of(log).total_available);
    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(clfs_log_open(sys_linux(), here("log"), CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(4, info_of(log).containers); /* CLFS-CONT-19 */
    EXPECT_OK(clfs_log_close(log));
}

TEST(containers_never_take_what_is_there) /* CLFS-CONT-10 -11 -12 -13 */
{
    struct clfs_log *log = log_with(sys_linux(), here("log"), 2);
    static const char *const sets[][2] = {{"new", "new"},
                                          {"new", "stranger"},
                                          {"new", "log.c0001"},
                                          {"new", "log.blf"},
                                          {"new", "dir"}};
    struct clfs_log *again = NULL;
    struct stat before, after;

    put_file("stranger", "hello", 5);
    EXPECT_EQ(0, mkdir(here("dir"), 0700));
    EXPECT_EQ(0, stat(here("log.blf"), &before));
    EACH (set, sets) {
        EXPECT_STATUS(set == sets ? STATUS_DUPLICATE_NAME : STATUS_OBJECT_NAME_COLLISION,
                      clfs_log_add_containers(log, 2, NULL, *set));
        EXPECT(!exists("new") && !exists("new.new"));
        EXPECT_EQ(2, info_of(log).containers);
    }
    EXPECT_EQ(0, stat(here("log.blf"), &after));
    EXPECT_EQ(before.st_ino, after.st_ino);
    EXPECT(exists("stranger"));
    /* Looking at the base file under its name must not have given up its lock. */
    EXPECT_OK(clfs_log_open(sys_linux(), here("log"), CLFS_OPEN_EXISTING, true, &again));
    if (fork() == 0)
        _exit(open_status("log", CLFS_OPEN_EXISTING, false) == STATUS_SHARING_VIOLATION ? 0 : 1);
    int status;
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_OK(clfs_log_close(again));
    EXPECT_OK(clfs_log_close(log));
}

TEST(container_paths_stay_inside) /* CLFS-NAME-17 -18 -19 */
{
    static const char *const bad[] = {"../x", "a/../b", "./x", "x/", "a//b", "/../x", ".."};
    struct clfs_log *log = log_with(sys_linux(), here("log"), 2);
    char longest[600];
    const char *path = longest;

    EACH (it, bad)
        EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, clfs_log_add_containers(log, 1, NULL, it));
    path = "";
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, clfs_log_add_containers(log, 1, NULL, &path));
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    path = longest;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, clfs_log_add_containers(log, 1, NULL, &path));
    EXPECT_EQ(2, info_of(log).containers);
    EXPECT_OK(clfs_log_close(log));
}

TEST(what_a_crash_left_of_an_addition_is_no_obstacle) /* CLFS-CONT-13 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    static const char *const names[] = {"one", "two", "three"};
    bool was_cut = true;

    for (uint64_t n = 1; was_cut; n++) {
        struct clfs_log *log = NULL;
        uint64_t size = CONTAINER;
        char path[32];

        snprintf(path, sizeof(path), "/d%llu", (unsigned long long)n);
        EXPECT_OK(sys_directory_make(process, path));
        strcat(path, "/log");
        EXPECT_OK(clfs_log_open(process, path, CLFS_CREATE_NEW, true, &log));
        sys_sim_cut_after(sim, n, n % 2 ? SIM_CUT_BEFORE : SIM_CUT_AFTER);
        (void)!clfs_log_add_containers(log, 3, &size, names);
        was_cut = !sys_sim_has_power(sim);
        sys_sim_cut_after(sim, 0, SIM_CUT_BEFORE);
        if (was_cut)
            sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
        (void)!clfs_log_close(log);
        /* The same program runs again: what is not there is added under the same names. */
        EXPECT_OK(clfs_log_open(process, path, CLFS_OPEN_EXISTING, true, &log));
        if (info_of(log).containers == 0)
            EXPECT_OK(clfs_log_add_containers(log, 3, &size, names));
        EXPECT_EQ(3, info_of(log).containers);
        EXPECT_OK(clfs_log_close(log));
    }
    sys_sim_destroy(sim);
}

TEST(a_strangers_file_only_moves_the_default_name) /* docs/format/log.md section 1 */
{
    struct clfs_log *log = NULL;
    uint64_t size = CONTAINER;

    put_file("log.c0001", "stranger", 8);
    put_file("log.c0003", "stranger", 8);
    EXPECT_OK(clfs_log_open(sys_linux(), here("log"), CLFS_CREATE_NEW, true, &log));
    EXPECT_OK(clfs_log_add_containers(log, 3, &size, NULL));
    EXPECT(exists("log.c0002") && exists("log.c0004") && exists("log.c0005"));
    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(open_status("log", CLFS_OPEN_EXISTING, true));
}

TEST(there_are_at_most_1023_containers) /* CLFS-CONT-15 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct clfs_log *log = log_with(sys_sim_process(sim), "/log", 2);
    uint64_t size = 0;

    EXPECT_STATUS(STATUS_LOG_CONTAINER_LIMIT_EXCEEDED,
                  clfs_log_add_containers(log, 1022, &size, NULL));
    EXPECT_STATUS(STATUS_LOG_CONTAINER_LIMIT_EXCEEDED,
                  clfs_log_add_containers(log, UINT32_MAX, &size, NULL));
    EXPECT_EQ(2, info_of(log).containers);
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

TEST(a_full_disk_is_met_when_containers_are_added_not_later) /* CLFS-CONT-08 CLFS-HARD-41 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 2);
    struct clfs_area *area = area_of(log, BLOCK);
    uint64_t size = 0, lsn;

    sys_sim_set_capacity(sim, sys_sim_used(sim) + CONTAINER / 2);
    EXPECT_STATUS(STATUS_DISK_FULL, clfs_log_add_containers(log, 2, &size, NULL));
    EXPECT_EQ(2, info_of(log).containers);
    sys_sim_set_capacity(sim, sys_sim_used(sim));
    (void)fill_log(area, 3000, &lsn); /* no container grows, nor does the base file */
    EXPECT_OK(clfs_flush(area, 0, NULL));
    EXPECT_OK(clfs_write_restart(area, bytes_of("r", 1), lsn, 0, &lsn));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

/* ---- sharing ---- */

TEST(openers_of_one_log_share_it_under_any_name) /* CLFS-MODEL-04 CLFS-CLOSE-02 CLFS-CREATE-02 */
{
    struct clfs_log *a = log_with(sys_linux(), here("log"), 2), *b = NULL, *c = NULL;
    struct clfs_area *area;
    char other[700];
    uint64_t lsn;

    snprintf(other, sizeof(other), "%s/../%s/log", test_directory(),
             strrchr(test_directory(), '/') + 1);
    EXPECT_OK(clfs_log_open(sys_linux(), other, CLFS_OPEN_EXISTING, false, &b));
    EXPECT_OK(clfs_log_open(sys_linux(), other, CLFS_OPEN_ALWAYS, true, &c));
    EXPECT(a != b && clfs_log_physical(a) == clfs_log_physical(b));
    EXPECT(clfs_log_physical(a) == clfs_log_physical(c));
    EXPECT(!info_of(b).is_writable && info_of(c).is_writable);
    area = area_of(c, BLOCK);
    lsn = appended(area, "x");
    EXPECT_EQ(lsn + 1, info_of(b).last_lsn);
    EXPECT_OK(clfs_log_close(a));
    EXPECT_OK(clfs_log_close(c));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_EQ(lsn + 1, info_of(b).flushed_lsn);
    if (fork() == 0) /* still locked, though descriptors of it have come and gone */
        _exit(open_status("log", CLFS_OPEN_EXISTING, true) == STATUS_SHARING_VIOLATION ? 0 : 1);
    int status;
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_OK(clfs_log_close(b));
}

TEST(a_log_opened_for_reading_becomes_writable) /* CLFS-DUR-22 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 2), *writer = NULL;
    struct clfs_area *area = area_of(log, BLOCK);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a = appended(area, "a"), operations;

    EXPECT_OK(clfs_flush(area, a, NULL));
    appended(area, "b");
    EXPECT_OK(clfs_write_out(area));
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    operations = sys_sim_counts(sim, NULL).operations;
    EXPECT_OK(clfs_log_open(process, "/log", CLFS_OPEN_EXISTING, false, &log));
    area = area_of(log, BLOCK);
    EXPECT_OK(clfs_read(area, a, CLFS_FORWARD, &record, &reader));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record_is(&record, "b"));
    EXPECT_EQ(operations, sys_sim_counts(sim, NULL).operations); /* nothing was written */
    EXPECT_OK(clfs_log_open(process, "/log", CLFS_OPEN_EXISTING, true, &writer));
    EXPECT(sys_sim_counts(sim, NULL).operations > operations);
    EXPECT_OK(clfs_area_destroy(area));
    area = area_of(writer, BLOCK);
    appended(area, "c");
    EXPECT_OK(clfs_flush(area, 0, NULL));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record_is(&record, "c"));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(writer));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

/* A process that waits for a byte, tries to open the log, and tells the status. */
static pid_t
rival_start(int go[2], int told[2])
{
    pid_t child;

    (void)test_directory(); /* the same one for both */
    EXPECT_EQ(0, pipe(go));
    EXPECT_EQ(0, pipe(told));
    child = fork();
    if (child == 0) {
        char byte;

        close(go[1]);
        while (read(go[0], &byte, 1) == 1) {
            NTSTATUS status = open_status("log", CLFS_OPEN_EXISTING, byte == 'w');
            if (write(told[1], &status, sizeof(status)) != sizeof(status))
                break;
        }
        _exit(0);
    }
    close(go[0]);
    close(told[1]);
    return child;
}

static NTSTATUS
rival_tries(const int go[2], const int told[2], char how)
{
    NTSTATUS status = -1;

    EXPECT_EQ(1, write(go[1], &how, 1));
    EXPECT_EQ(sizeof(status), read(told[0], &status, sizeof(status)));
    return status;
}

TEST(one_process_at_a_time) /* CLFS-CONC-13 OP-21 */
{
    int go[2], told[2], status;
    pid_t child = rival_start(go, told);
    struct clfs_log *log = log_with(sys_linux(), here("log"), 2);

    EXPECT_STATUS(STATUS_SHARING_VIOLATION, rival_tries(go, told, 'w'));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, rival_tries(go, told, 'r'));
    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(rival_tries(go, told, 'w'));
    close(go[1]);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    close(told[0]);
}

TEST(a_process_that_dies_lets_go_of_its_log) /* CLFS-CONC-13 */
{
    int ready[2], status;
    char byte;
    pid_t child;

    (void)test_directory();
    EXPECT_EQ(0, pipe(ready));
    child = fork();
    if (child == 0) {
        struct clfs_log *log = log_with(sys_linux(), here("log"), 2);
        struct clfs_area *area = area_of(log, BLOCK);

        appended(area, "kept");
        EXPECT_OK(clfs_flush(area, 0, NULL));
        appended(area, "lost");
        EXPECT_EQ(1, write(ready[1], "x", 1));
        pause();
    }
    EXPECT_EQ(1, read(ready[0], &byte, 1));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, open_status("log", CLFS_OPEN_EXISTING, true));
    EXPECT_EQ(0, kill(child, SIGKILL));
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_OK(open_status("log", CLFS_OPEN_EXISTING, true));
}

TEST(a_forked_child_has_no_part_in_its_parents_log) /* CLFS-CONC-13 */
{
    struct clfs_log *log = log_with(sys_linux(), here("log"), 2);
    struct clfs_area *area = area_of(log, BLOCK);
    uint64_t lsn = appended(area, "parent's");
    int status;

    if (fork() == 0) {
        struct clfs_log *other = NULL;

        EXPECT_STATUS(STATUS_SHARING_VIOLATION,
                      clfs_log_open(sys_linux(), here("log"), CLFS_OPEN_EXISTING, false, &other));
        EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_flush(area, lsn, NULL));
        _exit(0);
    }
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_OK(clfs_flush(area, lsn, NULL));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}

/* ---- closing and deleting ---- */

TEST(an_orderly_close_leaves_nothing_to_recover) /* CLFS-CLOSE-03 CLFS-KTM-03 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct sys_sim_counts before;
    uint64_t lsn = appended(area, "x");

    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(clfs_log_close(NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    before = sys_sim_counts(sim, "/log.c0001");
    log = log_with(process, "/log", 2);
    EXPECT_EQ(lsn + 1, info_of(log).last_lsn);
    EXPECT_EQ(before.writes, sys_sim_counts(sim, "/log.c0001").writes);
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

TEST(
    a_deleted_log_goes_with_its_last_opener) /* CLFS-DELETE-01 -02 -03 -06 -09 -10 CLFS-CREATE-30 */
{
    struct clfs_log *a = log_with(sys_linux(), here("log"), 3), *b = NULL, *c = NULL;
    struct clfs_area *area;

    EXPECT_OK(clfs_log_open(sys_linux(), here("log"), CLFS_OPEN_EXISTING, true, &b));
    EXPECT_OK(clfs_log_delete(a));
    EXPECT_OK(clfs_log_delete(b));
    EXPECT_STATUS(STATUS_DELETE_PENDING,
                  clfs_log_open(sys_linux(), here("log"), CLFS_OPEN_ALWAYS, true, &c));
    EXPECT_OK(clfs_log_close(a));
    area = area_of(b, BLOCK); /* it keeps working */
    EXPECT(appended(area, "x") > 0);
    EXPECT_OK(clfs_flush(area, 0, NULL));
    EXPECT_OK(clfs_log_close(b));
    EXPECT(exists("log.blf"));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT(!exists("log.blf") && !exists("log.c0001") && !exists("log.c0003"));
    a = log_with(sys_linux(), here("log"), 2); /* the name is free */
    EXPECT_EQ(clfs_lsn_make(0, 512, 0), info_of(a).last_lsn);
    EXPECT_OK(clfs_log_close(a));
}

TEST(a_crash_while_deleting_leaves_a_log_or_orphans) /* CLFS-DELETE-11 -12 */
{
    bool was_cut = true;

    for (uint64_t n = 1; was_cut; n++) {
        struct sys_sim *sim = sys_sim_create(n);
        struct sys *process = sys_sim_process(sim);
        struct clfs_log *log = log_with(process, "/log", 2);
        struct clfs_area *area = area_of(log, BLOCK);
        NTSTATUS status;

        appended(area, "x");
        EXPECT_OK(clfs_area_destroy(area));
        EXPECT_OK(clfs_log_delete(log));
        sys_sim_cut_after(sim, n, n % 3);
        (void)!clfs_log_close(log);
        was_cut = !sys_sim_has_power(sim);
        sys_sim_power_on(sim, n % 2 ? SIM_KEEP_SUBSET : SIM_KEEP_NOTHING, n);
        status = clfs_log_open(process, "/log", CLFS_OPEN_EXISTING, true, &log);
        if (status != STATUS_OBJECT_NAME_NOT_FOUND) {
            EXPECT_OK(status);
            EXPECT_EQ(2, info_of(log).containers);
            EXPECT_OK(clfs_log_close(log));
        } else { /* orphans do not stand in the way */
            log = log_with(process, "/log", 2);
            EXPECT_OK(clfs_log_close(log));
        }
        sys_sim_destroy(sim);
    }
}

TEST(a_strangers_file_at_the_logs_path_is_not_deleted) /* CLFS-CREATE-32 */
{
    struct clfs_log *log = log_with(sys_linux(), here("log"), 2);

    EXPECT_OK(clfs_log_delete(log));
    EXPECT_EQ(0, rename(here("log.blf"), here("moved")));
    put_file("log.blf", "stranger", 8);
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, clfs_log_close(log));
    EXPECT(exists("log.blf") && exists("moved"));
}

/* ---- how much is read ---- */

TEST(opening_reads_what_was_written_since_the_mark_not_all) /* CLFS-LIMIT-05 CLFS-HARD-36 -KTM-03 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 40);
    struct clfs_area *area = area_of(log, 64 << 10);
    uint64_t lsn, before;
    unsigned reads = 0;

    (void)fill_log(area, 60000, &lsn);
    EXPECT_OK(clfs_flush(area, 0, NULL));
    EXPECT_OK(clfs_write_restart(area, bytes_of("r", 1), CLFS_LSN_NONE, 0, &lsn));
    appended(area, "the tail");
    EXPECT_OK(clfs_flush(area, 0, NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    before = sys_sim_counts(sim, NULL).reads;
    log = log_with(process, "/log", 2);
    for (unsigned i = 1; i <= 10; i++) { /* containers far below the mark: header, first sector */
        char name[32];

        snprintf(name, sizeof(name), "/log.c%04u", i);
        EXPECT(sys_sim_counts(sim, name).reads <= 3);
        reads += (unsigned)sys_sim_counts(sim, name).reads;
    }
    EXPECT(reads > 0 && sys_sim_counts(sim, NULL).reads - before < 400);
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}
