/* SPDX-License-Identifier: MIT */
/*
 * What the library and a helper process say to each other: one request, one reply, over a socket
 * pair that keeps the borders of messages. Both are built together and run on one machine, so
 * structs go as they are. A helper ends when its end of the pair hangs up, whatever it is at.
 */
#pragma once

#include <stdint.h>

#include "base/base.h"
#include "ktm_xa.h"

#define HELPER_SOCKET 3 /* the helper's descriptor of it */

/* Behind a request: LOAD the switch's name as for ktm_xa_open; OPEN and CLOSE the open string; CALL
 * the function's name with its NUL, and what the function gets. */
enum xa_op {
    XA_OP_LOAD,
    XA_OP_OPEN,
    XA_OP_CLOSE,
    XA_OP_START,
    XA_OP_END,
    XA_OP_PREPARE,
    XA_OP_COMMIT,
    XA_OP_ROLLBACK,
    XA_OP_FORGET,
    XA_OP_RECOVER,
    XA_OP_CALL,
    XA_OPS,
};

struct xa_request {
    uint64_t serial;
    int64_t flags, count;
    uint32_t op;
    int32_t rmid;
    uint32_t size; /* of what follows */
    uint32_t text; /* CALL: so many bytes of it are the function's name */
    XID xid;
};

/* Behind a reply: LOAD a struct switch_info, or why not; RECOVER the names; CALL what the function
 * gave. */
struct xa_reply {
    uint64_t serial;
    int32_t result; /* what the switch returned; of LOAD and CALL an enum xa_result */
    uint32_t size;
};

enum xa_result {
    RESULT_DONE,
    RESULT_NO_LIBRARY,
    RESULT_NO_SYMBOL,
    RESULT_NO_SWITCH,
    RESULT_REFUSED, /* the application's function did not return 0 */
};

#define XA_RECOVER_MAX 64 /* names in one piece */
#define XA_DATA_MAX    (KTM_XA_CALL_SIZE + 4096)
static_assert(XA_RECOVER_MAX * sizeof(XID) <= XA_DATA_MAX, "a piece of a scan fits");

struct switch_info {
    char name[RMNAMESZ];
    int64_t flags, version;
    char symbol[128];
    char path[4096]; /* of the file that was loaded */
};
