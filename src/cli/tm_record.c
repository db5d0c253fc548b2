/* SPDX-License-Identifier: MIT */
/* From the bytes of a record to what they say. */
#include "cli/tm_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/owned.h"

enum { HEADER_SIZE = 32, RESTART_SIZE = 64, VERSION = 1, UNITS_MAX = 64 };
enum { PARTICIPANT_SIZE = 44, SUPERIOR_SIZE = 40, FLAG_BRANCH = 1 };
#define RESTART_MAGIC 0x524D544Bu

enum { PREPARE = 1, COMMIT, ABORT, FORGET, RECINFO };

static NTSTATUS
corrupt(void)
{
    return status_raise(STATUS_LOG_CORRUPTION_DETECTED);
}

static GUID
get_guid(const uint8_t *at)
{
    GUID guid = {.Data1 = le32_get(at), .Data2 = le16_get(at + 4), .Data3 = le16_get(at + 6)};

    memcpy(guid.Data4, at + 8, 8);
    return guid;
}

static bool
take(struct bytes *left, size_t size, const uint8_t **at)
{
    if (left->size < size)
        return false;
    *at = left->at;
    left->at += size;
    left->size -= size;
    return true;
}

/* A description; one that is no text is shown as such. */
static NTSTATUS
take_text(struct bytes *left, size_t count, char out[4 * UNITS_MAX + 1])
{
    owned(free_text) char *text = NULL;
    uint16_t units[UNITS_MAX];
    const uint8_t *at;
    NTSTATUS status;

    if (count > UNITS_MAX || !take(left, 2 * count, &at))
        return corrupt();
    for (size_t i = 0; i < count; i++)
        units[i] = le16_get(at + 2 * i);
    status = text_from_utf16(units, count, &text);
    if (status == STATUS_OBJECT_NAME_INVALID) {
        strcpy(out, "(no text)");
        return STATUS_SUCCESS;
    }
    TRY(status);
    strcpy(out, text); /* at most three bytes for each unit */
    return STATUS_SUCCESS;
}

static NTSTATUS
take_superior(struct bytes *left, struct tm_participant *out)
{
    const uint8_t *at;

    if (!take(left, SUPERIOR_SIZE, &at))
        return corrupt();
    out->is_superior = true;
    out->enlistment = get_guid(at);
    out->manager = get_guid(at + 16);
    out->mask = le32_get(at + 32);
    out->is_branch = le32_get(at + 36) & FLAG_BRANCH;
    return STATUS_SUCCESS;
}

static NTSTATUS
take_participant(struct bytes *left, struct tm_participant *out)
{
    const uint8_t *at, *info;

    if (!take(left, PARTICIPANT_SIZE, &at))
        return corrupt();
    out->enlistment = get_guid(at);
    out->manager = get_guid(at + 16);
    out->mask = le32_get(at + 32);
    out->info_size = le32_get(at + 36);
    out->is_branch = at[41] & FLAG_BRANCH;
    TRY(take_text(left, at[40], out->description));
    return take(left, out->info_size, &info) ? STATUS_SUCCESS : corrupt();
}

static NTSTATUS
read_transaction(struct bytes left, struct tm_record *out)
{
    const uint8_t *at;
    bool has_superior;
    size_t count;

    if (!take(&left, 8, &at) || at[1] > 1)
        return corrupt();
    has_superior = at[1];
    count = le32_get(at + 4);
    TRY(take_text(&left, at[0], out->description));
    if (count > left.size / PARTICIPANT_SIZE)
        return corrupt();
    out->participants = calloc(count + 1, sizeof(*out->participants));
    if (!out->participants)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (has_superior)
        TRY(take_superior(&left, &out->participants[out->count++]));
    for (size_t i = 0; i < count; i++)
        TRY(take_participant(&left, &out->participants[out->count++]));
    return left.size == 0 ? STATUS_SUCCESS : corrupt();
}

static NTSTATUS
read_info(struct bytes left, struct tm_record *out)
{
    const uint8_t *at;

    if (!take(&left, 24, &at) || left.size != le32_get(at + 16))
        return corrupt();
    out->participants = calloc(1, sizeof(*out->participants));
    if (!out->participants)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    out->count = 1;
    out->participants->enlistment = get_guid(at);
    out->participants->info_size = (uint32_t)left.size;
    return STATUS_SUCCESS;
}

static NTSTATUS
read_data(struct bytes data, struct tm_record *out)
{
    static const char *const types[] = {[PREPARE] = "PREPARE",
                                        [COMMIT] = "COMMIT",
                                        [ABORT] = "ABORT",
                                        [FORGET] = "FORGET",
                                        [RECINFO] = "RECINFO"};
    struct bytes left = data;
    const uint8_t *at;
    unsigned type;

    if (!take(&left, HEADER_SIZE, &at) || at[1] != VERSION || le16_get(at + 2) ||
        le32_get(at + 4) != data.size)
        return corrupt();
    type = at[0];
    if (type < PREPARE || type > RECINFO)
        return corrupt();
    out->type = types[type];
    out->clock = (int64_t)le64_get(at + 8);
    out->transaction = get_guid(at + 16);
    if (type == FORGET && guid_is_zero(&out->transaction))
        out->type = "MARKER";
    if (type == PREPARE || type == COMMIT)
        return read_transaction(left, out);
    if (type == RECINFO)
        return read_info(left, out);
    return left.size == 0 ? STATUS_SUCCESS : corrupt();
}

static NTSTATUS
read_restart(struct bytes data, struct tm_record *out)
{
    if (data.size != RESTART_SIZE || le32_get(data.at) != RESTART_MAGIC ||
        le32_get(data.at + 4) != VERSION)
        return corrupt();
    out->type = "RESTART";
    out->identity = get_guid(data.at + 8);
    out->log_identity = get_guid(data.at + 24);
    out->clock = (int64_t)le64_get(data.at + 40);
    out->oldest = le64_get(data.at + 48);
    return STATUS_SUCCESS;
}

NTSTATUS
tm_record_read(struct bytes data, bool is_restart, struct tm_record *out)
{
    struct tm_record record = {0};
    NTSTATUS status = is_restart ? read_restart(data, &record) : read_data(data, &record);

    if (status != STATUS_SUCCESS) {
        tm_record_deinit(&record);
        return status;
    }
    *out = record;
    return STATUS_SUCCESS;
}

void
tm_record_deinit(struct tm_record *record)
{
    free(record->participants);
    *record = (struct tm_record){0};
}
