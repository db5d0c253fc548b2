/* SPDX-License-Identifier: MIT */
/* Words for tests of buffers that are lent for notifications. */
#pragma once

#include "tests/nt/kit.h"
#include "tests/nt/port_kit.h"
#include "windows.h"

#define KEY ((ULONG_PTR)0x1234567890)

/* One buffer and all that is told about it. */
struct slot {
    OVERLAPPED overlapped;
    union {
        TRANSACTION_NOTIFICATION note;
        BYTE room[64];
    } buffer;
    ULONG length;
};

static inline NTSTATUS
set_port(HANDLE rm, HANDLE port)
{
    RESOURCEMANAGER_COMPLETION_INFORMATION completion = {port, KEY};

    return NtSetInformationResourceManager(rm, ResourceManagerCompletionInformation, &completion,
                                           sizeof(completion));
}

static inline NTSTATUS
lend(HANDLE rm, struct slot *slot, ULONG size)
{
    return NtGetNotificationResourceManager(rm, &slot->buffer.note, size, NULL, &slot->length, 1,
                                            (ULONG_PTR)&slot->overlapped);
}
