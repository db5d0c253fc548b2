/* SPDX-License-Identifier: MIT */
/* ktm recover: finishes what a crash left. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/home.h"
#include "cli/interrupt.h"
#include "cli/owned.h"
#include "cli/result.h"
#include "sys/thread.h"

static const char *
sentence(const struct session_recovery *recovery, char *into, size_t size)
{
    if (!recovery->finished)
        return "nothing was left to recover";
    snprintf(into, size, "recovered: %u transaction%s finished", recovery->finished,
             recovery->finished == 1 ? "" : "s");
    return into;
}

static void
recover(const struct session_options *options, struct session **session, struct result *result)
{
    bool are_all;

    result->code = EXIT_ROLLED_BACK;
    result->outcome = "not recovered";
    result->status = session_open(options, &result->why, session);
    if (result->status != STATUS_SUCCESS)
        return;
    result->code = EXIT_UNKNOWN;
    result->status = session_recover(*session, &result->recovery, &result->why);
    if (result->status != STATUS_SUCCESS) {
        result->outcome = "not recovered";
        result->advice = "mend that and run 'ktm recover' again";
        return;
    }
    result->conflicts = session_conflicts(*session, &result->conflict_count, &are_all);
    result->code = result->conflict_count || !are_all ? EXIT_ATTENTION : EXIT_COMMITTED;
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {
        COMMON_OPTIONS, {"no-wait", no_argument, NULL, 'N'}, {0}};
    struct session_options session_options = {.may_wait = true, .deadline = SYS_FOREVER};
    owned(session_close) struct session *session = NULL;
    owned(free_text) char *home = NULL;
    struct common common = {0};
    struct result result = {0};
    char text[96];
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (option == 'N')
            session_options.may_wait = false;
        else if (common_take(&common, option, &verb_recover, arguments, &code) && code >= 0)
            return code;
    }
    if (optind < count)
        return usage_error(&verb_recover, "it takes no argument, and there is %s",
                           QUOTE(arguments[optind]));
    if (home_find(common.home, &result.why, &home) != STATUS_SUCCESS) {
        print_error("%s", result.why.text);
        return EXIT_USAGE;
    }
    session_options.home = home;
    session_options.is_quiet = common.is_quiet || common.is_json;
    interrupt_watch();
    recover(&session_options, &session, &result);
    if (result.status == STATUS_SUCCESS)
        result.outcome =
            common.is_json ? "recovered" : sentence(&result.recovery, text, sizeof(text));
    return result_print(&result, &common);
}

const struct verb verb_recover = {
    .name = "recover",
    .summary = "finish what a crash left",
    .help = "usage: ktm recover [OPTION...]\n"
            "\n"
            "Finishes what a crash left: what was decided is carried out, what was not is taken\n"
            "back. 'ktm apply' begins with it by itself. To run it more than once does no harm.\n"
            "\n"
            "  --home DIR   where the state is kept\n"
            "  --no-wait    refuse when another process uses the home, instead of waiting\n"
            "  --json       one JSON object\n"
            "  -q, --quiet  say nothing when all is well\n"
            "\n"
            "Exit status: 0 nothing is left; 1 not begun, nothing has changed; 2 wrong use;\n"
            "3 something could not be finished yet; 4 finished, but what somebody else wrote\n"
            "meanwhile was set aside.\n",
    .run = run,
};
