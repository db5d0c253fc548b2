/* SPDX-License-Identifier: MIT */
/* ktm log dump, ktm log verify: what is in a log, and whether it is sound. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/log_scan.h"
#include "cli/owned.h"
#include "cli/tm_record.h"

/* ---- text ---- */

static void
print_hex(struct bytes data)
{
    size_t shown = data.size < 32 ? data.size : 32;

    for (size_t i = 0; i < shown; i++)
        printf("%02x", data.at[i]);
    fputs(shown < data.size ? "…" : "", stdout);
}

static void
print_participant(const struct tm_participant *participant)
{
    char enlistment[GUID_TEXT_SIZE], manager[GUID_TEXT_SIZE];

    guid_print(&participant->enlistment, enlistment);
    printf("    %s %s", participant->is_superior ? "superior" : "enlistment", enlistment);
    if (!guid_is_zero(&participant->manager)) {
        guid_print(&participant->manager, manager);
        printf(participant->is_branch ? " in the manager %s" : " of %s", manager);
    }
    if (participant->description[0])
        printf(" %s", QUOTE(participant->description));
    if (participant->info_size)
        printf(", %" PRIu32 " bytes of its own", participant->info_size);
    putchar('\n');
}

static void
print_record(const struct tm_record *record)
{
    char guid[GUID_TEXT_SIZE];

    printf("%-8s", record->type);
    if (record->oldest || !guid_is_zero(&record->identity)) {
        guid_print(&record->identity, guid);
        printf("  %s  clock %" PRId64 ", reading starts at %016" PRIx64, guid, record->clock,
               record->oldest);
    } else {
        guid_print(&record->transaction, guid);
        printf("  %s  clock %" PRId64, guid_is_zero(&record->transaction) ? "" : guid,
               record->clock);
    }
    if (record->description[0])
        printf(" %s", QUOTE(record->description));
    putchar('\n');
    for (size_t i = 0; i < record->count; i++)
        print_participant(&record->participants[i]);
}

/* ---- JSON ---- */

static struct json_object *
json_lsn(uint64_t lsn)
{
    char text[17];

    if (lsn == LOG_SCAN_NONE)
        return NULL;
    snprintf(text, sizeof(text), "%016" PRIx64, lsn);
    return json_object_new_string(text);
}

static struct json_object *
json_participant(const struct tm_participant *participant)
{
    struct json_object *out = json_object_new_object();

    json_object_object_add(out, "enlistment", json_out_guid(&participant->enlistment));
    json_object_object_add(out, "manager", json_out_guid(&participant->manager));
    json_object_object_add(out, "superior", json_object_new_boolean(participant->is_superior));
    json_object_object_add(out, "branch", json_object_new_boolean(participant->is_branch));
    json_object_object_add(out, "description", json_out_text(participant->description));
    json_object_object_add(out, "size", json_object_new_int64(participant->info_size));
    return out;
}

static void
json_add_record(struct json_object *out, const struct tm_record *record)
{
    struct json_object *participants;

    json_object_object_add(out, "type", json_object_new_string(record->type));
    json_object_object_add(out, "clock", json_object_new_int64(record->clock));
    if (!guid_is_zero(&record->transaction))
        json_object_object_add(out, "transaction", json_out_guid(&record->transaction));
    if (!guid_is_zero(&record->identity)) {
        json_object_object_add(out, "identity", json_out_guid(&record->identity));
        json_object_object_add(out, "oldest", json_lsn(record->oldest));
    }
    if (record->description[0])
        json_object_object_add(out, "description", json_out_text(record->description));
    if (!record->count)
        return;
    participants = json_object_new_array();
    for (size_t i = 0; i < record->count; i++)
        json_object_array_add(participants, json_participant(&record->participants[i]));
    json_object_object_add(out, "participants", participants);
}

static struct json_object *
json_entry(const struct log_entry *entry, const struct tm_record *record)
{
    struct json_object *out = json_object_new_object();

    json_object_object_add(out, "lsn", json_lsn(entry->lsn));
    json_object_object_add(out, "size", json_object_new_int64((int64_t)entry->data.size));
    json_object_object_add(out, "previous", json_lsn(entry->previous));
    json_object_object_add(out, "undo_next", json_lsn(entry->undo_next));
    if (record)
        json_add_record(out, record);
    else
        json_object_object_add(out, "type",
                               json_object_new_string(entry->is_restart ? "RESTART" : "DATA"));
    return out;
}

static struct json_object *
json_facts(const struct log_facts *facts)
{
    struct json_object *out = json_object_new_object();

    json_object_object_add(out, "identity", json_out_guid(&facts->identity));
    json_object_object_add(out, "base", json_lsn(facts->base));
    json_object_object_add(out, "end", json_lsn(facts->end));
    json_object_object_add(out, "restart", json_lsn(facts->restart));
    json_object_object_add(out, "containers", json_object_new_int64(facts->containers));
    json_object_object_add(out, "container_size",
                           json_object_new_int64((int64_t)facts->container_size));
    return out;
}

/* ---- the verbs ---- */

struct dump {
    const char *path;
    bool is_json, is_verify;
    struct log_scan *scan;
    uint64_t records, foreign; /* foreign: no record of a transaction manager */
    uint64_t last;             /* LSN of the last record that could be read */
};

static void
dump_entry(struct dump *dump, const struct log_entry *entry)
{
    struct tm_record record = {0};
    bool is_ours = tm_record_read(entry->data, entry->is_restart, &record) == STATUS_SUCCESS;

    dump->records++;
    dump->foreign += !is_ours;
    dump->last = entry->lsn;
    if (dump->is_verify) {
        tm_record_deinit(&record);
        return;
    }
    if (dump->is_json) {
        struct json_object *out = json_entry(entry, is_ours ? &record : NULL);

        printf("%s\n    %s", dump->records > 1 ? "," : "",
               json_object_to_json_string_ext(out, JSON_OUT_FLAGS));
        json_object_put(out);
    } else {
        printf("%016" PRIx64 "  ", entry->lsn);
        if (is_ours) {
            print_record(&record);
        } else {
            printf("%-8s  %zu bytes  ", entry->is_restart ? "RESTART" : "DATA", entry->data.size);
            print_hex(entry->data);
            putchar('\n');
        }
    }
    tm_record_deinit(&record);
}

static NTSTATUS
dump_entries(struct dump *dump)
{
    struct log_entry entry;
    NTSTATUS status;

    while ((status = log_scan_next(dump->scan, &entry)) == STATUS_SUCCESS) {
        dump_entry(dump, &entry);
        if (ferror(stdout))
            return STATUS_END_OF_FILE; /* nobody reads on; said at the end */
    }
    return status;
}

static void
print_facts(const struct dump *dump)
{
    const struct log_facts *facts = log_scan_facts(dump->scan);
    char guid[GUID_TEXT_SIZE];

    guid_print(&facts->identity, guid);
    printf("log %s, %u containers of %" PRIu64 " bytes, records from %016" PRIx64 " to %016" PRIx64
           "\n",
           guid, facts->containers, facts->container_size, facts->base, facts->end);
}

/* Where in the log, in words. */
static void
describe_place(const struct dump *dump, char *out, size_t size)
{
    uint64_t from = dump->records ? dump->last : log_scan_facts(dump->scan)->base;

    snprintf(out, size, "%s record %016" PRIx64 " (container %" PRIu32 ", byte %" PRIu32 ")",
             dump->records ? "behind" : "at", from, (uint32_t)(from >> 32), (uint32_t)from & ~511u);
}

static int
end_text(const struct dump *dump, NTSTATUS status)
{
    char place[128], text[STATUS_TEXT_SIZE];

    if (status != STATUS_END_OF_FILE) {
        describe_place(dump, place, sizeof(place));
        print_error("the log %s is damaged %s: %s (%s); %s", QUOTE(dump->path), place,
                    STATUS_WORDS(status), status_text(status, text), log_advice(status) ?: "");
        return print_end(EXIT_ROLLED_BACK, true);
    }
    if (dump->is_verify) {
        printf("sound: %" PRIu64 " records%s\n", dump->records,
               !dump->records                   ? ""
               : dump->foreign == 0             ? " of a transaction manager"
               : dump->foreign == dump->records ? ""
                                                : ", not all of a transaction manager");
    }
    return print_end(EXIT_COMMITTED, true);
}

static int
end_json(const struct dump *dump, NTSTATUS status, const char *why)
{
    bool is_sound = status == STATUS_END_OF_FILE;
    struct json_object *end = json_object_new_object();
    const char *text;
    char place[128], name[STATUS_TEXT_SIZE];

    if (dump->scan)
        json_object_object_add(end, "log", json_facts(log_scan_facts(dump->scan)));
    json_object_object_add(end, "count", json_object_new_int64((int64_t)dump->records));
    json_object_object_add(end, "sound", json_object_new_boolean(is_sound));
    if (!is_sound) {
        json_object_object_add(end, "status", json_object_new_string(status_text(status, name)));
        json_object_object_add(end, "why", json_out_text(why ? why : STATUS_WORDS(status)));
    }
    if (!is_sound && dump->scan) {
        describe_place(dump, place, sizeof(place));
        json_object_object_add(end, "where", json_object_new_string(place));
    }
    /* The records were printed one by one; the rest joins them in one object. */
    text = json_object_to_json_string_ext(end, JSON_OUT_FLAGS);
    if (!dump->is_verify && dump->scan)
        printf("%s],\n%s\n", dump->records ? "\n  " : "", text + 1);
    else
        puts(text);
    json_object_put(end);
    return print_end(is_sound ? EXIT_COMMITTED : EXIT_ROLLED_BACK, true);
}

static int
run_dump(struct dump *dump)
{
    owned(log_scan_close) struct log_scan *scan = NULL;
    struct complaint why;
    NTSTATUS status = log_scan_open(dump->path, &why, &scan);

    if (status != STATUS_SUCCESS) {
        if (dump->is_json)
            return end_json(dump, status, why.text);
        print_error("%s", why.text);
        return EXIT_ROLLED_BACK;
    }
    dump->scan = scan;
    if (!dump->is_verify && dump->is_json)
        fputs("{\"records\": [", stdout);
    if (!dump->is_verify && !dump->is_json)
        print_facts(dump);
    status = dump_entries(dump);
    return dump->is_json ? end_json(dump, status, NULL) : end_text(dump, status);
}

static int
run_in_home(struct dump *dump, const char *option)
{
    owned(free_text) char *home = NULL;
    owned(free_text) char *path = NULL;
    struct complaint why;

    if (home_find(option, &why, &home) != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    path = home_file(home, HOME_LOG ".blf");
    if (!path) {
        print_error("out of memory");
        return EXIT_ROLLED_BACK;
    }
    dump->path = path;
    return run_dump(dump);
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS, {0}};
    struct common common = {0};
    struct dump dump = {0};
    const char *what;
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (common_take(&common, option, &verb_log, arguments, &code) && code >= 0)
            return code;
    }
    what = optind < count ? arguments[optind] : "";
    if (strcmp(what, "dump") != 0 && strcmp(what, "verify") != 0)
        return usage_error(&verb_log, "it takes 'dump' or 'verify'%s%s", what[0] ? ", not " : "",
                           what[0] ? QUOTE(what) : "");
    if (count - optind > 2)
        return usage_error(&verb_log, "it takes one log, and %s is one more",
                           QUOTE(arguments[optind + 2]));
    dump.is_json = common.is_json;
    dump.is_verify = strcmp(what, "verify") == 0;
    if (optind + 1 == count)
        return run_in_home(&dump, common.home);
    dump.path = arguments[optind + 1];
    return run_dump(&dump);
}

const struct verb verb_log = {
    .name = "log",
    .summary = "show a log, or verify that it is sound",
    .help = "usage: ktm log dump [OPTION...] [PATH]\n"
            "       ktm log verify [OPTION...] [PATH]\n"
            "\n"
            "dump    prints every record from the base of the log to its end\n"
            "verify  reads all of it and says whether it is sound, or what is damaged where\n"
            "\n"
            "PATH is the base file of a log, with or without '.blf'; without it, the log of the\n"
            "home is taken. Nothing is written. A log that a process has open is refused.\n"
            "\n"
            "  --home DIR  the home whose log is meant\n"
            "  --json      one JSON object\n"
            "\n"
            "Exit status: 0 sound; 1 damaged or not readable; 2 wrong use.\n",
    .run = run,
};
