/* SPDX-License-Identifier: MIT */
/* What is to be done in forked children. */
#include <pthread.h>

#include "sys/thread.h"

void
sys_on_fork(void (*child)(void))
{
    int error = pthread_atfork(NULL, NULL, child);

    CHECK(error == 0);
}
