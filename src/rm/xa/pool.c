/* SPDX-License-Identifier: MIT */
/* Helpers that wait for the next branch. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "rm/xa/xa.h"

#define IDLE_MAX       8
#define OTHERS_TRIES   500
#define OTHERS_WAIT_NS 20000000L

static struct port *
idle_take(struct ktm_xa_rm *rm)
{
    struct port *port = NULL;

    pthread_mutex_lock(&rm->mutex);
    if (!list_is_empty(&rm->idle)) {
        port = list_first(&rm->idle, struct port, in_idle);
        list_remove(&port->in_idle);
        rm->idle_count--;
    }
    pthread_mutex_unlock(&rm->mutex);
    return port;
}

NTSTATUS
pool_take(struct ktm_xa_rm *rm, struct explanation *why, struct port **out)
{
    struct port *port = idle_take(rm);

    if (!port)
        return port_open(&rm->source, out, why);
    *out = port;
    return STATUS_SUCCESS;
}

void
pool_give(struct ktm_xa_rm *rm, struct port *port)
{
    bool is_kept = false;

    if (!port)
        return;
    if (!port_is_dead(port)) {
        pthread_mutex_lock(&rm->mutex);
        is_kept = rm->idle_count < IDLE_MAX;
        if (is_kept) {
            list_append(rm->idle.next, &port->in_idle); /* the last one used is taken first */
            rm->idle_count++;
        }
        pthread_mutex_unlock(&rm->mutex);
    }
    if (!is_kept)
        port_close(port);
}

void
pool_close(struct ktm_xa_rm *rm)
{
    struct port *port;

    while ((port = idle_take(rm)))
        port_close(port);
}

NTSTATUS
pool_wait_for_others(const char *lock, struct explanation *why)
{
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool is_free = false;

    if (fd < 0)
        return explain(why, status_raise(STATUS_ACCESS_DENIED), "'%s' cannot be opened: %m", lock);
    for (int i = 0; !is_free && i < OTHERS_TRIES; i++) {
        is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (!is_free)
            nanosleep(&(struct timespec){.tv_nsec = OTHERS_WAIT_NS}, NULL);
    }
    close(fd);
    return is_free ? STATUS_SUCCESS
                   : explain(why, status_raise(STATUS_SHARING_VIOLATION),
                             "helper processes of an earlier run still have '%s'; they end with "
                             "the program that started them",
                             lock);
}
