/* SPDX-License-Identifier: MIT */
/*
 * libktmwire.so: put before a program with LD_PRELOAD, it counts what the program says to anybody
 * over a socket, and makes the n-th saying fatal.
 *
 *     KTM_WIRE_AT=N         the send it is about, from 1
 *     KTM_WIRE_HOW=before   SIGKILL instead of it
 *                  after    SIGKILL when it is on its way: nobody hears the answer
 *                  stop     SIGSTOP before it, so that something can happen to the other side
 *     KTM_WIRE_COUNT=FILE   the count so far, a native uint64_t, written at each
 *
 * The database's file mutations are its own affair; this is how its client dies between any two
 * words of the protocol. Only send() is seen, which libpq and libmariadb use.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t count;

static void
keep_count(void)
{
    const char *path = getenv("KTM_WIRE_COUNT");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    (void)!pwrite(fd, &count, sizeof(count), 0);
    close(fd);
}

/* How the n-th send ends; "": as any other. */
static const char *
fate(void)
{
    const char *at = getenv("KTM_WIRE_AT"), *how = getenv("KTM_WIRE_HOW");
    const char *found;

    pthread_mutex_lock(&mutex);
    count++;
    keep_count();
    found = at && how && strtoull(at, NULL, 10) == count ? how : "";
    pthread_mutex_unlock(&mutex);
    return found;
}

__attribute__((visibility("default"))) ssize_t
send(int fd, const void *data, size_t size, int flags)
{
    static __typeof__(&send) real;
    const char *how = fate();
    ssize_t sent;

    if (!real)
        real = (__typeof__(&send))dlsym(RTLD_NEXT, "send");
    if (strcmp(how, "before") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(how, "stop") == 0)
        kill(getpid(), SIGSTOP);
    sent = real(fd, data, size, flags);
    if (strcmp(how, "after") == 0)
        kill(getpid(), SIGKILL);
    return sent;
}
