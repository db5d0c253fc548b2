/* SPDX-License-Identifier: MIT */
/* Helper processes: started, asked, killed. */
#include "rm/xa/port.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rm/xa/quirk.h"

#define PROGRAM     "ktm-xa-helper"
#define END_LOOKS   2000
#define END_LOOK_NS 500000L

/* ---- the program ---- */

static NTSTATUS
beside_library(char **out)
{
    static const char *const places[] = {"", "/ktm"}; /* in a build; where it is installed */
    char directory[4096], *slash;
    Dl_info info;

    if (!dladdr((const void *)(uintptr_t)helper_find, &info) || !info.dli_fname)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    snprintf(directory, sizeof(directory), "%s", info.dli_fname);
    slash = strrchr(directory, '/');
    snprintf(slash ? slash : directory, 2, "%s", slash ? "" : ".");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (asprintf(out, "%s%s/" PROGRAM, directory, places[i]) < 0)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        if (access(*out, X_OK) == 0)
            return STATUS_SUCCESS;
        free(*out);
    }
    return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
}

NTSTATUS
helper_find(const char *named, char **out, struct explanation *why)
{
    NTSTATUS status;

    if (!named)
        named = secure_getenv("KTM_XA_HELPER");
    if (!named) {
        status = beside_library(out);
    } else {
        *out = strdup(named);
        status = *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        explain_sentence(why, "the program " PROGRAM " is not beside the library; say where it is "
                              "in KTM_XA_HELPER");
    return status;
}

/* ---- life ---- */

static NTSTATUS
launch(const struct source *source, int theirs, pid_t *id)
{
    char parent[16];
    char *words[] = {(char *)source->helper, (char *)source->lock, parent, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error;

    snprintf(parent, sizeof(parent), "%d", getpid());
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP); /* of its own: 0 */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    error = posix_spawn_file_actions_adddup2(&actions, theirs, HELPER_SOCKET);
    if (!error)
        error = posix_spawn(id, source->helper, &actions, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = error;
    if (!error)
        return STATUS_SUCCESS;
    return status_raise(error == ENOENT || error == EACCES ? STATUS_OBJECT_NAME_NOT_FOUND
                                                           : STATUS_INSUFFICIENT_RESOURCES);
}

/* The helper's descriptor must not be ours to dup over: dup2 of a descriptor on itself would leave
 * it closed at exec. */
static NTSTATUS
pair_make(int pair[2])
{
    int moved;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (pair[1] != HELPER_SOCKET)
        return STATUS_SUCCESS;
    moved = fcntl(pair[1], F_DUPFD_CLOEXEC, HELPER_SOCKET + 1);
    close(pair[1]);
    pair[1] = moved;
    if (moved >= 0)
        return STATUS_SUCCESS;
    close(pair[0]);
    return status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS
process_start(const struct source *source, struct port *port, struct explanation *why)
{
    int pair[2];
    NTSTATUS status;

    TRY(pair_make(pair));
    status = launch(source, pair[1], &port->id);
    close(pair[1]);
    if (status != STATUS_SUCCESS) {
        close(pair[0]);
        return explain(why, status, "'%s' cannot be started: %s", source->helper, strerror(errno));
    }
    port->socket = pair[0];
    /* -1 when the application has buried it already: then there is nobody to kill. */
    port->process = pidfd_open(port->id, 0);
    return STATUS_SUCCESS;
}

void
port_kill(const struct port *port)
{
    if (port->process >= 0)
        pidfd_send_signal(port->process, SIGKILL, NULL, 0);
}

/* False: its end was fetched by the application; or it hangs in the kernel, and nobody waits for
 * that. */
static bool
wait_for_end(const struct port *port, int *state)
{
    for (int i = 0; i < END_LOOKS; i++) {
        pid_t got = waitpid(port->id, state, WNOHANG);

        if (got != 0 && !(got < 0 && errno == EINTR))
            return got == port->id;
        nanosleep(&(struct timespec){.tv_nsec = END_LOOK_NS}, NULL);
    }
    return false;
}

/* How it ended, in words. */
static void
bury(struct port *port, char *how, size_t size)
{
    int state = 0;

    close(port->socket);
    port->socket = -1;
    port_kill(port);
    snprintf(how, size, "ended");
    if (wait_for_end(port, &state)) {
        if (WIFSIGNALED(state))
            snprintf(how, size, "was killed by signal %d", WTERMSIG(state));
        else
            snprintf(how, size, "was ended by exit(%d)", WEXITSTATUS(state));
    }
}

static void
port_free(struct port *port)
{
    char how[64];

    if (!port)
        return;
    if (!port_is_dead(port))
        bury(port, how, sizeof(how));
    if (port->process >= 0)
        close(port->process);
    free(port);
}
OWNED_BY(struct port, port_free)

void
port_close(struct port *port)
{
    struct explanation why = {0};
    int code;

    if (port && !port_is_dead(port) && port->is_open)
        status_forgive(port_info(port, XA_OP_CLOSE, &code, &why)); /* it goes away in any case */
    port_free(port);
}

/* ---- asking ---- */

static const char *const verbs[XA_OPS] = {
    [XA_OP_LOAD] = "loading the switch",
    [XA_OP_OPEN] = "xa_open",
    [XA_OP_CLOSE] = "xa_close",
    [XA_OP_START] = "xa_start",
    [XA_OP_END] = "xa_end",
    [XA_OP_PREPARE] = "xa_prepare",
    [XA_OP_COMMIT] = "xa_commit",
    [XA_OP_ROLLBACK] = "xa_rollback",
    [XA_OP_FORGET] = "xa_forget",
    [XA_OP_RECOVER] = "xa_recover",
    [XA_OP_CALL] = "the application's function",
};

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* False: it does not come in time. */
static bool
wait_for_reply(const struct port *port)
{
    struct pollfd fd = {.fd = port->socket, .events = POLLIN};
    uint64_t until = now_ms() + port->source->timeout_ms;

    for (;;) {
        uint64_t now = now_ms();
        int got = now < until ? poll(&fd, 1, (int)(until - now)) : 0;

        if (got > 0 || (got < 0 && errno != EINTR))
            return true;
        if (got == 0)
            return false;
    }
}

struct exchange {
    struct xa_request request;
    struct iovec out[3]; /* the request and what follows it */
    struct xa_reply reply;
    void *into;
    size_t into_size;
};

static bool
receive(struct port *port, struct exchange *exchange)
{
    struct iovec in[] = {{&exchange->reply, sizeof(exchange->reply)},
                         {exchange->into, exchange->into_size}};
    struct msghdr message = {.msg_iov = in, .msg_iovlen = exchange->into ? 2 : 1};
    ssize_t got = recvmsg(port->socket, &message, 0);

    return got >= (ssize_t)sizeof(exchange->reply) &&
           exchange->reply.serial == exchange->request.serial;
}

static NTSTATUS
died(struct port *port, const struct exchange *exchange, bool is_late, struct explanation *why)
{
    char how[64];

    bury(port, how, sizeof(how));
    if (is_late)
        explain_sentence(why, "%s: the helper did not answer within %u ms, and was killed",
                         verbs[exchange->request.op], port->source->timeout_ms);
    else
        explain_sentence(why, "%s: the helper process %s", verbs[exchange->request.op], how);
    return status_raise(STATUS_RM_DISCONNECTED);
}

static NTSTATUS
ask(struct port *port, struct exchange *exchange, struct explanation *why)
{
    struct msghdr message = {.msg_iov = exchange->out, .msg_iovlen = 3};
    bool is_late = false;

    if (port_is_dead(port))
        return explain(why, status_raise(STATUS_RM_DISCONNECTED), "the helper process is gone");
    exchange->out[0] = (struct iovec){&exchange->request, sizeof(exchange->request)};
    exchange->request.serial = ++port->serial;
    exchange->request.rmid = port->source->rmid;
    exchange->request.size = (uint32_t)(exchange->out[1].iov_len + exchange->out[2].iov_len);
    if (sendmsg(port->socket, &message, MSG_NOSIGNAL) >= 0) {
        is_late = !wait_for_reply(port);
        if (!is_late && receive(port, exchange))
            return STATUS_SUCCESS;
    }
    return died(port, exchange, is_late, why);
}

NTSTATUS
port_say(struct port *port, enum xa_op op, const XID *xid, long flags, int *code,
         struct explanation *why)
{
    struct exchange exchange = {.request = {.op = op, .flags = flags, .xid = *xid}};

    *code = XAER_RMFAIL;
    TRY(ask(port, &exchange, why));
    *code = exchange.reply.result;
    return STATUS_SUCCESS;
}

NTSTATUS
port_info(struct port *port, enum xa_op op, int *code, struct explanation *why)
{
    struct exchange exchange = {.request = {.op = op}};

    *code = XAER_RMFAIL;
    exchange.out[1] = (struct iovec){(char *)port->source->info, strlen(port->source->info) + 1};
    TRY(ask(port, &exchange, why));
    *code = exchange.reply.result;
    return STATUS_SUCCESS;
}

NTSTATUS
port_recover(struct port *port, XID *xids, long count, long flags, int *code,
             struct explanation *why)
{
    struct exchange exchange = {.request = {.op = XA_OP_RECOVER, .flags = flags, .count = count},
                                .into = xids,
                                .into_size = XA_RECOVER_MAX * sizeof(*xids)};

    CHECK(count <= XA_RECOVER_MAX);
    *code = XAER_RMFAIL;
    TRY(ask(port, &exchange, why));
    *code = exchange.reply.result;
    return STATUS_SUCCESS;
}

NTSTATUS
port_recover_all(struct port *port, port_each *each, void *context, struct explanation *why)
{
    XID xids[XA_RECOVER_MAX];
    NTSTATUS status = STATUS_SUCCESS;
    long flags = TMSTARTRSCAN;
    int code;

    do {
        TRY(port_recover(port, xids, XA_RECOVER_MAX, flags, &code, why));
        if (code < 0)
            return explain(why, status_raise(STATUS_RM_DISCONNECTED), "xa_recover: %s [%s]",
                           code_meaning(code), code_name(code));
        for (int i = 0; status == STATUS_SUCCESS && i < code; i++)
            status = each(context, &xids[i]);
        flags = TMNOFLAGS;
    } while (status == STATUS_SUCCESS && code == XA_RECOVER_MAX);
    return status;
}

static NTSTATUS
status_of_result(int result, struct explanation *why, const char *text)
{
    switch (result) {
    case RESULT_DONE:
        return STATUS_SUCCESS;
    case RESULT_REFUSED:
        return explain(why, status_raise(STATUS_UNSUCCESSFUL),
                       "the application's function says that it could not");
    case RESULT_NO_SWITCH:
        return explain(why, status_raise(STATUS_OBJECT_TYPE_MISMATCH), "%s", text);
    default:
        return explain(why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND), "%s", text);
    }
}

NTSTATUS
port_call(struct port *port, struct call *call, struct explanation *why)
{
    uint8_t *answer = malloc(XA_DATA_MAX);
    struct exchange exchange = {
        .request = {.op = XA_OP_CALL, .text = (uint32_t)strlen(call->function) + 1},
        .into = answer,
        .into_size = XA_DATA_MAX - 1};
    NTSTATUS status;

    if (!answer)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    exchange.out[1] = (struct iovec){(char *)call->function, exchange.request.text};
    exchange.out[2] = (struct iovec){(void *)call->in, call->in_size};
    status = ask(port, &exchange, why);
    if (status == STATUS_SUCCESS) {
        answer[exchange.reply.size] = '\0';
        status = status_of_result(exchange.reply.result, why, (char *)answer);
    }
    if (status == STATUS_SUCCESS) {
        call->got = exchange.reply.size;
        if (call->out && call->got <= call->out_size)
            memcpy(call->out, answer, call->got);
        else if (call->out)
            status = status_raise(STATUS_BUFFER_TOO_SMALL);
    }
    free(answer);
    return status;
}

/* ---- opening ---- */

static NTSTATUS
load(struct port *port, struct explanation *why)
{
    struct exchange exchange = {
        .request = {.op = XA_OP_LOAD}, .into = &port->info, .into_size = sizeof(port->info)};
    union {
        struct switch_info info;
        char text[sizeof(struct switch_info)];
    } *told = (void *)&port->info;

    exchange.out[1] = (struct iovec){(char *)port->source->spec, strlen(port->source->spec) + 1};
    TRY(ask(port, &exchange, why));
    return status_of_result(exchange.reply.result, why, told->text);
}

NTSTATUS
port_start(const struct source *source, struct port **out, struct explanation *why)
{
    owned(port_free) struct port *port = calloc(1, sizeof(*port));

    if (!port)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    list_init(&port->in_idle);
    port->source = source;
    port->socket = port->process = -1;
    TRY(process_start(source, port, why));
    TRY(load(port, why));
    *out = give(port);
    return STATUS_SUCCESS;
}

NTSTATUS
port_open(const struct source *source, struct port **out, struct explanation *why)
{
    owned(port_free) struct port *port = NULL;
    int code;

    TRY(port_start(source, &port, why));
    TRY(port_info(port, XA_OP_OPEN, &code, why));
    if (code != XA_OK)
        return explain(why, status_raise(STATUS_RM_DISCONNECTED), "xa_open: %s [%s]",
                       code_meaning(code), code_name(code));
    port->is_open = true;
    *out = give(port);
    return STATUS_SUCCESS;
}
