/* SPDX-License-Identifier: MIT */
/* The command 'ktm': finds the verb. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* Takes the places of standard streams that are closed, so that no file gets them. Opened the wrong
 * way round: whoever uses them is told that it does not work. */
static void
hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_ROLLED_BACK); /* there is nobody to tell */
}

int
main(int count, char **arguments)
{
    const struct verb *verb;
    const char *name = count > 1 ? arguments[1] : "";

    hold_standard_streams();
    setlocale(LC_CTYPE, ""); /* whether tables may have lines that are not ASCII */
    /* An output that nobody reads is an error to report, no reason to die half-way. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow: the same */
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    verb = verb_find(name);
    if (verb)
        return verb->run(count - 1, arguments + 1);
    if (!name[0])
        fputs("ktm: it takes a verb; see 'ktm help'\n", stderr);
    else
        print_error("there is no verb %s; see 'ktm help'", QUOTE(name));
    return EXIT_USAGE;
}
