/* SPDX-License-Identifier: MIT */
/* ktm clock: the virtual clock, and where a rollforward can stop. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/owned.h"
#include "cli/replay.h"

/* One value of the clock, and the records that it applies beyond those of the value before. */
struct stop {
    int64_t clock;
    size_t from, to;
};

/* The stop that applies the record 'from', which there is. Restart areas before all else belong to
 * the first one. */
static struct stop
stop_at(const struct replay *replay, size_t from)
{
    size_t number = replay_reach(replay, from, INT64_MIN);
    int64_t clock =
        number < replay->count ? replay->records[number].stop : replay_end_clock(replay);

    return (struct stop){.clock = clock, .from = from, .to = replay_reach(replay, number, clock)};
}

/* ---- for people ---- */

static void
print_stops(const struct replay *replay)
{
    char lsn[REPLAY_LSN_SIZE];

    printf("\n%12s  %7s  %-16s\n", "CLOCK", "RECORDS", "LAST RECORD");
    for (struct stop stop = {0}; stop.to < replay->count;) {
        stop = stop_at(replay, stop.to);
        printf("%12" PRId64 "  %7zu  %s%s\n", stop.clock, stop.to - stop.from,
               replay_lsn_text(replay->records[stop.to - 1].lsn, lsn),
               stop.to == replay->count ? "  the end: from here on the manager is online" : "");
    }
}

static int
show_text(const struct replay *replay)
{
    char last[REPLAY_LSN_SIZE], restart[REPLAY_LSN_SIZE], start[REPLAY_LSN_SIZE];

    printf("clock %" PRId64, replay_end_clock(replay));
    if (replay->count == 0) {
        puts("\nThere is nothing in the log to stop at.");
        return print_end(EXIT_COMMITTED, true);
    }
    printf(", last record %s\n"
           "restart area %s, clock %" PRId64 "; recovery reads from %s on\n",
           replay_lsn_text(replay->records[replay->count - 1].lsn, last),
           replay_lsn_text(replay->restart, restart), replay->start_clock,
           replay_lsn_text(replay->start, start));
    print_stops(replay);
    puts("\n'ktm recover --clock N' applies what is up to N and stops there.");
    return print_end(EXIT_COMMITTED, true);
}

/* ---- for programs ---- */

static struct json_object *
json_lsn(uint64_t lsn)
{
    char text[REPLAY_LSN_SIZE];

    return json_object_new_string(replay_lsn_text(lsn, text));
}

static struct json_object *
json_stops(const struct replay *replay)
{
    struct json_object *list = json_object_new_array();

    for (struct stop stop = {0}; stop.to < replay->count;) {
        struct json_object *each = json_object_new_object();

        stop = stop_at(replay, stop.to);
        json_object_object_add(each, "clock", json_object_new_int64(stop.clock));
        json_object_object_add(each, "records",
                               json_object_new_int64((int64_t)(stop.to - stop.from)));
        json_object_object_add(each, "lsn", json_lsn(replay->records[stop.to - 1].lsn));
        json_object_object_add(each, "online", json_object_new_boolean(stop.to == replay->count));
        json_object_array_add(list, each);
    }
    return list;
}

static int
show_json(const char *home, const struct replay *replay)
{
    struct json_object *out = json_object_new_object();

    json_object_object_add(out, "home", json_out_text(home));
    json_object_object_add(out, "identity", json_out_guid(&replay->identity));
    json_object_object_add(out, "clock", json_object_new_int64(replay_end_clock(replay)));
    json_object_object_add(out, "lsn",
                           replay->count ? json_lsn(replay->records[replay->count - 1].lsn) : NULL);
    json_object_object_add(out, "restart", replay->count ? json_lsn(replay->restart) : NULL);
    json_object_object_add(out, "restart_clock", json_object_new_int64(replay->start_clock));
    json_object_object_add(out, "start", replay->count ? json_lsn(replay->start) : NULL);
    json_object_object_add(out, "stops", json_stops(replay));
    json_out_print(out);
    return print_end(EXIT_COMMITTED, true);
}

static int
complain_json(const char *home, NTSTATUS status, const struct complaint *why)
{
    struct json_object *out = json_object_new_object();
    char name[STATUS_TEXT_SIZE];

    json_object_object_add(out, "home", json_out_text(home));
    json_object_object_add(out, "status", json_object_new_string(status_text(status, name)));
    json_object_object_add(out, "why", json_out_text(why->text));
    json_out_print(out);
    return print_end(EXIT_ROLLED_BACK, true);
}

/* ---- the verb ---- */

static int
show_home(const char *home, bool is_json)
{
    struct replay replay = {0};
    struct complaint why;
    NTSTATUS status = replay_read(home, &why, &replay);
    int code;

    if (status == STATUS_OBJECT_NAME_NOT_FOUND && !is_json) {
        puts("Nothing was ever applied with this home.");
        return print_end(EXIT_COMMITTED, true);
    }
    if (status != STATUS_SUCCESS) {
        if (is_json)
            return complain_json(home, status, &why);
        print_error("%s", why.text);
        return EXIT_ROLLED_BACK;
    }
    code = is_json ? show_json(home, &replay) : show_text(&replay);
    replay_deinit(&replay);
    return code;
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS, {0}};
    owned(free_text) char *home = NULL;
    struct common common = {0};
    struct complaint why;
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (common_take(&common, option, &verb_clock, arguments, &code) && code >= 0)
            return code;
    }
    if (optind < count)
        return usage_error(&verb_clock, "it takes no argument, and there is %s",
                           QUOTE(arguments[optind]));
    if (home_find(common.home, &why, &home) != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    return show_home(home, common.is_json);
}

const struct verb verb_clock = {
    .name = "clock",
    .summary = "show the virtual clock, and where a rollforward can stop",
    .help =
        "usage: ktm clock [OPTION...]\n"
        "\n"
        "Shows the virtual clock of the home's transaction manager as recovery will find it,\n"
        "the last record in its log, and each value at which 'ktm recover --clock' can stop,\n"
        "with the number of records that it applies beyond the value before. The clock goes up\n"
        "by one with each commit. Nothing is written. A log in use is refused.\n"
        "\n"
        "  --home DIR  where the state is kept\n"
        "  --json      one JSON object\n"
        "\n"
        "Exit status: 0 it could be looked at; 1 it could not; 2 wrong use.\n",
    .run = run,
};
