/* SPDX-License-Identifier: MIT */
/* The run-time helpers: counted strings, GUIDs as text, and the thread's current transaction. */
#include <stdlib.h>
#include <string.h>

#include "base/guid.h"
#include "base/text.h"
#include "wdm.h"

#define STRING_BYTES_MAX 65534u
#define GUID_UNITS       38u /* "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}" */

VOID
RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    size_t units = 0;

    while (SourceString && SourceString[units] && (units + 1) * sizeof(WCHAR) < STRING_BYTES_MAX)
        units++;
    *DestinationString = (UNICODE_STRING){
        .Length = (USHORT)(units * sizeof(WCHAR)),
        .MaximumLength = (USHORT)(SourceString ? (units + 1) * sizeof(WCHAR) : 0),
        .Buffer = (PWSTR)SourceString,
    };
}

VOID
RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    free(UnicodeString->Buffer);
    *UnicodeString = (UNICODE_STRING){0};
}

NTSTATUS
RtlGUIDFromString(PCUNICODE_STRING GuidString, GUID *Guid)
{
    char text[GUID_UNITS + 1] = "";

    if (!GuidString || !Guid || GuidString->Length != GUID_UNITS * sizeof(WCHAR) ||
        !GuidString->Buffer)
        return status_raise(STATUS_INVALID_PARAMETER);
    for (size_t i = 0; i < GUID_UNITS; i++) {
        WCHAR c = GuidString->Buffer[i];

        text[i] = c < 0x80 ? (char)c : '?';
    }
    if (text[0] != '{' || text[GUID_UNITS - 1] != '}')
        return status_raise(STATUS_INVALID_PARAMETER);
    return guid_parse(text, Guid);
}

NTSTATUS
RtlStringFromGUID(REFGUID Guid, PUNICODE_STRING GuidString)
{
    char text[GUID_TEXT_SIZE];
    WCHAR *units = malloc((GUID_UNITS + 1) * sizeof(*units));

    if (!units)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    guid_print(Guid, text);
    units[0] = '{';
    for (size_t i = 0; i < GUID_UNITS - 2; i++)
        units[i + 1] = (unsigned char)text[i];
    units[GUID_UNITS - 1] = '}';
    units[GUID_UNITS] = 0;
    *GuidString = (UNICODE_STRING){
        .Length = GUID_UNITS * sizeof(WCHAR),
        .MaximumLength = (GUID_UNITS + 1) * sizeof(WCHAR),
        .Buffer = units,
    };
    return STATUS_SUCCESS;
}

static _Thread_local HANDLE current_transaction; /* remembered, not held [RTL-03] */

HANDLE
RtlGetCurrentTransaction(PCWSTR ExistingFileName, PCWSTR NewFileName)
{
    (void)ExistingFileName;
    (void)NewFileName;
    return current_transaction;
}

LOGICAL
RtlSetCurrentTransaction(HANDLE TransactionHandle)
{
    current_transaction = TransactionHandle;
    return TRUE;
}
