/* SPDX-License-Identifier: MIT */
/* The library, as apply and recover use it. */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/home.h"
#include "cli/interrupt.h"
#include "cli/manager.h"
#include "cli/owned.h"
#include "cli/statements.h"
#include "cli/stream.h"
#include "ktm_file.h" /* public */
#include "sys/thread.h"
#include "wdm.h" /* public */

struct session {
    char *home;
    struct ktm_file_rm *files;
    struct recovery recovery;
    struct databases databases;
    HANDLE transaction;
    struct ktm_file_tx *tx;
    GUID guid;
    uint64_t deadline; /* of the transaction; SYS_FOREVER: none */
    struct session_conflict *conflicts;
    size_t conflict_count;
    bool has_lost_conflicts; /* no memory to tell them */
};

/* ---- opening ---- */

/* Said once, and again when it is another process. */
static void
say_waiting(const struct session_options *options, int *said)
{
    int holder = manager_holder(options->home);

    if (options->is_quiet || holder == *said)
        return;
    *said = holder;
    if (holder)
        fprintf(stderr, "ktm: waiting for process %d, which uses the home %s\n", holder,
                QUOTE(options->home));
    else
        fprintf(stderr, "ktm: waiting for another process, which uses the home %s\n",
                QUOTE(options->home));
}

static void
pause_for(unsigned milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
}

/* Whoever has the home is asked for nothing; it is free when its process has ended. */
static NTSTATUS
wait_for_home(const struct session_options *options, NTSTATUS status, unsigned *pause, int *said,
              struct complaint *why)
{
    if (!options->may_wait)
        return manager_complain(options->home, status, why);
    if (interrupt_name())
        return complain(why, STATUS_CANCELLED, "%s while waiting for the home %s", interrupt_name(),
                        QUOTE(options->home));
    if (sys_now() >= options->deadline)
        return complain(why, STATUS_ROLLBACK_TIMER_EXPIRED,
                        "the time is over, and another process still uses the home %s",
                        QUOTE(options->home));
    /* A moment is not worth a word. */
    if (*pause > 100)
        say_waiting(options, said);
    pause_for(*pause);
    if (*pause < 200)
        *pause *= 2;
    return STATUS_SUCCESS;
}

static NTSTATUS
open_files(const struct session_options *options, struct session *session, struct complaint *why)
{
    unsigned pause = 5;
    int said = -1;

    for (;;) {
        /* The log tells of every change set: 'ktm log', 'ktm clock'. */
        const struct ktm_file_options files = {.mode = KTM_RM_CALLBACKS, .is_logged = TRUE};
        char text[1024] = "";
        NTSTATUS status =
            ktm_file_open(NULL, options->home, &files, text, sizeof(text), &session->files);

        if (status == STATUS_SUCCESS)
            return status;
        if (status != STATUS_SHARING_VIOLATION && text[0])
            return complain(why, status, "%s", text);
        if (status != STATUS_SHARING_VIOLATION)
            return manager_complain(options->home, status, why);
        TRY(wait_for_home(options, status, &pause, &said, why));
    }
}

/* The library wants a place where relative paths start, and all of ours are absolute. */
static void
leave_removed_directory(void)
{
    owned(free_text) char *path = getcwd(NULL, 0);

    if (!path && chdir("/") != 0)
        return; /* the library will say that there is none */
}

NTSTATUS
session_open(const struct session_options *options, struct complaint *why, struct session **out)
{
    owned(session_close) struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return out_of_memory(why);
    recovery_init(&session->recovery);
    session->home = strdup(options->home);
    if (!session->home)
        return out_of_memory(why);
    leave_removed_directory();
    TRY(home_make(options->home, why));
    TRY(open_files(options, session, why));
    *out = give(session);
    return STATUS_SUCCESS;
}

static void
end_transaction(struct session *session)
{
    databases_end(&session->databases);
    ktm_file_close(session->tx);
    session->tx = NULL;
    if (session->transaction)
        (void)NtClose(session->transaction);
    session->transaction = NULL;
}

void
session_close(struct session *session)
{
    if (!session)
        return;
    end_transaction(session);
    databases_shut(&session->databases);
    ktm_file_shut(session->files);
    for (size_t i = 0; i < session->conflict_count; i++) {
        free(session->conflicts[i].path);
        free(session->conflicts[i].kept_as);
    }
    free(session->conflicts);
    recovery_deinit(&session->recovery);
    free(session->home);
    free(session);
}

/* ---- conflicts ---- */

static const char *
conflict_words(enum ktm_file_conflict_kind kind)
{
    switch (kind) {
    case KTM_FILE_KEPT:
        return "was written by somebody else meanwhile";
    case KTM_FILE_TAKEN:
        return "was replaced by somebody else meanwhile, and theirs was renamed";
    default:
        return "was removed by somebody else meanwhile";
    }
}

static void
add_conflict(struct session *session, const GUID *transaction,
             const struct ktm_file_conflict *conflict)
{
    size_t size = (session->conflict_count + 1) * sizeof(*session->conflicts);
    struct session_conflict *more = realloc(session->conflicts, size);

    char *path = strdup(conflict->path);
    char *kept_as = conflict->kept_as ? strdup(conflict->kept_as) : NULL;

    if (more)
        session->conflicts = more;
    if (!more || !path || (conflict->kept_as && !kept_as)) {
        free(path);
        free(kept_as);
        session->has_lost_conflicts = true;
        return;
    }
    session->conflicts[session->conflict_count++] =
        (struct session_conflict){.transaction = *transaction,
                                  .path = path,
                                  .kept_as = kept_as,
                                  .what = conflict_words(conflict->kind)};
}

static void
add_conflicts(struct session *session)
{
    struct ktm_file_conflict conflict;

    for (size_t i = 0; ktm_file_conflict(session->tx, i, &conflict) == STATUS_SUCCESS; i++)
        add_conflict(session, &session->guid, &conflict);
}

const struct session_conflict *
session_conflicts(const struct session *session, size_t *count, bool *are_all)
{
    *count = session->conflict_count;
    *are_all = !session->has_lost_conflicts;
    return session->conflicts;
}

/* ---- what a crash left ---- */

static void
take_report(void *context, const struct ktm_file_report *report)
{
    struct session *session = context;

    for (size_t i = 0; i < report->conflict_count; i++)
        add_conflict(session, &report->transaction, &report->conflicts[i]);
    recovery_note(&session->recovery, &report->transaction, report->state != KTM_FILE_PREPARED,
                  report->error);
}

NTSTATUS
session_recover(struct session *session, bool are_all, const struct recovery **out)
{
    HANDLE tm = ktm_file_tm(session->files);
    struct complaint ignored;

    ktm_file_recovered(session->files, take_report, session);
    recovery_open_resources(&session->recovery, session->home, tm, are_all);
    recovery_note_leftovers(&session->recovery, tm);
    *out = &session->recovery;
    return recovery_problem(&session->recovery, 0, &ignored) ? status_raise(STATUS_PENDING)
                                                             : STATUS_SUCCESS;
}

/* ---- one transaction ---- */

/* As much of the text as a description has room for, cut between characters. */
static void
describe(const char *what, WCHAR units[MAX_TRANSACTION_DESCRIPTION_LENGTH], UNICODE_STRING *out)
{
    uint16_t *all = NULL;
    size_t count = 0;

    if (text_to_utf16(what, &all, &count) != STATUS_SUCCESS)
        count = 0; /* a name that is not UTF-8: the description may be empty */
    if (count > MAX_TRANSACTION_DESCRIPTION_LENGTH)
        count = MAX_TRANSACTION_DESCRIPTION_LENGTH;
    if (count && all[count - 1] >= 0xD800 && all[count - 1] <= 0xDBFF)
        count--;
    memcpy(units, all ? all : (uint16_t[]){0}, count * sizeof(*units));
    free(all);
    *out = (UNICODE_STRING){.Length = (USHORT)(count * sizeof(*units)),
                            .MaximumLength = (USHORT)(count * sizeof(*units)),
                            .Buffer = units};
}

static NTSTATUS
begin(struct session *session, const char *what, uint64_t timeout)
{
    WCHAR units[MAX_TRANSACTION_DESCRIPTION_LENGTH];
    UNICODE_STRING description;
    LARGE_INTEGER ticks = {.QuadPart = -(LONGLONG)((timeout + 99) / 100)}; /* never early */

    describe(what, units, &description);
    TRY(NtCreateTransaction(&session->transaction, TRANSACTION_ALL_ACCESS, NULL, NULL,
                            ktm_file_tm(session->files), 0, 0, 0, timeout ? &ticks : NULL,
                            &description));
    TRY(ktm_file_begin(session->files, session->transaction, &session->tx));
    ktm_file_id(session->tx, &session->guid);
    return STATUS_SUCCESS;
}

NTSTATUS
session_begin(struct session *session, const char *what, uint64_t timeout, struct complaint *why,
              GUID *transaction)
{
    NTSTATUS status;

    CHECK(!session->transaction);
    session->deadline = timeout ? sys_now() + timeout : SYS_FOREVER;
    status = begin(session, what, timeout);
    if (status == STATUS_SUCCESS) {
        session->databases.home = session->home;
        session->databases.tm = ktm_file_tm(session->files);
        session->databases.transaction = session->transaction;
        session->databases.recovery = &session->recovery;
        *transaction = session->guid;
        return status;
    }
    end_transaction(session);
    return complain(why, status, "cannot begin a transaction: %s", STATUS_WORDS(status));
}

/* What the library says about the last refusal, else what the status means. */
static NTSTATUS
complain_of(struct session *session, NTSTATUS status, struct complaint *why)
{
    char text[COMPLAINT_SIZE];

    if (sys_now() >= session->deadline &&
        (status == STATUS_TRANSACTION_NOT_ACTIVE || status == STATUS_TRANSACTION_ALREADY_ABORTED ||
         status == STATUS_ROLLBACK_TIMER_EXPIRED))
        return complain(why, STATUS_ROLLBACK_TIMER_EXPIRED, "the time is over");
    if (databases_error(&session->databases, why))
        return status;
    if (ktm_file_error(session->tx, text, sizeof(text)))
        return complain(why, status, "%s", text);
    return complain(why, status, "%s", STATUS_WORDS(status));
}

static NTSTATUS
put_content(struct session *session, const struct step *step, struct ktm_file_content content)
{
    if (step->verb == STEP_APPEND)
        return ktm_file_append(session->tx, step->path, content);
    return ktm_file_put(session->tx, step->path, step->has_mode ? step->mode : KTM_FILE_MODE_KEEP,
                        content);
}

static NTSTATUS
put_stream(struct session *session, const struct step *step, struct complaint *why)
{
    struct stream stream = {.deadline = session->deadline};
    NTSTATUS status;

    TRY(stream_open(&stream, step->from, why));
    status = put_content(session, step, ktm_file_from_reader(stream_read, &stream));
    stream_close(&stream);
    if (status == STATUS_CANCELLED)
        return complain(why, status, "%s", interrupt_name() ?: "cancelled");
    return status == STATUS_SUCCESS ? status : complain_of(session, status, why);
}

static NTSTATUS
put(struct session *session, const struct step *step, struct complaint *why)
{
    NTSTATUS status;

    if (step->from && stream_is_one(step->from))
        return put_stream(session, step, why);
    status = put_content(session, step,
                         step->from ? ktm_file_from(step->from)
                                    : ktm_file_bytes(step->content, step->content_size));
    return status == STATUS_SUCCESS ? status : complain_of(session, status, why);
}

static NTSTATUS
expect(struct session *session, const struct step *step)
{
    switch (step->expectation) {
    case EXPECT_ABSENT:
        return ktm_file_expect_absent(session->tx, step->path);
    case EXPECT_EXISTS:
        return ktm_file_expect_exists(session->tx, step->path);
    default:
        CHECK(step->expectation == EXPECT_SHA256);
        return ktm_file_expect_sha256(session->tx, step->path, step->sha256);
    }
}

static NTSTATUS
perform(struct session *session, const struct step *step)
{
    struct ktm_file_tx *tx = session->tx;

    switch (step->verb) {
    case STEP_DELETE:
        return ktm_file_delete(tx, step->path);
    case STEP_MKDIR:
        return ktm_file_mkdir(tx, step->path, step->has_mode ? step->mode : KTM_FILE_MODE_KEEP);
    case STEP_RMDIR:
        return ktm_file_rmdir(tx, step->path);
    case STEP_RENAME:
        return ktm_file_rename(tx, step->from, step->path, KTM_FILE_REPLACE);
    case STEP_SYMLINK:
        return ktm_file_symlink(tx, step->path, step->target);
    case STEP_CHMOD:
        return ktm_file_chmod(tx, step->path, step->mode);
    case STEP_TREE:
        return ktm_file_tree(tx, step->path, step->from);
    default:
        CHECK(step->verb == STEP_EXPECT);
        return expect(session, step);
    }
}

static NTSTATUS
run_statement(struct session *session, const struct step *step, struct complaint *why)
{
    NTSTATUS status = databases_step(&session->databases, step, why);

    if (status != STATUS_SUCCESS && sys_now() >= session->deadline)
        return complain(why, STATUS_ROLLBACK_TIMER_EXPIRED, "the time is over");
    return status;
}

static NTSTATUS
do_step(struct session *session, const struct step *step, struct complaint *why)
{
    NTSTATUS status;

    if (step->verb == STEP_PUT || step->verb == STEP_APPEND)
        return put(session, step, why);
    if (step_is_statement(step->verb))
        return run_statement(session, step, why);
    status = perform(session, step);
    return status == STATUS_SUCCESS ? status : complain_of(session, status, why);
}

NTSTATUS
session_step(struct session *session, const struct step *step, struct complaint *why)
{
    NTSTATUS status = do_step(session, step, why);
    char label[STEP_LABEL_SIZE];

    /* The library numbers the steps as well, but has no name for what was no step to it. */
    if (status != STATUS_SUCCESS && strncmp(why->text, "step ", 5) != 0)
        complaint_prefix(why, "%s: ", step_label(step, label));
    return status;
}

/* ---- the end of it ---- */

static enum session_outcome
outcome_of(struct session *session)
{
    TRANSACTION_BASIC_INFORMATION info;
    NTSTATUS status = NtQueryInformationTransaction(
        session->transaction, TransactionBasicInformation, &info, sizeof(info), NULL);

    if (status != STATUS_SUCCESS || info.Outcome == TransactionOutcomeUndetermined)
        return OUTCOME_UNKNOWN;
    if (info.Outcome == TransactionOutcomeAborted)
        return OUTCOME_ROLLED_BACK;
    return ktm_file_state(session->tx) == KTM_FILE_PREPARED ||
                   databases_unfinished(&session->databases)
               ? OUTCOME_UNFINISHED
               : OUTCOME_COMMITTED;
}

enum session_outcome
session_commit(struct session *session, NTSTATUS *status, struct complaint *why)
{
    enum session_outcome outcome;

    *status = ktm_file_commit(session->tx);
    outcome = outcome_of(session);
    if (outcome == OUTCOME_COMMITTED)
        *status = STATUS_SUCCESS; /* whatever went wrong, it is all there */
    else if (outcome == OUTCOME_UNFINISHED && recovery_why(&session->recovery, &session->guid))
        *status =
            complain(why, STATUS_PENDING, "%s", recovery_why(&session->recovery, &session->guid));
    else if (*status == STATUS_SUCCESS)
        *status = complain_of(session, STATUS_PENDING, why);
    else
        *status = complain_of(session, *status, why);
    add_conflicts(session);
    end_transaction(session);
    return outcome;
}

enum session_outcome
session_rollback(struct session *session, struct complaint *why)
{
    NTSTATUS status = ktm_file_rollback(session->tx);
    enum session_outcome outcome = outcome_of(session);

    if (status != STATUS_SUCCESS && ktm_file_state(session->tx) == KTM_FILE_PREPARED)
        outcome = OUTCOME_UNKNOWN;
    if (outcome != OUTCOME_ROLLED_BACK)
        (void)complain_of(session, status, why);
    end_transaction(session);
    return outcome;
}
