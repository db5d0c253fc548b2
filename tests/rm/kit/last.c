/* SPDX-License-Identifier: MIT */
/*
 * The shorter ways of the kit: a resource manager that commits alone, and the last resource, whose
 * own commit is the decision of the whole transaction [SCEN-03, RECOV-40..42].
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktm_rm.h"
#include "tests/test.h"
#include "wdm.h"

static const enum ktm_rm_mode modes[] = {KTM_RM_THREAD, KTM_RM_PUMP, KTM_RM_CALLBACKS,
                                         KTM_RM_HELPED};

static bool
needs_nobody(enum ktm_rm_mode mode)
{
    return mode == KTM_RM_THREAD || mode == KTM_RM_HELPED;
}
static const GUID store_id = {.Data1 = 0x61}, other_id = {.Data1 = 0x62};

/* What survives a crash: shared memory. */
struct disk {
    struct ktm_rm_key sign;
    bool has_sign, other_is_prepared, other_is_committed;
    struct ktm_rm_key other_key;
    char said[64]; /* d, o, s, r, a: decide, outcome, settled, rollback, commit_alone */
    enum ktm_rm_answer decide, outcome, alone;
    bool dies_before, dies_behind;
};
static struct disk *disk;

static void
say(char letter)
{
    size_t size = strlen(disk->said);

    EXPECT(size + 1 < sizeof(disk->said));
    disk->said[size] = letter;
}

static enum ktm_rm_answer
store_decide(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context;
    EXPECT(work == disk);
    say('d');
    if (disk->dies_before)
        _exit(0);
    if (disk->decide != KTM_RM_NO) {
        disk->sign = *key;
        disk->has_sign = true;
    }
    if (disk->dies_behind)
        _exit(0);
    return disk->decide;
}

static enum ktm_rm_answer
store_outcome(void *context, const struct ktm_rm_key *key)
{
    (void)context;
    say('o');
    if (disk->outcome == KTM_RM_RETRY) {
        disk->outcome = KTM_RM_DONE;
        return KTM_RM_RETRY;
    }
    return disk->has_sign && !memcmp(&disk->sign.enlistment, &key->enlistment, sizeof(GUID))
               ? KTM_RM_DONE
               : KTM_RM_NO;
}

static void
store_settled(void *context, const struct ktm_rm_key *key)
{
    (void)context;
    EXPECT(!memcmp(&disk->sign.enlistment, &key->enlistment, sizeof(GUID)));
    say('s');
    disk->has_sign = false;
}

static enum ktm_rm_answer
store_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work, (void)key;
    say('r');
    return KTM_RM_DONE;
}

static NTSTATUS
store_list(void *context, ktm_rm_each_key *each, void *list)
{
    (void)context;
    if (disk->has_sign)
        each(list, &disk->sign);
    return STATUS_SUCCESS;
}

static enum ktm_rm_answer
other_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work;
    disk->other_is_prepared = true;
    disk->other_key = *key;
    return KTM_RM_DONE;
}

/* After a restart the key is the one that prepare was given, with the incarnation of then. */
static void
expect_key(const struct ktm_rm_key *key)
{
    if (disk->other_is_prepared &&
        memcmp(&key->manager, &disk->other_key.manager, sizeof(GUID)) == 0)
        EXPECT(memcmp(key, &disk->other_key, sizeof(*key)) == 0);
}

static enum ktm_rm_answer
other_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work;
    expect_key(key);
    disk->other_is_prepared = false;
    disk->other_is_committed = true;
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
other_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work;
    expect_key(key);
    disk->other_is_prepared = false;
    return KTM_RM_DONE;
}

static NTSTATUS
other_list(void *context, ktm_rm_each_key *each, void *list)
{
    (void)context;
    if (disk->other_is_prepared)
        each(list, &disk->other_key);
    return STATUS_SUCCESS;
}

static enum ktm_rm_answer
other_alone(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work, (void)key;
    say('a');
    return disk->alone;
}

static const struct ktm_rm_author store = {.rollback = store_rollback,
                                           .decide = store_decide,
                                           .outcome = store_outcome,
                                           .settled = store_settled,
                                           .list_in_doubt = store_list};
static const struct ktm_rm_author other = {.prepare = other_prepare,
                                           .commit = other_commit,
                                           .rollback = other_rollback,
                                           .list_in_doubt = other_list};
static const struct ktm_rm_author alone = {.prepare = other_prepare,
                                           .commit = other_commit,
                                           .rollback = store_rollback,
                                           .commit_alone = other_alone};

struct session {
    HANDLE tm, tx;
    struct ktm_rm *store, *other;
};

static void
disk_make(void)
{
    disk = mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(disk != MAP_FAILED);
    (void)test_directory(); /* the same for children */
}

static struct session
session_begin(enum ktm_rm_mode mode, uint64_t incarnation, const struct ktm_rm_author *one)
{
    struct ktm_rm_options options = {.identity = &store_id,
                                     .incarnation = incarnation,
                                     .author = one,
                                     .mode = mode,
                                     .patience_ms = 0,
                                     .is_last_resource = one == &store};
    struct session it = {.tm = NULL};
    char home[4096];

    snprintf(home, sizeof(home), "%s/home", test_directory());
    EXPECT_OK(ktm_tm_open(home, &it.tm));
    EXPECT_OK(ktm_rm_open(it.tm, &options, &it.store));
    options.identity = &other_id;
    options.author = &other;
    options.is_last_resource = FALSE;
    EXPECT_OK(ktm_rm_open(it.tm, &options, &it.other));
    EXPECT_OK(NtCreateTransaction(&it.tx, TRANSACTION_ALL_ACCESS, NULL, NULL, it.tm, 0, 0, 0, NULL,
                                  NULL));
    return it;
}

static NTSTATUS
work_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)argument, (void)key;
    *work = disk;
    return STATUS_SUCCESS;
}

static void
join(struct ktm_rm *rm, HANDLE tx)
{
    void *work;

    EXPECT_OK(ktm_rm_enlist(rm, tx, work_make, NULL, &work));
}

/* Commits, and pumps what has to be pumped, until the outcome is there. */
static TRANSACTION_OUTCOME
commit(struct session *it, enum ktm_rm_mode mode)
{
    TRANSACTION_BASIC_INFORMATION info = {.Outcome = TransactionOutcomeUndetermined};
    LARGE_INTEGER tick = {.QuadPart = -100000};

    (void)NtCommitTransaction(it->tx, FALSE);
    while (NtWaitForSingleObject(it->tx, FALSE, &tick) == STATUS_TIMEOUT) {
        if (!needs_nobody(mode)) {
            EXPECT_OK(ktm_rm_run(it->store, 0));
            EXPECT_OK(ktm_rm_run(it->other, 0));
        }
    }
    while (ktm_rm_unfinished(it->other)) /* the outcome is known before everybody has heard it */
        usleep(1000);
    EXPECT_OK(NtQueryInformationTransaction(it->tx, TransactionBasicInformation, &info,
                                            sizeof(info), NULL));
    return (TRANSACTION_OUTCOME)info.Outcome;
}

static void
session_end(struct session *it)
{
    EXPECT_OK(NtClose(it->tx));
    ktm_rm_close(it->other);
    ktm_rm_close(it->store);
    EXPECT_OK(NtClose(it->tm));
}

TEST(the_last_resource_decides) /* SCEN-12 */
{
    disk_make();
    EACH (mode, modes) {
        struct session it;

        memset(disk, 0, sizeof(*disk));
        it = session_begin(*mode, 1 + (uint64_t)*mode, &store);
        join(it.other, it.tx);
        join(it.store, it.tx);
        EXPECT_EQ(TransactionOutcomeCommitted, commit(&it, *mode));
        session_end(&it);
        EXPECT(disk->other_is_committed);
        EXPECT_TEXT("ds", disk->said);
        EXPECT_EQ(0, disk->has_sign);
    }
}

TEST(the_last_resource_may_be_alone) /* SCEN-12 VOL-04 */
{
    disk_make();
    EACH (mode, modes) {
        struct session it;

        memset(disk, 0, sizeof(*disk));
        it = session_begin(*mode, 1 + (uint64_t)*mode, &store);
        join(it.store, it.tx);
        EXPECT_EQ(TransactionOutcomeCommitted, commit(&it, *mode));
        session_end(&it);
        EXPECT_TEXT("ds", disk->said);
    }
}

TEST(there_is_one_last_resource) /* ENL-CREATE-13 */
{
    struct session it;
    void *work;

    disk_make();
    it = session_begin(KTM_RM_CALLBACKS, 1, &store);
    join(it.store, it.tx);
    ktm_rm_close(it.other);
    EXPECT_OK(ktm_rm_open(it.tm,
                          &(struct ktm_rm_options){.identity = &other_id,
                                                   .incarnation = 1,
                                                   .author = &store,
                                                   .is_last_resource = TRUE,
                                                   .mode = KTM_RM_CALLBACKS},
                          &it.other));
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS,
                  ktm_rm_enlist(it.other, it.tx, work_make, NULL, &work));
    session_end(&it);
}

TEST(the_last_resource_says_no) /* SCEN-13 */
{
    disk_make();
    EACH (mode, modes) {
        struct session it;

        memset(disk, 0, sizeof(*disk));
        disk->decide = KTM_RM_NO;
        it = session_begin(*mode, 1 + (uint64_t)*mode, &store);
        join(it.other, it.tx);
        join(it.store, it.tx);
        EXPECT_EQ(TransactionOutcomeAborted, commit(&it, *mode));
        session_end(&it);
        EXPECT(!disk->other_is_committed && !disk->other_is_prepared);
        EXPECT_TEXT("d", disk->said);
    }
}

TEST(who_does_not_know_what_it_decided_is_asked_again) /* OP-29 */
{
    disk_make();
    EACH (mode, modes) {
        struct session it;

        memset(disk, 0, sizeof(*disk));
        disk->decide = disk->outcome = KTM_RM_RETRY;
        it = session_begin(*mode, 1 + (uint64_t)*mode, &store);
        join(it.other, it.tx);
        join(it.store, it.tx);
        EXPECT_EQ(TransactionOutcomeCommitted, commit(&it, *mode));
        session_end(&it);
        EXPECT(disk->other_is_committed);
        EXPECT_TEXT("doos", disk->said);
    }
}

TEST(a_rollback_reaches_the_last_resource) /* ROLL-01 */
{
    disk_make();
    EACH (mode, modes) {
        struct session it;

        memset(disk, 0, sizeof(*disk));
        it = session_begin(*mode, 1 + (uint64_t)*mode, &store);
        join(it.other, it.tx);
        join(it.store, it.tx);
        (void)NtRollbackTransaction(it.tx, FALSE);
        EXPECT_EQ(TransactionOutcomeAborted, commit(&it, *mode));
        session_end(&it);
        EXPECT_TEXT("r", disk->said);
    }
}

/* A process that dies at its decision. */
static void
die(enum ktm_rm_mode mode, uint64_t incarnation)
{
    pid_t child = fork();
    int result;

    EXPECT(child >= 0);
    if (child == 0) {
        struct session it = session_begin(mode, incarnation, &store);

        join(it.other, it.tx);
        join(it.store, it.tx);
        (void)commit(&it, mode);
        _exit(1); /* it should have died */
    }
    EXPECT(waitpid(child, &result, 0) == child);
    EXPECT(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    EXPECT(disk->other_is_prepared);
}

TEST(a_crash_around_the_decision) /* RECOV-40 RECOV-41 INV-01 */
{
    disk_make();
    for (uint64_t round = 0; round < 2 * ARRAY_SIZE(modes); round++) {
        enum ktm_rm_mode mode = modes[round / 2];
        struct session it;

        memset(disk, 0, sizeof(*disk));
        disk->dies_before = round % 2 == 0;
        disk->dies_behind = true;
        die(mode, 2 * round + 1);
        disk->dies_before = disk->dies_behind = false;
        it = session_begin(mode, 2 * round + 2, &store);
        for (int i = 0; i < 3 && !needs_nobody(mode); i++)
            EXPECT_OK(ktm_rm_run(it.other, 0));
        session_end(&it);
        EXPECT(!disk->other_is_prepared);
        EXPECT_EQ(round % 2, disk->other_is_committed);
        EXPECT_TEXT(round % 2 ? "dos" : "do", disk->said);
    }
}

TEST(who_is_alone_commits_alone) /* SCEN-03 PT-11 LOG-04 */
{
    static const struct {
        enum ktm_rm_answer answer;
        TRANSACTION_OUTCOME outcome;
    } rows[] = {{KTM_RM_DONE, TransactionOutcomeCommitted},
                {KTM_RM_READ_ONLY, TransactionOutcomeCommitted},
                {KTM_RM_NO, TransactionOutcomeAborted},
                {KTM_RM_RETRY, TransactionOutcomeUndetermined}};
    uint64_t incarnation = 1;

    disk_make();
    EACH (mode, modes)
        EACH (row, rows) {
            struct session it;

            memset(disk, 0, sizeof(*disk));
            disk->alone = row->answer;
            it = session_begin(*mode, incarnation++, &alone);
            join(it.store, it.tx);
            EXPECT_EQ(row->outcome, commit(&it, *mode));
            session_end(&it);
            EXPECT_TEXT("a", disk->said);
            EXPECT(!disk->other_is_committed);
        }
}

TEST(beside_another_it_is_asked_in_two_phases) /* SCEN-05 */
{
    struct session it;

    disk_make();
    it = session_begin(KTM_RM_CALLBACKS, 1, &alone);
    join(it.store, it.tx);
    join(it.other, it.tx);
    EXPECT_EQ(TransactionOutcomeCommitted, commit(&it, KTM_RM_CALLBACKS));
    session_end(&it);
    EXPECT_TEXT("", disk->said);
    EXPECT(disk->other_is_committed);
}
