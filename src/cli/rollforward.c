/* SPDX-License-Identifier: MIT */
/* Step by step through the log, through the public routines. */
#include "cli/rollforward.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/manager.h"
#include "cli/names.h"
#include "cli/owned.h"

bool
rollforward_target(const char *text, int64_t *out)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value <= 0 || text[0] == ' ' || text[0] == '+')
        return false;
    *out = value;
    return true;
}

/* ---- one step ---- */

struct step {
    int64_t target, clock;
    uint64_t lsn; /* of the last record read [TM-ROLLFWD-12] */
    bool is_online;
    size_t from, to; /* the records that it has applied, in the replay */
};

static NTSTATUS
advance(HANDLE tm, int64_t target, struct step *step)
{
    LARGE_INTEGER clock = {.QuadPart = target};
    TRANSACTIONMANAGER_RECOVERY_INFORMATION recovery;
    struct manager_facts facts;
    NTSTATUS status;

    TRY(NtRollforwardTransactionManager(tm, &clock));
    TRY(manager_query(tm, &facts));
    TRY(NtQueryInformationTransactionManager(tm, TransactionManagerRecoveryInformation, &recovery,
                                             sizeof(recovery), NULL));
    status =
        NtSetInformationTransactionManager(tm, TransactionManagerOnlineProbeInformation, NULL, 0);
    if (status != STATUS_TRANSACTIONMANAGER_NOT_ONLINE)
        TRY(status);
    step->target = target;
    step->clock = facts.clock;
    step->lsn = recovery.LastRecoveredLsn;
    step->is_online = status == STATUS_SUCCESS;
    return STATUS_SUCCESS;
}

static void
find_records(const struct replay *replay, struct step *step)
{
    step->to = step->from;
    while (step->to < replay->count && replay->records[step->to].lsn <= step->lsn)
        step->to++;
}

/* ---- telling it ---- */

static void
print_step(const struct replay *replay, const struct step *step)
{
    size_t count = step->to - step->from;
    char lsn[REPLAY_LSN_SIZE], guid[GUID_TEXT_SIZE];

    printf("clock %" PRId64 ": %zu record%s applied", step->target, count, count == 1 ? "" : "s");
    if (count)
        printf(", up to %s", replay_lsn_text(step->lsn, lsn));
    if (step->clock != step->target)
        printf("; the clock is at %" PRId64 " already", step->clock);
    putchar('\n');
    for (size_t i = step->from; i < step->to; i++) {
        const struct replay_record *record = &replay->records[i];

        guid_print(&record->transaction, guid);
        printf("  %s  clock %" PRId64 "  %-8s%s%s\n", replay_lsn_text(record->lsn, lsn),
               record->clock, record->type, guid_is_zero(&record->transaction) ? "" : "  ",
               guid_is_zero(&record->transaction) ? "" : guid);
    }
    if (step->is_online)
        puts("that is the end of the log: the transaction manager is online");
}

static struct json_object *
json_record(const struct replay_record *record)
{
    struct json_object *out = json_object_new_object();
    char lsn[REPLAY_LSN_SIZE];

    json_object_object_add(out, "lsn", json_object_new_string(replay_lsn_text(record->lsn, lsn)));
    json_object_object_add(out, "clock", json_object_new_int64(record->clock));
    json_object_object_add(out, "type", json_object_new_string(record->type));
    if (!guid_is_zero(&record->transaction))
        json_object_object_add(out, "transaction", json_out_guid(&record->transaction));
    return out;
}

static struct json_object *
json_step(const struct replay *replay, const struct step *step)
{
    struct json_object *out = json_object_new_object(), *records = json_object_new_array();
    char lsn[REPLAY_LSN_SIZE];

    for (size_t i = step->from; i < step->to; i++)
        json_object_array_add(records, json_record(&replay->records[i]));
    json_object_object_add(out, "target", json_object_new_int64(step->target));
    json_object_object_add(out, "clock", json_object_new_int64(step->clock));
    json_object_object_add(
        out, "lsn", step->lsn ? json_object_new_string(replay_lsn_text(step->lsn, lsn)) : NULL);
    json_object_object_add(out, "online", json_object_new_boolean(step->is_online));
    json_object_object_add(out, "records", records);
    return out;
}

/* ---- all steps ---- */

static NTSTATUS
walk(HANDLE tm, const struct replay *replay, const int64_t *targets, size_t count,
     const struct common *common, struct rollforward *out)
{
    struct step step = {0};

    for (size_t i = 0; i < count && !step.is_online; i++) {
        step.from = step.to;
        TRY(advance(tm, targets[i], &step));
        find_records(replay, &step);
        if (out->steps)
            json_object_array_add(out->steps, json_step(replay, &step));
        else if (!common->is_quiet)
            print_step(replay, &step);
    }
    out->is_online = step.is_online;
    out->clock = step.clock;
    out->left = step.is_online ? 0 : replay->count - step.to;
    out->next_clock = out->left ? replay->records[step.to].clock : 0;
    return STATUS_SUCCESS;
}

/* Opens the manager and leaves it as it is: not recovered. */
static NTSTATUS
open_unrecovered(const char *home, struct complaint *why, HANDLE *out)
{
    owned(free_text) char *path = home_file(home, HOME_LOG);
    owned_name struct name name = {0};
    NTSTATUS status;

    if (!path)
        return out_of_memory(why);
    TRY(name_of_log("", path, why, &name));
    status =
        NtOpenTransactionManager(out, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &name.string, NULL, 0);
    return status == STATUS_SUCCESS ? status : manager_complain(home, status, why);
}

NTSTATUS
rollforward(const char *home, const int64_t *targets, size_t count, const struct common *common,
            struct complaint *why, struct rollforward *out)
{
    struct rollforward result = {.steps = common->is_json ? json_object_new_array() : NULL};
    owned_handle HANDLE tm = NULL;
    struct replay replay = {0};
    NTSTATUS status = replay_read(home, why, &replay);

    if (status == STATUS_SUCCESS)
        status = open_unrecovered(home, why, &tm);
    if (status == STATUS_SUCCESS) {
        status = walk(tm, &replay, targets, count, common, &result);
        if (status != STATUS_SUCCESS)
            (void)complain(why, status, "the log in %s cannot be recovered: %s", QUOTE(home),
                           STATUS_WORDS(status));
    }
    replay_deinit(&replay);
    if (status != STATUS_SUCCESS) {
        json_object_put(result.steps);
        return status;
    }
    *out = result;
    return STATUS_SUCCESS;
}
