/* SPDX-License-Identifier: MIT */
/* ktm help: the list of verbs, or the text of one. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

const struct verb *const verbs[] = {
    &verb_apply, &verb_recover, &verb_status,  &verb_clock, &verb_tx,
    &verb_log,   &verb_xa,      &verb_version, &verb_help,  NULL,
};

const struct verb *
verb_find(const char *name)
{
    for (const struct verb *const *verb = verbs; *verb; verb++)
        if (strcmp((*verb)->name, name) == 0)
            return *verb;
    return NULL;
}

int
help_print(const struct verb *verb)
{
    fputs(verb->help, stdout);
    return print_end(EXIT_COMMITTED, true);
}

static int
list_verbs(void)
{
    puts("usage: ktm VERB [OPTION...] [ARGUMENT...]\n\n"
         "Makes changes to many files happen entirely or not at all, whatever dies in between.\n");
    for (const struct verb *const *verb = verbs; *verb; verb++)
        printf("  %-8s  %s\n", (*verb)->name, (*verb)->summary);
    puts("\n'ktm help VERB' tells about one of them, 'man ktm' about all.\n"
         "State is kept in --home DIR, else $KTM_HOME, else $XDG_STATE_HOME/ktm\n"
         "(~/.local/state/ktm), as root /var/lib/ktm.");
    return print_end(EXIT_COMMITTED, true);
}

static int
run(int count, char **arguments)
{
    const struct verb *verb;

    if (count > 2)
        return usage_error(&verb_help, "it takes one verb");
    if (count < 2 || arguments[1][0] == '-')
        return list_verbs();
    verb = verb_find(arguments[1]);
    if (!verb)
        return usage_error(&verb_help, "there is no verb %s", QUOTE(arguments[1]));
    return help_print(verb);
}

const struct verb verb_help = {
    .name = "help",
    .summary = "tell about a verb",
    .help = "usage: ktm help [VERB]\n\nTells about a verb, or lists them.\n",
    .run = run,
};
