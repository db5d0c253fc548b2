/* SPDX-License-Identifier: MIT */
/* Words for tests of completion ports. */
#pragma once

#include "tests/nt/kit.h"

struct taken {
    void *key, *context;
    IO_STATUS_BLOCK block;
};

static inline HANDLE
new_port(void)
{
    HANDLE port;

    EXPECT_OK(NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, NULL, 0));
    return port;
}

/* The oldest packet; waits so many milliseconds, -1: for ever. */
static inline NTSTATUS
take(HANDLE port, int patience, struct taken *taken)
{
    LARGE_INTEGER timeout = milliseconds(patience);

    return NtRemoveIoCompletion(port, &taken->key, &taken->context, &taken->block,
                                patience < 0 ? NULL : &timeout);
}
