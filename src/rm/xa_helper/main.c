/* SPDX-License-Identifier: MIT */
/*
 * ktm-xa-helper: a process in which a switch of XA is called, so that it may end the process, hang,
 * or keep in variables what it likes.
 *
 * One thread does all that is asked, in order, so to the switch the process is one thread of
 * control. Another one waits for the hang-up: when whoever asks is gone, so are we, in the middle
 * of a call if need be. Until then we hold a shared lock on a file of the home; the next run takes
 * it alone before it looks at what is prepared, so nothing is prepared behind its back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rm/xa/switch.h"

static struct loaded loaded;
static uint8_t data[XA_DATA_MAX], answer[XA_DATA_MAX];

/* The branch that has begun, for switches that register (TMREGISTER). */
static struct {
    XID xid;
    bool has_begun, is_registered;
} current;

/* ---- what switches call ---- */

__attribute__((visibility("default"))) int
ax_reg(int rmid, XID *xid, long flags)
{
    (void)rmid;
    if (flags != TMNOFLAGS || !xid)
        return TMER_INVAL;
    if (current.is_registered)
        return TMER_PROTO;
    if (!current.has_begun) {
        xid->formatID = -1; /* work outside of transactions */
        return TM_OK;
    }
    *xid = current.xid;
    current.is_registered = true;
    return TM_OK;
}

__attribute__((visibility("default"))) int
ax_unreg(int rmid, long flags)
{
    (void)rmid;
    return flags != TMNOFLAGS ? TMER_INVAL : current.has_begun ? TMER_PROTO : TM_OK;
}

/* ---- what is asked ---- */

static int
load(const char *spec, uint32_t *size)
{
    struct explanation why = {0};
    enum xa_result result = switch_load(spec, &loaded, &why);

    if (result == RESULT_DONE) {
        memcpy(answer, &loaded.info, sizeof(loaded.info));
        *size = sizeof(loaded.info);
    } else {
        *size = (uint32_t)snprintf((char *)answer, sizeof(answer), "%s", why.text) + 1;
    }
    return (int)result;
}

static int
start(const struct xa_request *request)
{
    XID xid = request->xid;
    int code = XA_OK;

    if (!(loaded.info.flags & TMREGISTER))
        code = switch_say(&loaded, XA_OP_START, &xid, request->rmid, request->flags);
    current.xid = request->xid;
    current.has_begun = code == XA_OK;
    current.is_registered = code == XA_OK && !(loaded.info.flags & TMREGISTER);
    return code;
}

/* A branch that was never registered has done nothing: that is said as XA_RDONLY. */
static int
end(const struct xa_request *request)
{
    XID xid = request->xid;
    bool was_registered = current.is_registered;

    current.has_begun = current.is_registered = false;
    return was_registered ? switch_say(&loaded, XA_OP_END, &xid, request->rmid, request->flags)
                          : XA_RDONLY;
}

static int
recover(const struct xa_request *request, uint32_t *size)
{
    static XID xids[XA_RECOVER_MAX];
    int64_t count = request->count < XA_RECOVER_MAX ? request->count : XA_RECOVER_MAX;
    int found;

    memset(xids, 0xee, sizeof(xids)); /* what is not written shows */
    found = loaded.entry->xa_recover_entry(xids, (long)count, request->rmid, (long)request->flags);
    *size = found > 0 && found <= count ? (uint32_t)found * (uint32_t)sizeof(*xids) : 0;
    memcpy(answer, xids, *size);
    return found > count ? XAER_INVAL : found;
}

static int
call(const struct xa_request *request, uint32_t *size)
{
    struct explanation why = {0};
    size_t got = KTM_XA_CALL_SIZE;
    enum xa_result result;
    void *symbol = symbol_load((char *)data, &result, &why);
    ktm_xa_function *function;

    if (!symbol) {
        *size = (uint32_t)snprintf((char *)answer, sizeof(answer), "%s", why.text) + 1;
        return (int)result;
    }
    memcpy(&function, &symbol, sizeof(function));
    if (function(request->rmid, data + request->text, request->size - request->text, answer,
                 &got) != 0)
        return RESULT_REFUSED;
    *size = got <= KTM_XA_CALL_SIZE ? (uint32_t)got : 0;
    return RESULT_DONE;
}

static int
perform(const struct xa_request *request, uint32_t *size)
{
    XID xid = request->xid;

    *size = 0;
    if (request->op == XA_OP_LOAD)
        return load((char *)data, size);
    if (!loaded.entry)
        return XAER_PROTO;
    switch (request->op) {
    case XA_OP_OPEN:
    case XA_OP_CLOSE:
        return switch_open(&loaded, (enum xa_op)request->op, (char *)data, request->rmid);
    case XA_OP_START:
        return start(request);
    case XA_OP_END:
        return end(request);
    case XA_OP_RECOVER:
        return recover(request, size);
    case XA_OP_CALL:
        return call(request, size);
    default:
        return switch_say(&loaded, (enum xa_op)request->op, &xid, request->rmid,
                          (long)request->flags);
    }
}

/* ---- the process ---- */

static int parent = -1; /* its pidfd: a forked child of it may keep the socket open */

static bool
has_hung_up(int timeout)
{
    struct pollfd fds[] = {{.fd = HELPER_SOCKET, .events = POLLRDHUP},
                           {.fd = parent, .events = POLLIN}};

    return poll(fds, ARRAY_SIZE(fds), timeout) > 0 && (fds[0].revents || fds[1].revents);
}

static bool
find_parent(const char *id)
{
    parent = pidfd_open(atoi(id), 0);
    return parent >= 0 && getppid() == atoi(id);
}

static void *
watch(void *argument)
{
    while (!has_hung_up(-1))
        continue;
    _exit(0);
    return argument;
}

static void
serve_one(void)
{
    struct xa_request request;
    struct xa_reply reply = {0};
    struct iovec in[] = {{&request, sizeof(request)}, {data, sizeof(data) - 1}};
    struct iovec out[] = {{&reply, sizeof(reply)}, {answer, 0}};
    struct msghdr message = {.msg_iov = in, .msg_iovlen = 2};
    ssize_t got = recvmsg(HELPER_SOCKET, &message, 0);

    if (got < 0 && errno == EINTR)
        return;
    if (got < (ssize_t)sizeof(request) || (size_t)got != sizeof(request) + request.size ||
        request.text > request.size)
        _exit(0);
    data[request.size] = '\0';
    reply.serial = request.serial;
    reply.result = perform(&request, &reply.size);
    out[1].iov_len = reply.size;
    message = (struct msghdr){.msg_iov = out, .msg_iovlen = 2};
    if (sendmsg(HELPER_SOCKET, &message, MSG_NOSIGNAL) < 0)
        _exit(0);
}

/* Descriptors of the application that nobody meant for us; and the streams, so that what a switch
 * prints goes where the application's does. */
static void
tidy(void)
{
    int null = open("/dev/null", O_RDONLY);

    if (null >= 0)
        dup2(null, STDIN_FILENO);
    fcntl(HELPER_SOCKET, F_SETFD, FD_CLOEXEC);
    close_range(HELPER_SOCKET + 1, ~0U, 0);
}

int
main(int count, char **words)
{
    pthread_t watcher;
    int lock;

    if (count != 3) {
        fputs("ktm-xa-helper: started by libktm-xa.so, not by people\n", stderr);
        return 2;
    }
    tidy();
    if (!find_parent(words[2]))
        return 2;
    if (words[1][0]) {
        lock = open(words[1], O_RDWR | O_CLOEXEC);
        if (lock < 0 || flock(lock, LOCK_SH) != 0)
            return 2;
    }
    /* The next run may have been waiting for this lock: then we are not wanted any more. */
    if (has_hung_up(0) || pthread_create(&watcher, NULL, watch, NULL) != 0)
        return 2;
    for (;;)
        serve_one();
}
