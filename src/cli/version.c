/* SPDX-License-Identifier: MIT */
/* ktm version */
#include "cli/cli.h"

#include <stdio.h>

static int
run(int count, char **arguments)
{
    (void)arguments;
    if (count > 1)
        return usage_error(&verb_version, "it takes no argument");
    puts("ktm " KTM_VERSION);
    return print_end(EXIT_COMMITTED, true);
}

const struct verb verb_version = {
    .name = "version",
    .summary = "print the version",
    .help = "usage: ktm version\n\nPrints the version of the command and of the library in it.\n",
    .run = run,
};
