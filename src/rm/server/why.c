/* SPDX-License-Identifier: MIT */
/* Sentences that are kept for whoever asks later. */
#include "rm/server/server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t
why_copy(pid_t process, pthread_mutex_t *mutex, const struct explanation *why, char *into,
         size_t size)
{
    size_t length;

    if (into && size)
        into[0] = '\0';
    if (process != getpid())
        return 0;
    pthread_mutex_lock(mutex);
    length = strlen(why->text);
    if (into && size)
        snprintf(into, size, "%s", why->text);
    pthread_mutex_unlock(mutex);
    return length;
}

void
why_keep(pthread_mutex_t *mutex, struct explanation *kept, const struct explanation *why,
         NTSTATUS status)
{
    pthread_mutex_lock(mutex);
    explain_sentence(kept, "%s", why->text[0] ? why->text : status_meaning(status));
    pthread_mutex_unlock(mutex);
}
