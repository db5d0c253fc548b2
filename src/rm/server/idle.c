/* SPDX-License-Identifier: MIT */
/* Connections, helpers and their like between two uses. */
#include "rm/server/server.h"

#include <poll.h>

struct list *
idle_take(pthread_mutex_t *mutex, struct idle *idle)
{
    struct list *member = NULL;

    pthread_mutex_lock(mutex);
    if (!list_is_empty(&idle->list)) {
        member = idle->list.next;
        list_remove(member);
        idle->count--;
    }
    pthread_mutex_unlock(mutex);
    return member;
}

bool
idle_is_silent(int socket)
{
    struct pollfd poll_it = {.fd = socket, .events = POLLIN};

    return poll(&poll_it, 1, 0) == 0;
}

bool
idle_give(pthread_mutex_t *mutex, struct idle *idle, struct list *member, size_t most)
{
    bool is_kept;

    pthread_mutex_lock(mutex);
    is_kept = idle->count < most;
    if (is_kept) {
        list_append(idle->list.next, member); /* in front: it is warm */
        idle->count++;
    }
    pthread_mutex_unlock(mutex);
    return is_kept;
}
