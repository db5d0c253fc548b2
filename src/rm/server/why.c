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

uint64_t
why_time(pid_t process, pthread_mutex_t *mutex, const struct explanation *why)
{
    uint64_t time;

    if (process != getpid())
        return 0;
    pthread_mutex_lock(mutex);
    time = why->time;
    pthread_mutex_unlock(mutex);
    return time;
}

void
why_keep(pthread_mutex_t *mutex, struct explanation *kept, const struct explanation *why,
         NTSTATUS status)
{
    pthread_mutex_lock(mutex);
    explain_sentence(kept, "%s", why->text[0] ? why->text : status_meaning(status));
    pthread_mutex_unlock(mutex);
}

void
why_after(struct explanation *why, NTSTATUS status, uint64_t before, bool is_reason)
{
    bool is_new = why->time != before;

    if (is_reason && why->text[0])
        explain_again(why);
    else if (status == STATUS_SUCCESS)
        explain_nothing(why);
    else if (!is_new)
        explain_sentence(why, "%s", status_meaning(status));
}
