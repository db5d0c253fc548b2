/* SPDX-License-Identifier: MIT */
/* Signals that ask for an end. */
#include "cli/interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t came;

static void
remember(int number)
{
    came = number;
}

void
interrupt_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    static const struct sigaction ask = {.sa_handler = remember,
                                         .sa_flags = SA_RESTART | (int)SA_RESETHAND};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct sigaction before;

        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &ask, NULL);
    }
}

const char *
interrupt_name(void)
{
    switch (came) {
    case 0:
        return NULL;
    case SIGINT:
        return "interrupted";
    case SIGTERM:
        return "told to end";
    default:
        return "the terminal is gone";
    }
}
