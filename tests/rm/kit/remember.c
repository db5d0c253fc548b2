/* SPDX-License-Identifier: MIT */
/* What an author has the TM keep comes back after a kill; and who is alone may ask for two phases.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guid.h"
#include "ktm_rm.h"
#include "tests/test.h"
#include "wdm.h"

static const GUID identity = {.Data1 = 0x61};

struct scribe {
    struct ktm_rm *rm;
    const char *note;         /* to be kept; NULL: nothing */
    char said[32];            /* a, p, c, r, R: alone, prepare, commit, rollback, recover */
    char recalled[256 << 10]; /* what came back */
    size_t recalled_size;
    enum ktm_rm_answer alone, commit;
    NTSTATUS kept;
};

static void
say(struct scribe *scribe, char what)
{
    size_t size = strlen(scribe->said);

    EXPECT(size + 1 < sizeof(scribe->said));
    scribe->said[size] = what;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scribe *scribe = context;

    (void)work;
    say(scribe, 'p');
    if (!scribe->note)
        return KTM_RM_DONE;
    EXPECT_OK(ktm_rm_remember(scribe->rm, key, "a first one, to be replaced", 27));
    scribe->kept = ktm_rm_remember(scribe->rm, key, scribe->note, (uint32_t)strlen(scribe->note));
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scribe *scribe = context;

    (void)work, (void)key;
    say(scribe, 'c');
    return scribe->commit;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)work, (void)key;
    say(context, 'r');
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
commit_alone(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scribe *scribe = context;

    (void)work, (void)key;
    say(scribe, 'a');
    return scribe->alone;
}

static void
recover(void *context, const struct ktm_rm_key *key, NTSTATUS status, const void *at, size_t size)
{
    struct scribe *scribe = context;

    EXPECT_OK(status);
    EXPECT(!guid_is_zero(&key->transaction) && !guid_is_zero(&key->enlistment));
    say(scribe, 'R');
    EXPECT(size < sizeof(scribe->recalled));
    if (size)
        memcpy(scribe->recalled, at, size);
    scribe->recalled_size = size;
}

static const struct ktm_rm_author author = {
    .prepare = prepare, .commit = commit, .rollback = rollback, .recover = recover};
static const struct ktm_rm_author author_alone = {.prepare = prepare,
                                                  .commit = commit,
                                                  .rollback = rollback,
                                                  .recover = recover,
                                                  .commit_alone = commit_alone};

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

static HANDLE
tm_open(void)
{
    char home[4096];
    HANDLE tm;

    snprintf(home, sizeof(home), "%s/home", test_directory());
    EXPECT_OK(ktm_tm_open(home, &tm));
    return tm;
}

static void
open_rm(struct scribe *scribe, HANDLE tm, const struct ktm_rm_author *who, enum ktm_rm_mode mode)
{
    struct ktm_rm_options options = {.identity = &identity,
                                     .incarnation = 1,
                                     .author = who,
                                     .context = scribe,
                                     .mode = mode,
                                     .patience_ms = UINT32_MAX};

    EXPECT_OK(ktm_rm_open(tm, &options, &scribe->rm));
}

static HANDLE
tx_begin(struct scribe *scribe, HANDLE tm)
{
    HANDLE tx;
    void *work;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    EXPECT_OK(ktm_rm_enlist(scribe->rm, tx, make, scribe, &work));
    return tx;
}

/* Commits halfway, is killed, and what comes back. */
static void
kill_and_recall(const char *note, struct scribe *scribe)
{
    int status;

    EXPECT(test_directory()); /* one for both */
    pid_t child = fork();
    if (child == 0) {
        struct scribe former = {.note = note, .commit = KTM_RM_RETRY};
        HANDLE tm = tm_open();

        open_rm(&former, tm, &author, KTM_RM_CALLBACKS);
        EXPECT_OK(NtCommitTransaction(tx_begin(&former, tm), FALSE));
        EXPECT_OK(former.kept);
        EXPECT_TEXT("pc", former.said);
        raise(SIGKILL);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    HANDLE tm = tm_open();
    open_rm(scribe, tm, &author, KTM_RM_CALLBACKS);
    EXPECT_TEXT("Rc", scribe->said);
    ktm_rm_close(scribe->rm);
    NtClose(tm);
}

TEST(what_is_remembered_comes_back_before_the_outcome) /* LOG-07, RECOV-31 */
{
    static struct scribe scribe = {.commit = KTM_RM_DONE}, other = {.commit = KTM_RM_DONE};

    kill_and_recall("what shall be known", &scribe);
    EXPECT_EQ(19, scribe.recalled_size);
    EXPECT_BYTES("what shall be known", scribe.recalled, 19);
    kill_and_recall(NULL, &other);
    EXPECT_EQ(0, other.recalled_size);
}

TEST(too_much_is_refused_and_the_rest_stays) /* ENL-SET-04 */
{
    static struct scribe scribe = {.commit = KTM_RM_DONE};
    static char much[200 << 10];
    HANDLE tm = tm_open(), tx;

    memset(much, 'x', sizeof(much) - 1);
    scribe.note = much;
    open_rm(&scribe, tm, &author, KTM_RM_CALLBACKS);
    tx = tx_begin(&scribe, tm);
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    EXPECT(scribe.kept != STATUS_SUCCESS);
    EXPECT_TEXT("pc", scribe.said);
    NtClose(tx);
    EXPECT_STATUS(STATUS_NOT_FOUND,
                  ktm_rm_remember(scribe.rm, &(struct ktm_rm_key){.transaction = identity}, "", 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_remember(scribe.rm, NULL, "", 0));
    ktm_rm_close(scribe.rm);
    NtClose(tm);
}

TEST(who_is_alone_may_ask_for_two_phases) /* ENL-SPR-01, PT-12 */
{
    static const enum ktm_rm_mode modes[] = {KTM_RM_THREAD, KTM_RM_PUMP, KTM_RM_CALLBACKS,
                                             KTM_RM_HELPED};
    static const struct {
        enum ktm_rm_answer alone;
        NTSTATUS status;
        const char *said;
    } cases[] = {
        {KTM_RM_DONE, STATUS_SUCCESS, "a"},
        {KTM_RM_READ_ONLY, STATUS_SUCCESS, "a"},
        {KTM_RM_TWO_PHASES, STATUS_SUCCESS, "apc"},
        {KTM_RM_RETRY, STATUS_RM_DISCONNECTED, "a"},
    };

    EACH (mode, modes)
        EACH (it, cases) {
            struct scribe *scribe = calloc(1, sizeof(*scribe));
            HANDLE tm = tm_open(), tx;

            EXPECT(scribe);
            scribe->alone = it->alone;
            scribe->commit = KTM_RM_DONE;
            open_rm(scribe, tm, &author_alone, *mode);
            tx = tx_begin(scribe, tm);
            NTSTATUS status = ktm_rm_commit(scribe->rm, tx);
            if (*mode != KTM_RM_PUMP || it->status == STATUS_SUCCESS)
                EXPECT_STATUS(it->status, status);
            EXPECT_TEXT(it->said, scribe->said);
            EXPECT_EQ(0, ktm_rm_unfinished(scribe->rm));
            NtClose(tx);
            ktm_rm_close(scribe->rm);
            NtClose(tm);
            free(scribe);
        }
}
