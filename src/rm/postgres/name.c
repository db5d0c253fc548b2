/* SPDX-License-Identifier: MIT */
/*
 * The names of prepared transactions:
 *
 *     ktm:<tm>:<rm>:<transaction>:<enlistment>:<incarnation>:<xid>
 *
 * GUIDs are 32 hexadecimal digits, numbers decimal; 177 bytes at most of the 199 that PostgreSQL
 * allows. The names of a cluster are one space, so the enlistment makes them unique. Transaction
 * and incarnation are what the kit needs to tell an older run's from this one's, and the number is
 * the server's own, by which pg_xact_status proves an outcome when the name is gone.
 *
 * A name that is gone tells nothing, so the same is kept as the enlistment's recovery information:
 * KTM writes it with the COMMIT record, before anybody is told to commit [RECOV-31].
 */
#include "rm/postgres/postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define GUID_DIGITS 32

static_assert(4 + 4 * (GUID_DIGITS + 1) + 21 + 20 < GID_SIZE, "the longest name fits");

/* ---- GUIDs without dashes ---- */

static void
digits_print(const GUID *guid, char text[GUID_DIGITS + 1])
{
    char dashed[GUID_TEXT_SIZE];
    size_t size = 0;

    guid_print(guid, dashed);
    for (const char *at = dashed; *at; at++)
        if (*at != '-')
            text[size++] = *at;
    text[size] = '\0';
}

/* Takes 32 digits and the colon after them off the text. */
static bool
digits_take(const char **text, GUID *out)
{
    const char *at = *text;
    char dashed[GUID_TEXT_SIZE];

    if (strspn(at, "0123456789abcdef") != GUID_DIGITS || at[GUID_DIGITS] != ':')
        return false;
    snprintf(dashed, sizeof(dashed), "%.8s-%.4s-%.4s-%.4s-%.12s", at, at + 8, at + 12, at + 16,
             at + 20);
    *text = at + GUID_DIGITS + 1;
    return guid_parse(dashed, out) == STATUS_SUCCESS;
}

static bool
number_take(const char **text, char end, uint64_t *out)
{
    char *after;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &after, 10);
    if (errno || *after != end)
        return false;
    *text = after + 1;
    return true;
}

/* ---- names ---- */

void
name_prefix(const struct ktm_postgres_rm *rm, char text[GID_SIZE])
{
    char tm[GUID_DIGITS + 1], manager[GUID_DIGITS + 1];

    digits_print(&rm->base.home.tm, tm);
    digits_print(&rm->base.home.manager, manager);
    snprintf(text, GID_SIZE, "ktm:%s:%s:", tm, manager);
}

void
name_print(const struct ktm_postgres_rm *rm, struct name *name)
{
    char transaction[GUID_DIGITS + 1], enlistment[GUID_DIGITS + 1];
    size_t size;

    name_prefix(rm, name->gid);
    digits_print(&name->transaction, transaction);
    digits_print(&name->enlistment, enlistment);
    size = strlen(name->gid);
    snprintf(name->gid + size, sizeof(name->gid) - size, "%s:%s:%" PRIu64 ":%" PRIu64, transaction,
             enlistment, name->incarnation, name->xid);
}

bool
name_parse(const struct ktm_postgres_rm *rm, const char *gid, struct name *out)
{
    char prefix[GID_SIZE];
    const char *at = gid;
    struct name name = {0};

    name_prefix(rm, prefix);
    if (strlen(gid) >= sizeof(name.gid) || strncmp(gid, prefix, strlen(prefix)) != 0)
        return false;
    at += strlen(prefix);
    if (!digits_take(&at, &name.transaction) || !digits_take(&at, &name.enlistment) ||
        !number_take(&at, ':', &name.incarnation) || !number_take(&at, '\0', &name.xid))
        return false;
    snprintf(name.gid, sizeof(name.gid), "%s", gid);
    *out = name;
    return true;
}

/* ---- recovery information ---- */

#define NOTE_SIZE  40u
#define NOTE_MAGIC 0x4750544bu /* "KTPG" */
#define NOTE_FORM  1u

static NTSTATUS
enlistment_open(struct ktm_postgres_rm *rm, const GUID *enlistment, HANDLE *out)
{
    GUID manager = rm->base.home.manager, name = *enlistment;
    HANDLE handle;
    NTSTATUS status;

    TRY(NtOpenResourceManager(&handle, RESOURCEMANAGER_ALL_ACCESS, rm->base.tm, &manager, NULL));
    status = NtOpenEnlistment(out, ENLISTMENT_ALL_ACCESS, handle, &name, NULL);
    NtClose(handle);
    return status;
}

NTSTATUS
name_keep(struct ktm_postgres_rm *rm, const struct name *name)
{
    uint8_t note[NOTE_SIZE];
    HANDLE enlistment;
    NTSTATUS status;

    le32_put(note, NOTE_MAGIC);
    le32_put(note + 4, NOTE_FORM);
    le64_put(note + 8, name->place.system);
    le64_put(note + 16, name->xid);
    le64_put(note + 24, name->incarnation);
    le32_put(note + 32, name->place.timeline);
    le32_put(note + 36, name->place.database);
    TRY(enlistment_open(rm, &name->enlistment, &enlistment));
    status =
        NtSetInformationEnlistment(enlistment, EnlistmentRecoveryInformation, note, sizeof(note));
    NtClose(enlistment);
    return status;
}

NTSTATUS
name_recall(struct ktm_postgres_rm *rm, const struct ktm_rm_key *key, struct name *out)
{
    struct name name = {.transaction = key->transaction, .enlistment = key->enlistment};
    uint8_t note[NOTE_SIZE];
    ULONG size = 0;
    HANDLE enlistment;
    NTSTATUS status;

    TRY(enlistment_open(rm, &key->enlistment, &enlistment));
    status = NtQueryInformationEnlistment(enlistment, EnlistmentRecoveryInformation, note,
                                          sizeof(note), &size);
    NtClose(enlistment);
    TRY(status);
    if (size != NOTE_SIZE || le32_get(note) != NOTE_MAGIC || le32_get(note + 4) != NOTE_FORM)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    name.place.system = le64_get(note + 8);
    name.xid = le64_get(note + 16);
    name.incarnation = le64_get(note + 24);
    name.place.timeline = le32_get(note + 32);
    name.place.database = le32_get(note + 36);
    name_print(rm, &name);
    *out = name;
    return STATUS_SUCCESS;
}
