/* SPDX-License-Identifier: MIT */
/*
 * ktm tx show: what is known about one transaction. The manager knows it while it is unfinished;
 * the history of the command and the records that are still in the log know it longer.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/history.h"
#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/log_scan.h"
#include "cli/manager.h"
#include "cli/owned.h"
#include "cli/resources.h"
#include "cli/tm_record.h"

struct account {
    const char *home;
    GUID guid;
    char text[GUID_TEXT_SIZE];
    bool is_unfinished;
    struct manager_transaction transaction; /* when it is unfinished */
    bool is_busy;                           /* the manager could not be asked */
    struct resources resources;             /* of the home, when it is unfinished */
    struct json_object *history, *records;
    char *last_event, *last_why;           /* of the history */
    bool has_prepare, has_commit, has_end; /* records in the log; end: ABORT or FORGET */
};

/* ---- asking ---- */

static void
account_deinit(struct account *account)
{
    manager_transaction_deinit(&account->transaction);
    resources_deinit(&account->resources);
    json_object_put(account->history);
    json_object_put(account->records);
    free(account->last_event);
    free(account->last_why);
}

static NTSTATUS
ask_manager(struct account *account, struct complaint *why)
{
    owned_handle HANDLE tm = NULL;
    NTSTATUS status = manager_open(account->home, why, &tm);

    if (status == STATUS_SHARING_VIOLATION) {
        account->is_busy = true;
        return STATUS_SUCCESS;
    }
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return STATUS_SUCCESS; /* no log: the history may know */
    TRY(status);
    status = manager_transaction(tm, &account->guid, &account->transaction);
    account->is_unfinished = status == STATUS_SUCCESS;
    if (status == STATUS_SUCCESS || status == STATUS_TRANSACTION_NOT_FOUND)
        return STATUS_SUCCESS;
    return manager_complain(account->home, status, why);
}

static const char *
time_text(int64_t seconds, char *into, size_t size)
{
    time_t at = (time_t)seconds;
    struct tm broken;

    if (!localtime_r(&at, &broken) || !strftime(into, size, "%Y-%m-%d %H:%M:%S", &broken))
        snprintf(into, size, "%" PRId64, seconds);
    return into;
}

static void
note_history(void *context, const struct history_entry *entry)
{
    struct account *account = context;
    struct json_object *line = json_object_new_object();

    json_object_object_add(line, "time", json_object_new_int64(entry->time));
    json_object_object_add(line, "event", json_out_text(entry->event));
    if (entry->what)
        json_object_object_add(line, "what", json_out_text(entry->what));
    if (entry->why)
        json_object_object_add(line, "why", json_out_text(entry->why));
    if (entry->steps)
        json_object_object_add(line, "steps", json_object_new_int64(entry->steps));
    json_object_object_add(line, "process", json_object_new_int64(entry->process));
    json_object_array_add(account->history, line);
    free(account->last_event);
    account->last_event = strdup(entry->event);
    if (entry->why) {
        free(account->last_why);
        account->last_why = strdup(entry->why);
    }
}

static void
note_record(struct account *account, const struct log_entry *entry)
{
    struct tm_record record;
    struct json_object *line;
    char lsn[17];

    if (tm_record_read(entry->data, entry->is_restart, &record) != STATUS_SUCCESS)
        return;
    if (guid_equal(&record.transaction, &account->guid)) {
        line = json_object_new_object();
        snprintf(lsn, sizeof(lsn), "%016" PRIx64, entry->lsn);
        json_object_object_add(line, "lsn", json_object_new_string(lsn));
        json_object_object_add(line, "type", json_object_new_string(record.type));
        json_object_object_add(line, "clock", json_object_new_int64(record.clock));
        json_object_object_add(line, "participants", json_object_new_int64((int64_t)record.count));
        json_object_array_add(account->records, line);
        account->has_prepare |= strcmp(record.type, "PREPARE") == 0;
        account->has_commit |= strcmp(record.type, "COMMIT") == 0;
        account->has_end |= strcmp(record.type, "FORGET") == 0 || strcmp(record.type, "ABORT") == 0;
    }
    tm_record_deinit(&record);
}

/* Without writing to it: opening the manager would drop the records that say most. */
static bool
read_log(struct account *account)
{
    owned(free_text) char *path = home_file(account->home, HOME_LOG);
    owned(log_scan_close) struct log_scan *scan = NULL;
    struct complaint ignored;
    struct log_entry entry;
    NTSTATUS status;

    if (!path || log_scan_open(path, &ignored, &scan) != STATUS_SUCCESS)
        return false;
    while ((status = log_scan_next(scan, &entry)) == STATUS_SUCCESS)
        note_record(account, &entry);
    return status == STATUS_END_OF_FILE;
}

/* ---- telling ---- */

static bool
is_known(const struct account *account)
{
    return account->is_unfinished || json_object_array_length(account->history) ||
           json_object_array_length(account->records);
}

static const char *
state_of(const struct account *account)
{
    if (account->is_unfinished)
        return manager_transaction_state(&account->transaction);
    if (account->last_event && strcmp(account->last_event, "begun") != 0 &&
        strcmp(account->last_event, "unknown") != 0)
        return account->last_event;
    /* A FORGET follows when all is done, and what was rolled back leaves no COMMIT. */
    if (account->has_commit)
        return account->has_end ? "committed, finished" : "committed";
    if (account->is_busy)
        return "not known while the home is in use";
    /* What is not in the log was never decided [RECOV-01], or long ago. */
    return "rolled back, or finished so long ago that the log no longer says";
}

/* 'resource' NULL: it is none that the home knows. */
static void
print_participant(const char *enlistment, const char *manager, const struct resource *resource)
{
    if (!resource) {
        printf("enlistment   %s of resource manager %s\n", enlistment, manager);
        return;
    }
    print_text("enlistment   %s of %s %s%s%s", enlistment, resource->kind,
               QUOTE(resource->place ?: resource->name), resource->trouble ? ": " : "",
               resource->trouble ?: "");
}

static void
print_participants(const struct account *account)
{
    for (size_t i = 0; i < account->transaction.count; i++) {
        char enlistment[GUID_TEXT_SIZE], manager[GUID_TEXT_SIZE];

        guid_print(&account->transaction.participants[i].enlistment, enlistment);
        guid_print(&account->transaction.participants[i].manager, manager);
        print_participant(
            enlistment, manager,
            resources_find(&account->resources, &account->transaction.participants[i].manager));
    }
}

static const char *
member_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
}

static void
print_lines(const struct account *account)
{
    for (size_t i = 0; i < json_object_array_length(account->history); i++) {
        struct json_object *line = json_object_array_get_idx(account->history, i), *seconds;
        char when[64];
        const char *why = member_text(line, "why"), *what = member_text(line, "what");

        json_object_object_get_ex(line, "time", &seconds);
        print_text("history      %s  %s%s%s%s%s",
                   time_text(json_object_get_int64(seconds), when, sizeof(when)),
                   member_text(line, "event"), what[0] ? " " : "", what[0] ? QUOTE(what) : "",
                   why[0] ? ": " : "", why);
    }
    for (size_t i = 0; i < json_object_array_length(account->records); i++) {
        struct json_object *line = json_object_array_get_idx(account->records, i);

        printf("log          %s  %s, clock %s\n", member_text(line, "lsn"),
               member_text(line, "type"), member_text(line, "clock"));
    }
}

static int
tell(const struct account *account)
{
    if (!is_known(account)) {
        print_error("transaction %s is not known in %s%s; 'ktm status' lists what is unfinished",
                    account->text, QUOTE(account->home),
                    account->is_busy ? ", which is in use" : "");
        return EXIT_ROLLED_BACK;
    }
    printf("transaction  %s\n", account->text);
    print_text("state        %s", state_of(account));
    if (account->last_why)
        print_text("reason       %s", account->last_why);
    if (account->is_unfinished) {
        printf("next         %s\n", manager_transaction_advice(&account->transaction));
        print_participants(account);
    }
    print_lines(account);
    return print_end(EXIT_COMMITTED, true);
}

static void
add_json_resource(struct json_object *each, const struct resource *resource)
{
    if (!resource)
        return;
    json_object_object_add(each, "kind", json_out_text(resource->kind));
    json_object_object_add(each, "place", json_out_text(resource->place));
    if (resource->trouble)
        json_object_object_add(each, "trouble", json_out_text(resource->trouble));
}

static int
tell_json(const struct account *account)
{
    struct json_object *out = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < account->transaction.count; i++) {
        struct json_object *each = json_object_new_object();

        json_object_object_add(each, "enlistment",
                               json_out_guid(&account->transaction.participants[i].enlistment));
        json_object_object_add(each, "manager",
                               json_out_guid(&account->transaction.participants[i].manager));
        add_json_resource(each, resources_find(&account->resources,
                                               &account->transaction.participants[i].manager));
        json_object_array_add(list, each);
    }
    json_object_object_add(out, "transaction", json_object_new_string(account->text));
    json_object_object_add(out, "known", json_object_new_boolean(is_known(account)));
    if (is_known(account)) {
        json_object_object_add(out, "state", json_object_new_string(state_of(account)));
        json_object_object_add(out, "unfinished", json_object_new_boolean(account->is_unfinished));
        json_object_object_add(out, "reason", json_out_text(account->last_why));
    }
    json_object_object_add(out, "enlistments", list);
    json_object_object_add(out, "history", json_object_get(account->history));
    json_object_object_add(out, "log", json_object_get(account->records));
    json_out_print(out);
    return print_end(is_known(account) ? EXIT_COMMITTED : EXIT_ROLLED_BACK, true);
}

static int
show_transaction(struct account *account, bool is_json)
{
    struct complaint why;
    NTSTATUS status = home_check(account->home, &why);

    account->history = json_object_new_array();
    account->records = json_object_new_array();
    account->is_busy = manager_holder(account->home) != 0;
    /* The manager knows what is decided and not forgotten, and what is wrong with its log. */
    if (status == STATUS_SUCCESS && !account->is_busy &&
        (!read_log(account) ||
         ((account->has_prepare || account->has_commit) && !account->has_end)))
        status = ask_manager(account, &why);
    if (status != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_ROLLED_BACK;
    }
    if (account->is_unfinished)
        status = resources_read(account->home, false, &account->resources);
    if (status != STATUS_SUCCESS) {
        print_error("out of memory");
        return EXIT_ROLLED_BACK;
    }
    (void)history_read(account->home, account->text, note_history, account);
    return is_json ? tell_json(account) : tell(account);
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS, {0}};
    owned(free_text) char *home = NULL;
    struct common common = {0};
    struct account account = {0};
    struct complaint why;
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (common_take(&common, option, &verb_tx, arguments, &code) && code >= 0)
            return code;
    }
    if (optind == count || strcmp(arguments[optind], "show") != 0 || count - optind != 2)
        return usage_error(&verb_tx, "it takes 'show' and the GUID of a transaction");
    if (guid_parse(arguments[optind + 1], &account.guid) != STATUS_SUCCESS)
        return usage_error(&verb_tx, "%s is no GUID", QUOTE(arguments[optind + 1]));
    if (home_find(common.home, &why, &home) != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    account.home = home;
    guid_print(&account.guid, account.text);
    code = show_transaction(&account, common.is_json);
    account_deinit(&account);
    return code;
}

const struct verb verb_tx = {
    .name = "tx",
    .summary = "show what is known about a transaction",
    .help =
        "usage: ktm tx show [OPTION...] GUID\n"
        "\n"
        "Shows the state of a transaction, its outcome and the reason, who takes part, and its\n"
        "history. A transaction that is finished is known from the history of the command and\n"
        "from the records that are still in the log.\n"
        "\n"
        "  --home DIR  where the state is kept\n"
        "  --json      one JSON object\n"
        "\n"
        "Exit status: 0 it is known; 1 it is not, or could not be asked for; 2 wrong use.\n",
    .run = run,
};
