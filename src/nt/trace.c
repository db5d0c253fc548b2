/* SPDX-License-Identifier: MIT */
/*
 * Calls as lines of the trace, in the manner of strace (design D16):
 *
 *     NtCreateTransaction([0x1000014], 0x1f003f, NULL, NULL, 0x1000004, 0, 0, 0, NULL, "pay") =
 *         STATUS_SUCCESS <0.000021>
 *
 * How an argument is shown follows from the name of its type in the table of services. A pointer to
 * what the call gives back is shown as [what it gave] when the call has succeeded.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guid.h"
#include "base/text.h"
#include "nt/services.h"
#include "sys/thread.h"
#include "sys/trace.h"

struct text {
    char at[700];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void
text_add(struct text *text, const char *format, ...)
{
    size_t room = sizeof(text->at) - text->length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text->at + text->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* ---- one argument -----------------------------------------------------------------------------
 */

static void
show_hex(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    text_add(text, "0x%" PRIxPTR, value);
}

static void
show_pointer(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    if (value)
        text_add(text, "0x%" PRIxPTR, value);
    else
        text_add(text, "NULL");
}

static void
show_number(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    text_add(text, "%" PRIuPTR, value);
}

static void
show_bool(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    text_add(text, value ? "TRUE" : "FALSE");
}

static void
show_status(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    text_add(text, "%s", status_name((NTSTATUS)value));
}

static void
show_given_handle(struct text *text, uintptr_t value, bool is_done)
{
    if (value && is_done)
        text_add(text, "[%p]", *(void **)value);
    else
        show_pointer(text, value, is_done);
}

static void
show_given_number(struct text *text, uintptr_t value, bool is_done)
{
    if (value && is_done)
        text_add(text, "[%u]", *(ULONG *)value);
    else
        show_pointer(text, value, is_done);
}

static void
show_large(struct text *text, uintptr_t value, bool is_done)
{
    (void)is_done;
    if (value)
        text_add(text, "%lld", (long long)((LARGE_INTEGER *)value)->QuadPart);
    else
        text_add(text, "NULL");
}

static void
show_guid(struct text *text, uintptr_t value, bool is_done)
{
    char shown[GUID_TEXT_SIZE];

    (void)is_done;
    if (!value) {
        text_add(text, "NULL");
        return;
    }
    guid_print((const GUID *)value, shown);
    text_add(text, "{%s}", shown);
}

#define STRING_UNITS_SHOWN 60

static void
show_string(struct text *text, uintptr_t value, bool is_done)
{
    const UNICODE_STRING *string = (const UNICODE_STRING *)value;
    char *shown = NULL;
    size_t units;

    if (!string || !string->Buffer) {
        show_pointer(text, value, is_done);
        return;
    }
    units = string->Length / sizeof(WCHAR);
    if (text_from_utf16((const uint16_t *)string->Buffer,
                        units < STRING_UNITS_SHOWN ? units : STRING_UNITS_SHOWN,
                        &shown) == STATUS_SUCCESS)
        text_add(text, "\"%s\"%s", shown, units > STRING_UNITS_SHOWN ? "..." : "");
    else
        text_add(text, "(%u bytes that are no text)", string->Length);
    free(shown);
}

static void
show_attributes(struct text *text, uintptr_t value, bool is_done)
{
    const OBJECT_ATTRIBUTES *attributes = (const OBJECT_ATTRIBUTES *)value;

    if (!attributes || attributes->Length != sizeof(*attributes)) {
        show_pointer(text, value, is_done);
        return;
    }
    text_add(text, "{");
    show_string(text, (uintptr_t)attributes->ObjectName, is_done);
    text_add(text, ", 0x%x}", attributes->Attributes);
}

static void
show_mask(struct text *text, uintptr_t value, bool is_done)
{
    static const struct {
        ULONG bit;
        const char *name;
    } names[] = {
        {TRANSACTION_NOTIFY_PREPREPARE, "PREPREPARE"},
        {TRANSACTION_NOTIFY_PREPARE, "PREPARE"},
        {TRANSACTION_NOTIFY_COMMIT, "COMMIT"},
        {TRANSACTION_NOTIFY_ROLLBACK, "ROLLBACK"},
        {TRANSACTION_NOTIFY_PREPREPARE_COMPLETE, "PREPREPARE_COMPLETE"},
        {TRANSACTION_NOTIFY_PREPARE_COMPLETE, "PREPARE_COMPLETE"},
        {TRANSACTION_NOTIFY_COMMIT_COMPLETE, "COMMIT_COMPLETE"},
        {TRANSACTION_NOTIFY_ROLLBACK_COMPLETE, "ROLLBACK_COMPLETE"},
        {TRANSACTION_NOTIFY_RECOVER, "RECOVER"},
        {TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT, "SINGLE_PHASE_COMMIT"},
        {TRANSACTION_NOTIFY_RECOVER_QUERY, "RECOVER_QUERY"},
        {TRANSACTION_NOTIFY_LAST_RECOVER, "LAST_RECOVER"},
        {TRANSACTION_NOTIFY_INDOUBT, "INDOUBT"},
        {TRANSACTION_NOTIFY_RM_DISCONNECTED, "RM_DISCONNECTED"},
        {TRANSACTION_NOTIFY_COMMIT_REQUEST, "COMMIT_REQUEST"},
        {TRANSACTION_NOTIFY_REQUEST_OUTCOME, "REQUEST_OUTCOME"},
    };
    ULONG rest = (ULONG)value;
    const char *between = "";

    (void)is_done;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (rest & names[i].bit) {
            text_add(text, "%s%s", between, names[i].name);
            rest &= ~names[i].bit;
            between = "|";
        }
    if (rest || !*between)
        text_add(text, "%s0x%x", between, rest);
}

static void
show_notification(struct text *text, uintptr_t value, bool is_done)
{
    const TRANSACTION_NOTIFICATION *note = (const TRANSACTION_NOTIFICATION *)value;

    if (!note || !is_done) {
        show_pointer(text, value, is_done);
        return;
    }
    text_add(text, "[");
    show_mask(text, note->TransactionNotification, is_done);
    text_add(text, " key %p clock %lld]", note->TransactionKey,
             (long long)note->TmVirtualClock.QuadPart);
}

/* ---- a call -----------------------------------------------------------------------------------
 */

static const struct {
    const char *type;
    void (*show)(struct text *text, uintptr_t value, bool is_done);
} kinds[] = {
    {"HANDLE", show_pointer},
    {"PHANDLE", show_given_handle},
    {"ACCESS_MASK", show_hex},
    {"NOTIFICATION_MASK", show_mask},
    {"POBJECT_ATTRIBUTES", show_attributes},
    {"PUNICODE_STRING", show_string},
    {"LPGUID", show_guid},
    {"PCRM_PROTOCOL_ID", show_guid},
    {"PLARGE_INTEGER", show_large},
    {"PULONG", show_given_number},
    {"PLONG", show_given_number},
    {"PVOID", show_pointer},
    {"PVOID *", show_pointer},
    {"PIO_STATUS_BLOCK", show_pointer},
    {"HANDLE *", show_pointer},
    {"PKTMOBJECT_CURSOR", show_pointer},
    {"PTRANSACTION_NOTIFICATION", show_notification},
    {"BOOLEAN", show_bool},
    {"NTSTATUS", show_status},
};

static void
show_argument(struct text *text, const char *type, size_t length, uintptr_t value, bool is_done)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strlen(kinds[i].type) == length && memcmp(kinds[i].type, type, length) == 0) {
            kinds[i].show(text, value, is_done);
            return;
        }
    show_number(text, value, is_done); /* ULONG, and the enumerations */
}

void
service_trace(enum service_number service, const uintptr_t *values, NTSTATUS status, uint64_t begun)
{
    bool is_done = NT_SUCCESS(status) && status != STATUS_TIMEOUT;
    const char *types = services[service].arguments + 1; /* behind the parenthesis */
    uint64_t took = begun ? sys_now() - begun : 0;
    struct text text = {.length = 0};

    TRACE_PROBE(service, service, status, took);
    for (size_t i = 0; strcmp(types, "void)") != 0 && *types; i++) {
        size_t length = strcspn(types, ",)");

        text_add(&text, i ? ", " : "");
        show_argument(&text, types, length, values[i], is_done);
        types += length + 1;
        types += strspn(types, " ");
    }
    trace_line("Nt%s(%s) = %s <%llu.%06llu>", services[service].name, text.at, status_name(status),
               (unsigned long long)(took / 1000000000),
               (unsigned long long)(took % 1000000000 / 1000));
}
