/* SPDX-License-Identifier: MIT */
/*
 * ktm apply: a change set happens entirely or not at all.
 *
 * Up to the commit everything can be taken back, and a signal does that; from then on the library
 * decides, and this only tells what became of it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/changeset.h"
#include "cli/cli.h"
#include "cli/dry_run.h"
#include "cli/history.h"
#include "cli/home.h"
#include "cli/interrupt.h"
#include "cli/owned.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/statements.h"
#include "sys/thread.h"

struct arguments {
    struct common common;
    bool is_dry_run, may_wait, owns_wal;
    uint64_t timeout; /* nanoseconds; 0: none */
    struct changeset *set;
};

/* ---- applying ---- */

static void
tell_history(const struct result *result, const char *home)
{
    history_add(home, &result->transaction, result->outcome, NULL,
                result->status == STATUS_SUCCESS ? NULL : result->why.text, 0);
}

static void
rolled_back(struct result *result, const char *outcome)
{
    result->code = EXIT_ROLLED_BACK;
    result->outcome = outcome;
    result->advice = "nothing was changed";
}

static NTSTATUS
stage(struct session *session, const struct arguments *arguments, struct complaint *why)
{
    const struct changeset *set = arguments->set;
    struct progress progress;
    NTSTATUS status = STATUS_SUCCESS;

    progress_begin(&progress, arguments->common.is_quiet || arguments->common.is_json);
    for (size_t i = 0; status == STATUS_SUCCESS && i < set->count; i++) {
        progress_tell(&progress, i + 1, set->count);
        if (interrupt_name())
            status = complain(why, STATUS_CANCELLED, "%s", interrupt_name());
        else
            status = session_step(session, &set->steps[i], why);
        if (status != STATUS_SUCCESS && set->steps[i].line)
            complaint_prefix(why, "%s:%u:%u: ", set->name, set->steps[i].line,
                             set->steps[i].column);
    }
    if (status == STATUS_SUCCESS && interrupt_name())
        status = complain(why, STATUS_CANCELLED, "%s", interrupt_name());
    progress_end(&progress);
    return status;
}

static void
give_up(struct session *session, struct result *result)
{
    struct complaint why;

    rolled_back(result, "rolled back");
    if (session_rollback(session, &why) == OUTCOME_ROLLED_BACK)
        return;
    /* Nothing can be seen of it, but hidden files may be left. */
    complaint_prefix(&why, "%s; ", result->why.text);
    result->why = why;
    result->advice = "nothing was changed; 'ktm recover' removes what is left";
}

static void
commit(struct session *session, struct result *result)
{
    bool are_all;

    switch (session_commit(session, &result->status, &result->why)) {
    case OUTCOME_COMMITTED:
        result->outcome = "committed";
        result->code = EXIT_COMMITTED;
        break;
    case OUTCOME_ROLLED_BACK:
        rolled_back(result, "rolled back");
        break;
    case OUTCOME_UNFINISHED:
        result->outcome = "committed, not finished";
        result->code = EXIT_UNKNOWN;
        result->advice = "mend that and run 'ktm recover'";
        break;
    default:
        result->outcome = "unknown";
        result->code = EXIT_UNKNOWN;
        result->advice = "'ktm recover' tells what became of it";
    }
    result->conflicts = session_conflicts(session, &result->conflict_count, &are_all);
    if (result->code == EXIT_COMMITTED && (result->conflict_count || !are_all))
        result->code = EXIT_ATTENTION;
}

/* What an earlier run left comes first: this change set may build on it. What cannot be finished
 * yet keeps its paths to itself, and is no reason to refuse others. */
static void
recover_first(struct session *session, const struct common *common, struct result *result)
{
    NTSTATUS status = session_recover(session, false, &result->recovery);

    (void)status; /* said with the rest */
    result_print_recovery(result, common);
}

static void
apply_in(struct session *session, const char *home, const struct arguments *arguments,
         uint64_t deadline, struct result *result)
{
    uint64_t now = sys_now();

    recover_first(session, &arguments->common, result);
    if (deadline != SYS_FOREVER && now >= deadline) {
        result->status = complain(&result->why, STATUS_ROLLBACK_TIMER_EXPIRED, "the time is over");
        rolled_back(result, "refused");
        return;
    }
    result->status =
        session_begin(session, arguments->set->name, deadline == SYS_FOREVER ? 0 : deadline - now,
                      &result->why, &result->transaction);
    if (result->status != STATUS_SUCCESS) {
        rolled_back(result, "refused");
        return;
    }
    result->has_transaction = true;
    history_add(home, &result->transaction, "begun", arguments->set->name, NULL,
                (unsigned)arguments->set->count);
    result->status = stage(session, arguments, &result->why);
    if (result->status != STATUS_SUCCESS)
        give_up(session, result);
    else
        commit(session, result);
    tell_history(result, home);
}

static int
apply(const struct arguments *arguments, const char *home)
{
    uint64_t deadline = arguments->timeout ? sys_now() + arguments->timeout : SYS_FOREVER;
    bool is_silent = arguments->common.is_quiet || arguments->common.is_json;
    struct session_options options = {
        .home = home, .may_wait = arguments->may_wait, .is_quiet = is_silent, .deadline = deadline};
    owned(session_close) struct session *session = NULL;
    struct result result = {.what = arguments->set->name, .steps = arguments->set->count};

    interrupt_watch();
    result.status = session_open(&options, &result.why, &session);
    if (result.status == STATUS_SUCCESS)
        apply_in(session, home, arguments, deadline, &result);
    else
        rolled_back(&result, "refused");
    return result_print(&result, &arguments->common);
}

/* ---- arguments ---- */

enum { FLAG_STEP = 256 }; /* and the verb of the step added */

#define STEP_FLAG(name, verb)                                                                      \
    {                                                                                              \
        name, required_argument, NULL, FLAG_STEP + (verb)                                          \
    }

static const struct option options[] = {
    COMMON_OPTIONS,
    {"dry-run", no_argument, NULL, 'D'},
    {"no-wait", no_argument, NULL, 'N'},
    {"owns-wal", no_argument, NULL, 'W'},
    {"timeout", required_argument, NULL, 'T'},
    STEP_FLAG("put", STEP_PUT),
    STEP_FLAG("append", STEP_APPEND),
    STEP_FLAG("delete", STEP_DELETE),
    STEP_FLAG("mkdir", STEP_MKDIR),
    STEP_FLAG("rmdir", STEP_RMDIR),
    STEP_FLAG("rename", STEP_RENAME),
    STEP_FLAG("symlink", STEP_SYMLINK),
    STEP_FLAG("chmod", STEP_CHMOD),
    STEP_FLAG("tree", STEP_TREE),
    STEP_FLAG("sqlite", STEP_SQLITE),
    STEP_FLAG("postgres", STEP_POSTGRES),
    STEP_FLAG("mariadb", STEP_MARIADB),
    {0},
};

static bool
parse_seconds(const char *text, uint64_t *nanoseconds)
{
    char *end;
    double seconds;

    /* No signs, no spaces, no hexadecimal, no names of numbers. */
    if (!text[0] || text[strspn(text, "0123456789.")])
        return false;
    seconds = strtod(text, &end);
    if (*end || seconds <= 0 || seconds > 1e9)
        return false;
    *nanoseconds = (uint64_t)(seconds * 1e9);
    return *nanoseconds > 0;
}

static int
refuse(const struct common *common, NTSTATUS status, const struct complaint *why)
{
    struct result result = {
        .code = EXIT_USAGE, .outcome = "refused", .status = status, .why = *why};

    if (common->is_json)
        return result_print(&result, common);
    print_error("%s", why->text);
    return EXIT_USAGE;
}

/* 'more' is the second argument of a statement; NULL: there is none. */
static int
add_flag(struct arguments *arguments, enum step_verb verb, const char *argument, const char *more)
{
    owned(free_text) char *directory = NULL;
    struct complaint why;
    NTSTATUS status = STATUS_SUCCESS;

    if (!arguments->set) {
        if (current_directory(&why, &directory) != STATUS_SUCCESS)
            directory = NULL; /* absolute paths will do */
        if (changeset_create("the flags", directory, &arguments->set) != STATUS_SUCCESS)
            status = out_of_memory(&why);
    }
    if (status == STATUS_SUCCESS && more)
        status = changeset_add_statement(arguments->set, verb, argument, more, &why);
    else if (status == STATUS_SUCCESS)
        status = changeset_add_flag(arguments->set, verb, argument, &why);
    return status == STATUS_SUCCESS ? -1 : refuse(&arguments->common, status, &why);
}

/* The exit status, or -1: go on. */
static int
take_option(struct arguments *arguments, int option, char **list)
{
    enum step_verb verb;
    int code;

    if (common_take(&arguments->common, option, &verb_apply, list, &code))
        return code;
    switch (option) {
    case 'D':
        arguments->is_dry_run = true;
        return -1;
    case 'N':
        arguments->may_wait = false;
        return -1;
    case 'W':
        arguments->owns_wal = true;
        return -1;
    case 'T':
        if (parse_seconds(optarg, &arguments->timeout))
            return -1;
        return usage_error(&verb_apply, "--timeout takes seconds, such as 30 or 0.5, not %s",
                           QUOTE(optarg));
    default:
        verb = (enum step_verb)(option - FLAG_STEP);
        if (!step_is_statement(verb))
            return add_flag(arguments, verb, optarg, NULL);
        if (!list[optind])
            return usage_error(&verb_apply, "--%s takes a database and a statement",
                               step_verb_name(verb));
        return add_flag(arguments, verb, optarg, list[optind++]);
    }
}

static int
read_changeset(struct arguments *arguments, const char *path)
{
    struct complaint why;
    NTSTATUS status;

    if (path)
        status = changeset_read(path, &why, &arguments->set);
    else
        status = changeset_check(arguments->set, &why);
    if (status == STATUS_SUCCESS)
        status = statements_resolve(arguments->set, &why);
    return status == STATUS_SUCCESS ? -1 : refuse(&arguments->common, status, &why);
}

/* False: there is none it could be meant for. */
static bool
own_wal(struct changeset *set)
{
    bool is_any = false;

    for (size_t i = 0; set && i < set->count; i++)
        if (set->steps[i].verb == STEP_SQLITE)
            is_any = set->steps[i].owns_wal = true;
    return is_any;
}

static int
take_arguments(struct arguments *arguments, int count, char **list)
{
    int option, code;

    while ((option = getopt_long(count, list, COMMON_LETTERS, options, NULL)) != -1) {
        code = take_option(arguments, option, list);
        if (code >= 0)
            return code;
    }
    if (count - optind > 1)
        return usage_error(&verb_apply, "it takes one change set, and %s is one more",
                           QUOTE(list[optind + 1]));
    if (optind < count && arguments->set)
        return usage_error(&verb_apply, "it takes a change set or steps as flags, not both");
    if (optind == count && !arguments->set)
        return usage_error(&verb_apply, "it takes a change set, or steps as flags");
    if (arguments->owns_wal && !own_wal(arguments->set))
        return usage_error(&verb_apply, "--owns-wal belongs to --sqlite; a step of a change set "
                                        "says \"owns_wal\": true");
    return read_changeset(arguments, optind < count ? list[optind] : NULL);
}

static int
run(int count, char **list)
{
    struct arguments arguments = {.may_wait = true};
    owned(free_text) char *home = NULL;
    struct complaint why;
    int code = take_arguments(&arguments, count, list);

    if (code < 0) {
        NTSTATUS status;

        CHECK(arguments.set);
        status = home_find(arguments.common.home, &why, &home);

        if (status != STATUS_SUCCESS)
            code = refuse(&arguments.common, status, &why);
        else if (arguments.is_dry_run)
            code = dry_run(arguments.set, home, &arguments.common);
        else
            code = apply(&arguments, home);
    }
    changeset_destroy(arguments.set);
    return code;
}

const struct verb verb_apply = {
    .name = "apply",
    .summary = "make a set of changes happen entirely or not at all",
    .help =
        "usage: ktm apply [OPTION...] CHANGE-SET\n"
        "       ktm apply [OPTION...] STEP...\n"
        "\n"
        "Makes all steps happen, or none, whatever dies in between. CHANGE-SET is a JSON file, or\n"
        "'-' for standard input:\n"
        "\n"
        "  {\"steps\": [{\"put\":     {\"to\": P, \"from\": F | \"text\": S | \"base64\": B,\n"
        "                          \"mode\": \"0644\"}},\n"
        "             {\"append\":  {\"to\": P, \"from\" | \"text\" | \"base64\": …}},\n"
        "             {\"delete\":  {\"path\": P}},\n"
        "             {\"mkdir\":   {\"path\": P, \"mode\": \"0755\"}},\n"
        "             {\"rmdir\":   {\"path\": P}},\n"
        "             {\"rename\":  {\"from\": P, \"to\": P}},\n"
        "             {\"symlink\": {\"path\": P, \"target\": T}},\n"
        "             {\"chmod\":   {\"path\": P, \"mode\": \"0644\"}},\n"
        "             {\"tree\":    {\"to\": DIR, \"from\": DIR}},\n"
        "             {\"expect\":  {\"path\": P, \"sha256\": H | \"absent\": true | \"exists\": "
        "true}},\n"
        "             {\"sqlite\":  {\"database\": P, \"sql\": S | \"sql_file\": F,\n"
        "                          \"parameters\": [V...], \"rows\": N,\n"
        "                          \"owns_wal\": true}},\n"
        "             {\"postgres\" | \"mariadb\": {\"database\": CONNECTION, …}}]}\n"
        "\n"
        "A statement sees what those before it have done, and all of it is one transaction with\n"
        "the files. \"rows\" is how many it must change or give; else everything is rolled back.\n"
        "A CONNECTION has no password: that belongs into a service file or PGPASSFILE, into the\n"
        "group [ktm] of ~/.my.cnf, or into PGPASSWORD, MYSQL_PWD. Nothing of what a statement is\n"
        "given as parameters is told or kept. A SQLite database in WAL mode takes part when\n"
        "\"owns_wal\" is said at its first statement, and while nobody else has it open.\n"
        "\n"
        "Relative paths start at the directory of the change set. The steps as flags, in order,\n"
        "with paths that start at the working directory; a colon in a path is written '\\:':\n"
        "\n"
        "  --put SRC:DST  --append SRC:DST  --delete PATH  --mkdir PATH  --rmdir PATH\n"
        "  --rename FROM:TO  --symlink TARGET:PATH  --chmod MODE:PATH  --tree SRC:DST\n"
        "  --sqlite PATH SQL  --postgres CONNECTION SQL  --mariadb CONNECTION SQL\n"
        "\n"
        "  --dry-run          say what would be done, and whether it could be; change nothing\n"
        "  --timeout SECONDS  roll back when it is not decided by then\n"
        "  --no-wait          refuse when another process uses the home, instead of waiting\n"
        "  --owns-wal         the databases of --sqlite may be in WAL mode\n"
        "  --home DIR         where the state is kept\n"
        "  --json             one JSON object\n"
        "  -q, --quiet        say nothing when all is well\n"
        "\n"
        "Exit status: 0 committed; 1 rolled back, nothing was changed; 2 the change set or its "
        "use\n"
        "is wrong; 3 the outcome is not known yet or not finished, run 'ktm recover'; 4 "
        "committed,\n"
        "but what somebody else wrote meanwhile was set aside.\n",
    .run = run,
};
