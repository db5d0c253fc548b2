/* SPDX-License-Identifier: MIT */
/*
 * Helper processes, seen from here. A port belongs to whoever holds it: one call at a time, and no
 * lock. What kills a helper, or takes too long, closes its port; the caller goes on with another.
 */
#pragma once

#include <sys/types.h>

#include "base/explain.h"
#include "base/list.h"
#include "rm/xa/wire.h"

/* What a helper is started with; borrowed, and longer-lived than its ports. */
struct source {
    const char *spec;   /* of the switch, as for ktm_xa_open */
    const char *info;   /* the open string */
    const char *helper; /* the program */
    const char *lock;   /* the file that helpers hold; "": none */
    uint32_t timeout_ms;
    int rmid;
};

struct port {
    struct list in_idle;
    const struct source *source;
    int socket;  /* -1: it died */
    int process; /* its pidfd, also when it died: somebody may just be about to kill it */
    pid_t id;
    uint64_t serial;
    bool is_open; /* xa_open was said */
    struct switch_info info;
};

/* The program: 'named', or $KTM_XA_HELPER, or what lies beside this library; to be freed. Answers:
 * OBJECT_NAME_NOT_FOUND. */
NTSTATUS helper_find(const char *named, char **out, struct explanation *why) must_use;

/* A helper with the switch loaded. Answers: OBJECT_NAME_NOT_FOUND, OBJECT_TYPE_MISMATCH,
 * RM_DISCONNECTED (it died), INSUFFICIENT_RESOURCES. */
NTSTATUS port_start(const struct source *source, struct port **out,
                    struct explanation *why) must_use;
/* The same, and xa_open. Answers: RM_DISCONNECTED too when that fails. */
NTSTATUS port_open(const struct source *source, struct port **out,
                   struct explanation *why) must_use;
/* xa_close, and the end. NULL: nothing. */
void port_close(struct port *port);
/* SIGKILL, from any thread that has the port or keeps it from being closed. */
void port_kill(const struct port *port);
static inline bool
port_is_dead(const struct port *port)
{
    return port->socket < 0;
}

/* Asks for one of START to FORGET. Answers: RM_DISCONNECTED (the helper died, or hung and was
 * killed; '*code' is XAER_RMFAIL). */
NTSTATUS port_say(struct port *port, enum xa_op op, const XID *xid, long flags, int *code,
                  struct explanation *why) must_use;
NTSTATUS port_info(struct port *port, enum xa_op op, int *code, struct explanation *why) must_use;
/* A piece of a scan: '*code' names at most 'count' of XA_RECOVER_MAX, or is an error. */
NTSTATUS port_recover(struct port *port, XID *xids, long count, long flags, int *code,
                      struct explanation *why) must_use;
/* The whole scan. */
typedef NTSTATUS port_each(void *context, const XID *xid);
NTSTATUS port_recover_all(struct port *port, port_each *each, void *context,
                          struct explanation *why) must_use;
/* A function inside the branch, as ktm_xa_call. */
struct call {
    const char *function;
    const void *in;
    size_t in_size;
    void *out;
    size_t out_size, got;
};
NTSTATUS port_call(struct port *port, struct call *call, struct explanation *why) must_use;
