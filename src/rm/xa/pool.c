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
take_idle(struct ktm_xa_rm *rm)
{
    struct list *member = idle_take(&rm->mutex, &rm->idle);

    return member ? container_of(member, struct port, in_idle) : NULL;
}

NTSTATUS
pool_take(struct ktm_xa_rm *rm, struct explanation *why, struct port **out)
{
    struct port *port = take_idle(rm);

    if (!port)
        return port_open(&rm->source, out, why);
    *out = port;
    return STATUS_SUCCESS;
}

void
pool_give(struct ktm_xa_rm *rm, struct port *port)
{
    if (!port)
        return;
    if (port_is_dead(port) || !idle_give(&rm->mutex, &rm->idle, &port->in_idle, IDLE_MAX))
        port_close(port);
}

void
pool_close(struct ktm_xa_rm *rm)
{
    struct port *port;

    while ((port = take_idle(rm)))
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
