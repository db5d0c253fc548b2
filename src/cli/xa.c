/* SPDX-License-Identifier: MIT */
/* ktm xa check: does a switch of XA keep its promises over a crash? */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "cli/cli.h"
#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/kinds.h"
#include "cli/owned.h"
#include "ktm_xa.h"

enum { OPTION_WORK = 1000, OPTION_HELPER, OPTION_TIMEOUT, OPTION_NO_HOME };

struct check {
    struct common common;
    const char *work, *helper, *switch_path, *info;
    uint32_t timeout_ms;
    bool has_no_home;
    struct libscols_table *table;
    struct json_object *list;
};

static const char *const findings[] = {
    [KTM_XA_PASSED] = "passed", [KTM_XA_FAILED] = "FAILED", [KTM_XA_NOT_TRIED] = "not tried"};

/* ---- one check ---- */

static void
add_json(struct json_object *list, const struct ktm_xa_check *check)
{
    static const char *const words[] = {
        [KTM_XA_PASSED] = "passed", [KTM_XA_FAILED] = "failed", [KTM_XA_NOT_TRIED] = "not_tried"};
    struct json_object *each = json_object_new_object();

    json_object_object_add(each, "check", json_out_text(check->name));
    json_object_object_add(each, "finding", json_object_new_string(words[check->finding]));
    json_object_object_add(each, "meaning", json_out_text(check->meaning));
    json_object_object_add(each, "text", json_out_text(check->text));
    json_object_array_add(list, each);
}

/* What a switch says may have anything in it. */
static void
set_cell(struct libscols_line *line, size_t column, const char *text)
{
    char *safe = malloc(4 * strlen(text) + 1);

    if (!safe)
        return;
    escape(text, safe);
    (void)!scols_line_set_data(line, column, safe);
    free(safe);
}

static void
add_line(struct libscols_table *table, const struct ktm_xa_check *check)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    bool is_bad = check->finding != KTM_XA_PASSED;

    if (!line)
        return;
    set_cell(line, 0, check->name);
    set_cell(line, 1, findings[check->finding]);
    set_cell(line, 2, is_bad && check->text[0] ? check->text : check->meaning);
}

static void
take_check(void *context, const struct ktm_xa_check *check)
{
    struct check *self = context;

    if (self->list)
        add_json(self->list, check);
    else
        add_line(self->table, check);
}

/* ---- the verdict ---- */

static const char *
verdict_words(const struct check *self, const struct ktm_xa_verdict *verdict)
{
    if (verdict->is_trusted && self->has_no_home)
        return "trusted";
    if (verdict->is_trusted)
        return "trusted, and kept in the home as such";
    if (verdict->failed == 0)
        return "not trusted: too little was tried; --work names a library that works in branches";
    return "not trusted: it must not take part in transactions";
}

static int
show_json(const struct check *self, const struct ktm_xa_verdict *verdict, NTSTATUS status,
          const char *why)
{
    struct json_object *out = json_object_new_object();
    char name[STATUS_TEXT_SIZE];

    json_object_object_add(out, "switch", json_out_text(self->switch_path));
    json_object_object_add(out, "status", json_object_new_string(status_text(status, name)));
    json_object_object_add(out, "why", json_out_text(status == STATUS_SUCCESS ? NULL : why));
    json_object_object_add(out, "name", json_out_text(verdict->name));
    json_object_object_add(out, "known", json_out_text(verdict->known));
    json_object_object_add(out, "checks", self->list);
    json_object_object_add(out, "passed", json_object_new_int((int)verdict->passed));
    json_object_object_add(out, "failed", json_object_new_int((int)verdict->failed));
    json_object_object_add(out, "not_tried", json_object_new_int((int)verdict->not_tried));
    json_object_object_add(out, "trusted", json_object_new_boolean(verdict->is_trusted));
    json_out_print(out);
    return print_end(verdict->is_trusted ? EXIT_COMMITTED : EXIT_ROLLED_BACK, true);
}

static int
show_text(const struct check *self, const struct ktm_xa_verdict *verdict)
{
    print_text("The switch in %s calls itself %s.", QUOTE(self->switch_path), QUOTE(verdict->name));
    if (verdict->known)
        print_text("It is known: %s.", verdict->known);
    scols_print_table(self->table);
    print_text("%u passed, %u failed, %u not tried: %s.", verdict->passed, verdict->failed,
               verdict->not_tried, verdict_words(self, verdict));
    return print_end(verdict->is_trusted ? EXIT_COMMITTED : EXIT_ROLLED_BACK, true);
}

/* ---- the verb ---- */

static bool
make_output(struct check *self)
{
    if (self->common.is_json) {
        self->list = json_object_new_array();
        return true;
    }
    scols_init_debug(0);
    self->table = scols_new_table();
    return self->table && scols_table_new_column(self->table, "CHECK", 0, 0) &&
           scols_table_new_column(self->table, "FINDING", 0, 0) &&
           scols_table_new_column(self->table, "WHAT IT IS ABOUT, OR WHAT HAPPENED", 0,
                                  SCOLS_FL_WRAP);
}

static int
perform(struct check *self, const char *home)
{
    const struct ktm_xa_check_options options = {
        .work = self->work, .helper = self->helper, .timeout_ms = self->timeout_ms};
    struct ktm_xa_verdict verdict;
    char why[1024], name[STATUS_TEXT_SIZE];
    __typeof__(ktm_xa_check) *run_checks;
    struct complaint complaint;
    void *function;
    NTSTATUS status = kind_function("xa", "ktm_xa_check", &complaint, &function);

    if (status != STATUS_SUCCESS) {
        print_error("%s", complaint.text);
        return EXIT_ROLLED_BACK;
    }
    memcpy(&run_checks, &function, sizeof(run_checks));
    if (!make_output(self)) {
        print_error("out of memory");
        return EXIT_ROLLED_BACK;
    }
    status = run_checks(home, self->switch_path, self->info, &options, take_check, self, &verdict,
                        why, sizeof(why));
    if (self->list)
        return show_json(self, &verdict, status, why);
    if (status == STATUS_SUCCESS)
        return show_text(self, &verdict);
    print_error("%s cannot be checked: %s (%s)", QUOTE(self->switch_path), why,
                status_text(status, name));
    return EXIT_ROLLED_BACK;
}

static int
check(struct check *self)
{
    owned(free_text) char *home = NULL;
    struct complaint why;
    int code;

    if (!self->has_no_home && (home_find(self->common.home, &why, &home) != STATUS_SUCCESS ||
                               home_make(home, &why) != STATUS_SUCCESS)) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    code = perform(self, home);
    scols_unref_table(self->table);
    return code;
}

static bool
take_option(struct check *self, int option)
{
    char *end;
    unsigned long seconds;

    switch (option) {
    case OPTION_WORK:
        self->work = optarg;
        return true;
    case OPTION_HELPER:
        self->helper = optarg;
        return true;
    case OPTION_NO_HOME:
        self->has_no_home = true;
        return true;
    default:
        seconds = strtoul(optarg, &end, 10);
        self->timeout_ms = (uint32_t)seconds * 1000u;
        return !*end && seconds >= 1 && seconds <= 3600;
    }
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS,
                                            {"work", required_argument, NULL, OPTION_WORK},
                                            {"helper", required_argument, NULL, OPTION_HELPER},
                                            {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                            {"no-home", no_argument, NULL, OPTION_NO_HOME},
                                            {0}};
    struct check self = {.work = NULL};
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (common_take(&self.common, option, &verb_xa, arguments, &code)) {
            if (code >= 0)
                return code;
        } else if (!take_option(&self, option)) {
            return usage_error(&verb_xa, "--timeout takes seconds, from 1 to 3600");
        }
    }
    if (optind >= count || strcmp(arguments[optind], "check") != 0)
        return usage_error(&verb_xa, "it takes the word 'check'");
    if (count - optind != 3)
        return usage_error(&verb_xa, "'check' takes a switch and an open string");
    self.switch_path = arguments[optind + 1];
    self.info = arguments[optind + 2];
    if (strlen(self.info) >= MAXINFOSIZE)
        return usage_error(&verb_xa, "an open string has %d bytes at most", MAXINFOSIZE - 1);
    return check(&self);
}

const struct verb verb_xa = {
    .name = "xa",
    .summary = "try whether a switch of XA keeps its promises over a crash",
    .help =
        "usage: ktm xa check [OPTION...] SWITCH.so[:SYMBOL] OPEN-STRING\n"
        "\n"
        "Begins, prepares and ends branches with the XA switch of a resource, in helper processes\n"
        "that are killed in between, and looks whether what was prepared can be found again and\n"
        "be ended, and what was not is gone. Use it with a resource for tests: it makes changes,\n"
        "and a switch that fails may leave branches that it cannot end any more. A switch that\n"
        "passes is kept in the home, by the content of its file; ktm_xa_open takes no other.\n"
        "\n"
        "  --work LIB.so      has the functions ktm_xa_check_work, which makes a change inside a\n"
        "                     branch, and perhaps ktm_xa_check_look, which looks whether it is\n"
        "                     there. Without it most cannot be tried (see ktm_xa.h)\n"
        "  --timeout SECONDS  how long a call of the switch may take (30)\n"
        "  --helper PROGRAM   the helper, when it is not where it was installed\n"
        "  --no-home          keep nothing\n"
        "  --home DIR         where the state is kept\n"
        "  --json             one JSON object\n"
        "\n"
        "Exit status: 0 it passed, and is trusted; 1 it is not; 2 wrong use.\n",
    .run = run,
};
