/* SPDX-License-Identifier: MIT */
/* ktm recover: finishes what a crash left. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/home.h"
#include "cli/interrupt.h"
#include "cli/owned.h"
#include "cli/result.h"
#include "cli/rollforward.h"
#include "sys/thread.h"

static const char *
sentence(const struct recovery *recovery, char *into, size_t size)
{
    unsigned finished = recovery_finished(recovery);

    if (!finished)
        return "nothing was left to recover";
    snprintf(into, size, "recovered: %u transaction%s finished", finished,
             finished == 1 ? "" : "s");
    return into;
}

static void
recover(const struct session_options *options, struct session **session, struct result *result)
{
    bool are_all;

    result->code = EXIT_ROLLED_BACK;
    result->outcome = "not recovered";
    result->is_recovery = true;
    result->status = session_open(options, &result->why, session);
    if (result->status != STATUS_SUCCESS)
        return;
    result->code = EXIT_UNKNOWN;
    result->status = session_recover(*session, true, &result->recovery);
    if (result->status != STATUS_SUCCESS) {
        (void)recovery_problem(result->recovery, 0, &result->why);
        result->outcome = "not recovered";
        result->advice = "mend that and run 'ktm recover' again";
        return;
    }
    result->conflicts = session_conflicts(*session, &result->conflict_count, &are_all);
    result->code = result->conflict_count || !are_all || result->recovery->damage_count
                       ? EXIT_ATTENTION
                       : EXIT_COMMITTED;
}

/* ---- to a value of the clock ---- */

struct targets {
    int64_t values[ROLLFORWARD_TARGETS_MAX];
    size_t count;
};

/* False: it is wrong, and that was said. */
static bool
add_target(struct targets *targets, const char *text)
{
    int64_t value, last = targets->count ? targets->values[targets->count - 1] : 0;

    if (!rollforward_target(text, &value))
        (void)usage_error(&verb_recover, "a clock is a number greater than 0, not %s", QUOTE(text));
    else if (value <= last)
        (void)usage_error(&verb_recover, "the clock only goes forward: %s comes after %" PRId64,
                          QUOTE(text), last);
    else if (targets->count == ROLLFORWARD_TARGETS_MAX)
        (void)usage_error(&verb_recover, "it takes at most %d values of the clock",
                          ROLLFORWARD_TARGETS_MAX);
    else {
        targets->values[targets->count++] = value;
        return true;
    }
    return false;
}

/* Written to 'into': where it stands, when that is not the end. */
static void
describe_stop(const struct rollforward *done, char *into, size_t size)
{
    snprintf(into, size,
             "not online: %zu record%s left, the next of clock %" PRId64
             "; nothing was written, 'ktm recover' goes to the end",
             done->left, done->left == 1 ? " is" : "s are", done->next_clock);
}

/* True: the end was reached, and what recovery does there is to be done. */
static bool
go_to_clock(const char *home, const struct targets *targets, const struct common *common,
            struct result *result, char *into, size_t size)
{
    struct rollforward done = {0};

    result->code = EXIT_ROLLED_BACK;
    result->outcome = "not recovered";
    result->status = home_check(home, &result->why);
    if (result->status == STATUS_SUCCESS)
        result->status =
            rollforward(home, targets->values, targets->count, common, &result->why, &done);
    if (result->status != STATUS_SUCCESS)
        return false;
    result->code = EXIT_COMMITTED;
    result->has_clock = true;
    result->clock = done.clock;
    result->is_online = done.is_online;
    result->rollforward = done.steps;
    if (common->is_json)
        result->outcome = "rolled forward";
    else {
        describe_stop(&done, into, size);
        result->outcome = into;
    }
    return done.is_online;
}

/* ---- the verb ---- */

static int
finish(const struct targets *targets, const char *home, struct session_options *options,
       const struct common *common)
{
    owned(session_close) struct session *session = NULL;
    struct result result = {0};
    char text[256];

    options->home = home;
    options->is_quiet = common->is_quiet || common->is_json;
    if (targets->count && !go_to_clock(home, targets, common, &result, text, sizeof(text)))
        return result_print(&result, common);
    interrupt_watch();
    recover(options, &session, &result);
    if (result.status == STATUS_SUCCESS)
        result.outcome =
            common->is_json ? "recovered" : sentence(result.recovery, text, sizeof(text));
    return result_print(&result, common);
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS,
                                            {"no-wait", no_argument, NULL, 'N'},
                                            {"clock", required_argument, NULL, 'C'},
                                            {0}};
    struct session_options session_options = {.may_wait = true, .deadline = SYS_FOREVER};
    owned(free_text) char *home = NULL;
    struct common common = {0};
    struct targets targets = {0};
    struct complaint why;
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (option == 'N')
            session_options.may_wait = false;
        else if (option == 'C' && !add_target(&targets, optarg))
            return EXIT_USAGE;
        else if (option != 'C' && common_take(&common, option, &verb_recover, arguments, &code) &&
                 code >= 0)
            return code;
    }
    if (optind < count)
        return usage_error(&verb_recover, "it takes no argument, and there is %s",
                           QUOTE(arguments[optind]));
    if (home_find(common.home, &why, &home) != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    return finish(&targets, home, &session_options, &common);
}

const struct verb verb_recover = {
    .name = "recover",
    .summary = "finish what a crash left",
    .help =
        "usage: ktm recover [OPTION...]\n"
        "\n"
        "Finishes what a crash left: what was decided is carried out, what was not is taken\n"
        "back, in files and in every database that was ever used with the home. One that cannot\n"
        "be reached keeps no other from being finished. 'ktm apply' begins with it by itself. To\n"
        "run it more than once does no harm.\n"
        "\n"
        "With --clock it applies what the log has up to and including that value of the\n"
        "virtual clock ('ktm clock' shows which there are), tells what that was, and stops\n"
        "there: the transaction manager is not online before the end of its log, and nothing\n"
        "is finished or written. The option may be repeated with growing values, to go step by\n"
        "step. A value at or beyond the end recovers all as usual, and becomes the clock.\n"
        "\n"
        "  --home DIR   where the state is kept\n"
        "  --clock N    stop behind the last record of this clock\n"
        "  --no-wait    refuse when another process uses the home, instead of waiting\n"
        "  --json       one JSON object\n"
        "  -q, --quiet  say nothing when all is well\n"
        "\n"
        "Exit status: 0 nothing is left, or stopped at the clock; 1 not begun, nothing has "
        "changed; 2 wrong use;\n"
        "3 something could not be finished yet, or could not be reached; 4 finished, but what\n"
        "somebody else wrote meanwhile was set aside, or somebody has ended what was promised.\n",
    .run = run,
};
