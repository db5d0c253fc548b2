/* SPDX-License-Identifier: MIT */
/* Transactions of applications: homes opened and shut, three calls, parts, and why not. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ktm.h"
#include "ktm_file.h"
#include "tests/test.h"
#include "wdm.h"

static char *
path_of(const char *name)
{
    static char paths[4][600]; /* an expression may name two */
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", test_directory(), name);
    return path;
}

static struct ktm_home *
home(void)
{
    struct ktm_home *ktm;

    EXPECT_OK(ktm_open(path_of("home"), &ktm));
    return ktm;
}

static struct ktm_file_tx *
files_of(struct ktm_tx *tx)
{
    struct ktm_file_tx *files, *same;

    EXPECT_OK(ktm_files(tx, &files));
    EXPECT_OK(ktm_files(tx, &same));
    EXPECT(files == same);
    return files;
}

static NTSTATUS
put(struct ktm_tx *tx, const char *name, const char *text)
{
    return ktm_file_put(files_of(tx), path_of(name), KTM_FILE_MODE_KEEP,
                        ktm_file_bytes(text, strlen(text)));
}

static bool
exists(const char *name)
{
    struct stat info;

    return stat(path_of(name), &info) == 0;
}

TEST(begin_use_commit)
{
    struct ktm_home *ktm = home();
    struct ktm_tx *tx;
    char why[100];

    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_OK(put(tx, "one", "1"));
    EXPECT_OK(put(tx, "two", "2"));
    EXPECT(!exists("one"));
    EXPECT_OK(ktm_commit(tx));
    EXPECT_EQ(0, ktm_error(tx, why, sizeof(why)));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, ktm_rollback(tx));
    ktm_end(tx);
    ktm_shut(ktm);
    EXPECT(exists("one") && exists("two"));
}

TEST(what_is_not_committed_is_rolled_back)
{
    struct ktm_home *ktm = home();
    struct ktm_tx *tx;

    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_OK(put(tx, "one", "1"));
    ktm_end(tx);
    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_OK(put(tx, "one", "1"));
    EXPECT_OK(ktm_rollback(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_commit(tx));
    ktm_end(tx);
    ktm_shut(ktm);
    EXPECT(!exists("one"));
}

TEST(a_refusal_is_explained)
{
    struct ktm_home *ktm = home();
    struct ktm_tx *tx;
    char why[400], little[8];
    size_t length;

    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, put(tx, "no/where", "1"));
    length = ktm_error(tx, why, sizeof(why));
    EXPECT(length == strlen(why) && strstr(why, "no/where"));
    EXPECT_EQ(length, ktm_error(tx, little, sizeof(little)));
    EXPECT_EQ(7, strlen(little));
    EXPECT_OK(ktm_rollback(tx));
    ktm_end(tx);
    ktm_shut(ktm);
}

TEST(a_home_is_opened_once)
{
    struct ktm_home *first = home(), *second = home();
    struct ktm_tx *tx;

    EXPECT(first == second);
    EXPECT_TEXT(path_of("home"), ktm_home_path(first));
    EXPECT_OK(ktm_begin(first, &tx));
    ktm_shut(second);
    ktm_shut(first);
    EXPECT_OK(put(tx, "one", "1")); /* the transaction keeps it */
    EXPECT_OK(ktm_commit(tx));
    ktm_end(tx);
    first = home();
    ktm_shut(first);
    ktm_shut(NULL);
    ktm_end(NULL);
}

TEST(the_default_home)
{
    struct ktm_tx *tx;
    char *path;

    setenv("KTM_HOME", path_of("default"), 1);
    EXPECT_OK(ktm_home_default(&path));
    EXPECT_TEXT(path_of("default"), path);
    free(path);
    EXPECT_OK(ktm_begin(NULL, &tx));
    EXPECT_TEXT(path_of("default"), ktm_home_path(ktm_of(tx)));
    EXPECT_OK(put(tx, "one", "1"));
    EXPECT_OK(ktm_commit(tx));
    ktm_end(tx);
    setenv("KTM_HOME", "relative", 1);
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, ktm_begin(NULL, &tx));
    unsetenv("KTM_HOME");
    if (geteuid() == 0) {
        EXPECT_OK(ktm_home_default(&path));
        EXPECT_TEXT("/var/lib/ktm", path);
        free(path);
    }
}

TEST(nothing_is_not_an_argument)
{
    struct ktm_home *ktm = home();
    struct ktm_file_tx *files;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_open(NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_begin(ktm, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_files(NULL, &files));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_use(NULL, "x", NULL, NULL, (void **)&files));
    ktm_shut(ktm);
}

TEST(what_to_do_about_a_refusal)
{
    EXPECT(strstr(ktm_status_advice(STATUS_TRANSACTIONAL_CONFLICT), "try the whole"));
    EXPECT(strstr(ktm_status_advice(STATUS_RM_DISCONNECTED), "server"));
    EXPECT_TEXT("", ktm_status_advice(STATUS_SUCCESS));
    EXPECT_TEXT("", ktm_status_advice(STATUS_OBJECT_PATH_NOT_FOUND)); /* it says which path */
}

/* ---- a door of one's own ---- */

static unsigned opened, begun;
static char order[16];

static void
note(char letter)
{
    order[strlen(order)] = letter;
}

static NTSTATUS
store_open(HANDLE tm, const char *path, const void *argument, char *why, size_t why_size, void **rm)
{
    EXPECT(tm && strcmp(path, path_of("home")) == 0);
    if (!argument) {
        snprintf(why, why_size, "nothing to open");
        return STATUS_DISK_FULL;
    }
    usleep(1000);
    __atomic_fetch_add(&opened, 1, __ATOMIC_SEQ_CST);
    *rm = (void *)(uintptr_t)argument;
    return STATUS_SUCCESS;
}

static void
store_shut(void *rm)
{
    note(*(char *)rm);
}

static NTSTATUS
store_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    (void)why, (void)why_size;
    EXPECT(transaction);
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    *part = rm;
    return STATUS_SUCCESS;
}

static void
store_close(void *part)
{
    note((char)(*(char *)part - 'a' + 'A'));
}

static const struct ktm_manager_kind kind = {
    .open = store_open, .shut = store_shut, .begin = store_begin, .close = store_close};

static void *
ask(void *tx)
{
    void *part = NULL;

    EXPECT_OK(ktm_use(tx, "shared", &kind, "s", &part));
    return part;
}

TEST(a_manager_is_opened_once_and_everything_ends_in_reverse)
{
    struct ktm_home *ktm = home();
    struct ktm_tx *tx, *second;
    pthread_t threads[8];
    char why[100];
    void *part;

    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_STATUS(STATUS_DISK_FULL, ktm_use(tx, "a", &kind, NULL, &part));
    EXPECT(ktm_error(tx, why, sizeof(why)) && strstr(why, "nothing to open"));
    EXPECT_OK(ktm_use(tx, "a", &kind, "a", &part));
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_create(thread, NULL, ask, tx));
    EACH (thread, threads) {
        EXPECT_EQ(0, pthread_join(*thread, &part));
        EXPECT(*(char *)part == 's');
    }
    EXPECT_EQ(2, opened);
    EXPECT_EQ(2, begun);
    EXPECT_OK(ktm_begin(ktm, &second));
    EXPECT_OK(ktm_use(second, "a", &kind, NULL, &part)); /* it is open already */
    EXPECT_EQ(2, opened);
    ktm_end(second);
    ktm_end(tx);
    ktm_shut(ktm);
    EXPECT_TEXT("ASAsa", order);
}

/* ---- who was refused last ---- */

struct refusal {
    const char *words;
    uint64_t time;
};

static NTSTATUS
open_refusal(HANDLE tm, const char *path, const void *argument, char *why, size_t why_size,
             void **rm)
{
    (void)tm, (void)path, (void)why, (void)why_size;
    *rm = (void *)(uintptr_t)argument;
    return STATUS_SUCCESS;
}

static NTSTATUS
begin_refusal(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    (void)transaction, (void)why, (void)why_size;
    *part = rm;
    return STATUS_SUCCESS;
}

static void
leave_refusal(void *refusal)
{
    (void)refusal;
}

static size_t
tell_refusal(void *part, char *into, size_t size)
{
    const struct refusal *refusal = part;

    if (size)
        snprintf(into, size, "%s", refusal->words);
    return strlen(refusal->words);
}

static uint64_t
time_of_refusal(void *part)
{
    return ((const struct refusal *)part)->time;
}

static void
refuse(struct refusal *refusal, const char *words)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    *refusal = (struct refusal){words, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
}

static void
expect_error(struct ktm_tx *tx, const char *words)
{
    char why[512] = "";

    EXPECT(ktm_error(tx, why, sizeof(why)) > 0);
    if (!strstr(why, words))
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why, words);
}

TEST(the_last_refusal_is_told_whosever_it_was)
{
    static const struct ktm_manager_kind timed = {.open = open_refusal,
                                                  .shut = leave_refusal,
                                                  .begin = begin_refusal,
                                                  .close = leave_refusal,
                                                  .error = tell_refusal,
                                                  .error_time = time_of_refusal};
    static const struct ktm_manager_kind untimed = {.open = open_refusal,
                                                    .shut = leave_refusal,
                                                    .begin = begin_refusal,
                                                    .close = leave_refusal,
                                                    .error = tell_refusal};
    struct refusal first = {"", 0}, second = {"", 0}, silent = {"", 0};
    struct ktm_home *ktm = home();
    struct ktm_tx *tx;
    void *part;

    EXPECT_OK(ktm_begin(ktm, &tx));
    EXPECT_OK(ktm_use(tx, "silent", &untimed, &silent, &part));
    EXPECT_OK(ktm_use(tx, "first", &timed, &first, &part));
    EXPECT_OK(ktm_use(tx, "second", &timed, &second, &part));
    silent.words = "nobody knows when";
    expect_error(tx, "nobody knows when");
    refuse(&first, "one");
    expect_error(tx, "one");
    refuse(&second, "two");
    expect_error(tx, "two");
    refuse(&first, "three");
    expect_error(tx, "three");
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, put(tx, "no/where", "1"));
    expect_error(tx, "no/where");
    silent.words = "";
    EXPECT_STATUS(STATUS_DISK_FULL, ktm_use(tx, "a", &kind, NULL, &part));
    expect_error(tx, "nothing to open");
    refuse(&second, "four");
    expect_error(tx, "four");
    first.words = "";
    /* Somebody else ends it, and what was said before is not why. */
    EXPECT_OK(NtRollbackTransaction(ktm_transaction(tx), TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_commit(tx));
    expect_error(tx, "the transaction was rolled back");
    refuse(&second, "five");
    expect_error(tx, "five");
    ktm_end(tx);
    ktm_shut(ktm);
}
