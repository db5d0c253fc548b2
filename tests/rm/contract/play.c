/* SPDX-License-Identifier: MIT */
/* The witness, the moments at which somebody dies, and the list of those who are tested. */
#include "tests/rm/contract/contract.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guid.h"

extern const struct contract contract_file, contract_postgres, contract_sqlite, contract_mariadb;
extern const struct contract contract_sqlite_last, contract_sqlite_wal, contract_xa,
    contract_xa_helpers;

static const struct contract *const contracts[] = {
    &contract_file,
#ifdef KTM_CONTRACT_SQLITE
    &contract_sqlite,   &contract_sqlite_last, &contract_sqlite_wal,
#endif
#ifdef KTM_CONTRACT_POSTGRES
    &contract_postgres,
#endif
#ifdef KTM_CONTRACT_MARIADB
    &contract_mariadb,
#endif
#ifdef KTM_CONTRACT_XA
    &contract_xa,       &contract_xa_helpers,
#endif
};

/* ---- tests ---- */

struct row {
    struct test test; /* its name is "title/contract" */
    contract_test *run;
    const struct contract *contract;
};

static struct row rows[256];
static size_t row_count;

static void
run_row(void)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].test.name, test_name()) == 0)
            rows[i].run(rows[i].contract);
}

static bool
has(const struct contract *contract, enum contract_needs needs)
{
    switch (needs) {
    case NEEDS_MANY:
        return contract->at_once > 0;
    case NEEDS_SERVER:
        return contract->kill && contract->prepared;
    case NEEDS_INTERFERENCE:
        return contract->interfere != NULL;
    default:
        return true;
    }
}

void
contract_register(const char *title, const char *file, int line, contract_test *run,
                  enum contract_needs needs)
{
    EACH (contract, contracts) {
        struct row *row;
        char *name;

        if (!has(*contract, needs))
            continue;
        row = &rows[row_count++];
        if (row_count == ARRAY_SIZE(rows) || asprintf(&name, "%s/%s", title, (*contract)->name) < 0)
            abort();
        *row = (struct row){.run = run, .contract = *contract};
        row->test = (struct test){.name = name, .file = file, .line = line, .run = run_row};
        test_register(&row->test);
    }
}

/* ---- dying ---- */

static void
moment_is(struct play *play, enum moment moment)
{
    if (play->look)
        play->look(play, moment);
    if (moment != play->moment)
        return;
    if (play->victim & SERVER)
        play->contract->kill(play->resource);
    if (play->victim & CLIENT)
        kill(getpid(), SIGKILL);
}

/* ---- the witness ---- */

/* Files of its directory: p.<transaction>.<enlistment>.<incarnation>.<item> is prepared, c.<item>
 * is committed. Only processes die here, so nothing is forced. */
struct testimony {
    struct play *play;
    unsigned item;
    bool was_moment; /* in witness_begin */
};

static void
path_of(const struct play *play, char path[1024], const struct ktm_rm_key *key, unsigned item)
{
    char transaction[GUID_TEXT_SIZE], enlistment[GUID_TEXT_SIZE];

    guid_print(&key->transaction, transaction);
    guid_print(&key->enlistment, enlistment);
    snprintf(path, 1024, "%s/witness/p.%s.%s.%" PRIu64 ".%u", play->directory, transaction,
             enlistment, key->incarnation, item);
}

static void
committed_path(const struct play *play, char path[1024], unsigned item)
{
    snprintf(path, 1024, "%s/witness/c.%u", play->directory, item);
}

/* The first's moment is before the manager under test has begun, the last's when it has done. */
static void
witness_begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit)
{
    struct play *play = context;
    struct testimony *testimony = work;

    (void)key;
    if (!play->witness_first)
        return;
    moment_is(play, commit ? AT_COMMIT : AT_PREPARE);
    testimony->was_moment = true;
}

static void
moment_once(struct play *play, struct testimony *testimony, enum moment moment)
{
    if (!testimony || !testimony->was_moment)
        moment_is(play, moment);
    if (testimony)
        testimony->was_moment = false;
}

static enum ktm_rm_answer
witness_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct play *play = context;
    struct testimony *testimony = work;
    char path[1024];

    moment_once(play, testimony, AT_PREPARE);
    if (atomic_load(&play->refuses))
        return KTM_RM_NO;
    path_of(play, path, key, testimony->item);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    return KTM_RM_DONE;
}

/* The prepared one of that enlistment, or none. */
static bool
find_prepared(struct play *play, const struct ktm_rm_key *key, char path[1024], unsigned *item)
{
    char enlistment[GUID_TEXT_SIZE], directory[600];
    bool found = false;
    struct dirent *entry;
    DIR *all;

    guid_print(&key->enlistment, enlistment);
    snprintf(directory, sizeof(directory), "%s/witness", play->directory);
    all = opendir(directory);
    while ((entry = readdir(all)))
        if (entry->d_name[0] == 'p' && strstr(entry->d_name, enlistment)) {
            snprintf(path, 1024, "%s/%s", directory, entry->d_name);
            *item = (unsigned)atoi(strrchr(entry->d_name, '.') + 1);
            found = true;
        }
    closedir(all);
    return found;
}

static enum ktm_rm_answer
witness_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct play *play = context;
    char from[1024], to[1024];
    unsigned item;

    moment_once(play, work, AT_COMMIT);
    if (!find_prepared(play, key, from, &item))
        return KTM_RM_DONE; /* it was made so before */
    committed_path(play, to, item);
    EXPECT_EQ(0, rename(from, to));
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
witness_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct play *play = context;
    char path[1024];
    unsigned item;

    (void)work;
    if (find_prepared(play, key, path, &item))
        EXPECT_EQ(0, unlink(path));
    return KTM_RM_DONE;
}

static NTSTATUS
witness_list(void *context, ktm_rm_each_key *each, void *list)
{
    struct play *play = context;
    char directory[600];
    struct dirent *entry;
    DIR *all;

    snprintf(directory, sizeof(directory), "%s/witness", play->directory);
    all = opendir(directory);
    while ((entry = readdir(all))) {
        struct ktm_rm_key key = {.manager = {.Data1 = 0x317e55}};
        char transaction[GUID_TEXT_SIZE], enlistment[GUID_TEXT_SIZE];
        unsigned item;

        if (sscanf(entry->d_name, "p.%36[^.].%36[^.].%" SCNu64 ".%u", transaction, enlistment,
                   &key.incarnation, &item) != 4)
            continue;
        EXPECT_OK(guid_parse(transaction, &key.transaction));
        EXPECT_OK(guid_parse(enlistment, &key.enlistment));
        each(list, &key);
    }
    closedir(all);
    return STATUS_SUCCESS;
}

static void
witness_forget(void *context, void *work)
{
    (void)context;
    (void)work;
}

static const struct ktm_rm_author witness = {.prepare = witness_prepare,
                                             .commit = witness_commit,
                                             .rollback = witness_rollback,
                                             .list_in_doubt = witness_list,
                                             .forget = witness_forget,
                                             .begin = witness_begin};

static NTSTATUS
testify(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

bool
play_witness_has(struct play *play, unsigned item)
{
    char path[1024];

    committed_path(play, path, item);
    return access(path, F_OK) == 0;
}

/* ---- the play ---- */

void
play_create(struct play *play, const struct contract *contract)
{
    char path[600];

    *play = (struct play){.contract = contract, .moment = NEVER, .mode = KTM_RM_CALLBACKS};
    snprintf(play->directory, sizeof(play->directory), "%s", test_directory());
    snprintf(play->home, sizeof(play->home), "%s/home", play->directory);
    snprintf(path, sizeof(path), "%s/witness", play->directory);
    EXPECT_EQ(0, mkdir(path, 0700));
    play->resource = contract->create(play->directory);
    if (!play->resource)
        test_skip(__FILE__, __LINE__, contract->name);
}

void
play_open(struct play *play)
{
    static const GUID identity = {.Data1 = 0x317e55};

    EXPECT_OK(ktm_tm_open(play->home, &play->tm));
    EXPECT_OK(
        play->contract->open(play->resource, play->tm, play->home, play->mode, play->patience_ms));
    EXPECT_OK(ktm_rm_open(play->tm,
                          &(struct ktm_rm_options){.identity = &identity,
                                                   .incarnation = ++play->incarnation,
                                                   .author = &witness,
                                                   .context = play,
                                                   .mode = KTM_RM_CALLBACKS},
                          &play->witness));
}

void
play_close(struct play *play)
{
    play->contract->close(play->resource);
    ktm_rm_close(play->witness);
    NtClose(play->tm);
}

void
play_destroy(struct play *play)
{
    play->contract->destroy(play->resource);
}

static NTSTATUS
take_part(struct play *play, HANDLE transaction, struct testimony *testimony)
{
    NTSTATUS status = STATUS_SUCCESS;
    void *work;

    if (play->witness_first)
        TRY(ktm_rm_enlist(play->witness, transaction, testify, testimony, &work));
    status = play->contract->work(play->resource, transaction, testimony->item, true);
    moment_is(play, AT_WORK);
    if (status == STATUS_SUCCESS && !play->witness_first)
        status = ktm_rm_enlist(play->witness, transaction, testify, testimony, &work);
    return status;
}

NTSTATUS
play_join(struct play *play, HANDLE transaction, unsigned item)
{
    static struct testimony testimonies[512];
    static _Atomic unsigned count;
    struct testimony *testimony = &testimonies[atomic_fetch_add(&count, 1)];

    EXPECT(testimony < testimonies + ARRAY_SIZE(testimonies));
    *testimony = (struct testimony){.play = play, .item = item};
    return take_part(play, transaction, testimony);
}

NTSTATUS
play_transaction(struct play *play, unsigned item)
{
    struct testimony testimony = {.play = play, .item = item};
    HANDLE transaction;
    NTSTATUS status;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, play->tm, 0, 0,
                                  0, NULL, NULL));
    moment_is(play, AT_BEGIN);
    status = take_part(play, transaction, &testimony);
    if (status == STATUS_SUCCESS)
        status = NtCommitTransaction(transaction, TRUE);
    moment_is(play, AT_END);
    NtClose(transaction);
    return status;
}

void
play_in_child(struct play *play, unsigned item)
{
    pid_t child = fork();
    int status;

    EXPECT(child >= 0);
    play->incarnation++;
    if (child == 0) {
        play_open(play);
        (void)!play_transaction(play, item);
        play_close(play);
        _exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    if (WIFEXITED(status))
        EXPECT_EQ(0, WEXITSTATUS(status));
    else
        EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

bool
play_agrees(struct play *play, unsigned item)
{
    bool is_there = play->contract->is_there(play->resource, item);

    if (is_there != play_witness_has(play, item))
        test_fail(__FILE__, __LINE__, "item %u: the resource has it: %d, the witness: %d", item,
                  is_there, play_witness_has(play, item));
    if (play->contract->prepared)
        EXPECT_EQ(0, play->contract->prepared(play->resource));
    EXPECT_EQ(0, ktm_rm_unfinished(play->contract->kit(play->resource)));
    return is_there;
}
