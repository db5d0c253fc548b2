/* SPDX-License-Identifier: MIT */
/* Files that have XIDs. */
#include "rm/sqlite_xa/mark.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"

#define MARK "-xa."
#define HEAD 0x316469782d6d746bu /* "ktm-xid1" */

/* As stored: little-endian. */
#define MARK_SIZE (8 + 3 * 8 + XIDDATASIZE)

/* Whose journals they are: of the switch, whatever process, machine or time. */
static const GUID manager = {
    0x8a1d5c3e, 0x4b1f, 0x4c58, {0x9e, 0x21, 0x73, 0x71, 0x6c, 0x69, 0x74, 0x65}};

/* ---- names ---- */

static size_t
size_of(const XID *xid)
{
    return (size_t)(xid->gtrid_length + xid->bqual_length);
}

static void
print(const XID *xid, uint8_t out[MARK_SIZE])
{
    memset(out, 0, MARK_SIZE);
    le64_put(out, HEAD);
    le64_put(out + 8, (uint64_t)xid->formatID);
    le64_put(out + 16, (uint64_t)xid->gtrid_length);
    le64_put(out + 24, (uint64_t)xid->bqual_length);
    memcpy(out + 32, xid->data, size_of(xid));
}

void
mark_key(const XID *xid, struct ktm_rm_key *key)
{
    uint8_t bytes[MARK_SIZE], digest[SHA256_SIZE];
    struct sha256 sha;

    print(xid, bytes);
    sha256_init(&sha);
    sha256_add(&sha, bytes, sizeof(bytes));
    sha256_finish(&sha, digest);
    *key = (struct ktm_rm_key){.manager = manager, .incarnation = 1};
    memcpy(&key->transaction, digest, 16);
    memcpy(&key->enlistment, digest + 16, 16);
}

bool
mark_is_key(const struct ktm_rm_key *key)
{
    return guid_equal(&key->manager, &manager) && key->incarnation == 1;
}

static void
name_of(const struct park *park, const struct ktm_rm_key *key, char name[PARK_NAME_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    int used = snprintf(name, PARK_NAME_SIZE, "%s" MARK, park->name);

    memcpy(digest, &key->transaction, 16);
    memcpy(digest + 16, &key->enlistment, 16);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(name + used + 2 * i, 3, "%02x", digest[i]);
}

/* ---- one mark ---- */

static NTSTATUS
write_file(struct park *park, const char *name, const uint8_t *bytes)
{
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status = tree_unlink(park->tree, park->fd, name); /* what a crash has left */

    if (status != STATUS_OBJECT_NAME_NOT_FOUND)
        TRY(status);
    TRY(tree_file_create(park->tree, park->fd, name, 0600, &fd));
    TRY(tree_write(park->tree, fd, bytes, MARK_SIZE, 0));
    return tree_sync(park->tree, fd);
}

NTSTATUS
mark_write(struct park *park, const XID *xid, struct words *why)
{
    char name[PARK_NAME_SIZE];
    uint8_t bytes[MARK_SIZE];
    struct ktm_rm_key key;

    mark_key(xid, &key);
    name_of(park, &key, name);
    print(xid, bytes);
    return say_status(why, write_file(park, name, bytes), "'%s' cannot be written", name);
}

void
mark_remove(struct park *park, const struct ktm_rm_key *key)
{
    char name[PARK_NAME_SIZE];
    NTSTATUS status;

    name_of(park, key, name);
    status = tree_unlink(park->tree, park->fd, name);
    (void)status; /* what stays is swept by the next xa_open */
}

NTSTATUS
mark_read(struct park *park, const struct ktm_rm_key *key, XID *xid)
{
    owned_fd int fd = TREE_NOWHERE;
    char name[PARK_NAME_SIZE];
    uint8_t bytes[MARK_SIZE];
    struct ktm_rm_key again;
    size_t got;

    name_of(park, key, name);
    TRY(tree_open(park->tree, park->fd, name, TREE_OPEN_READ, &fd));
    TRY(tree_read(park->tree, fd, bytes, sizeof(bytes), 0, &got));
    memset(xid, 0, sizeof(*xid));
    if (got == sizeof(bytes) && le64_get(bytes) == HEAD) {
        xid->formatID = (long)le64_get(bytes + 8);
        xid->gtrid_length = (long)le64_get(bytes + 16);
        xid->bqual_length = (long)le64_get(bytes + 24);
        memcpy(xid->data, bytes + 32, XIDDATASIZE);
    }
    if (xid->gtrid_length < 1 || xid->gtrid_length > MAXGTRIDSIZE || xid->bqual_length < 0 ||
        xid->bqual_length > MAXBQUALSIZE)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    mark_key(xid, &again); /* the name is its checksum */
    return guid_equal(&again.transaction, &key->transaction) &&
                   guid_equal(&again.enlistment, &key->enlistment)
               ? STATUS_SUCCESS
               : status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
}

bool
mark_is_prepared(struct park *park, const struct ktm_rm_key *key)
{
    XID xid;

    return park_is_parked(park, key) && mark_read(park, key, &xid) == STATUS_SUCCESS;
}

/* ---- all of them ---- */

struct listing {
    struct park *park;
    ktm_rm_each_key *each;
    void *list;
};

static void
list_key(void *context, const struct ktm_rm_key *key)
{
    struct listing *self = context;

    if (mark_is_key(key))
        self->each(self->list, key);
}

static void
list_name(void *context, const char *name)
{
    struct listing *self = context;
    size_t length = strlen(self->park->name);
    struct ktm_rm_key key = {.manager = manager, .incarnation = 1};
    uint8_t digest[SHA256_SIZE];
    char again[PARK_NAME_SIZE];

    if (strncmp(name, self->park->name, length) != 0 ||
        strncmp(name + length, MARK, strlen(MARK)) != 0)
        return;
    for (size_t i = 0; i < sizeof(digest); i++) {
        unsigned value = 0;

        if (sscanf(name + length + strlen(MARK) + 2 * i, "%2x", &value) != 1)
            return;
        digest[i] = (uint8_t)value;
    }
    memcpy(&key.transaction, digest, 16);
    memcpy(&key.enlistment, digest + 16, 16);
    name_of(self->park, &key, again);
    if (strcmp(name, again) == 0) /* else it is somebody else's */
        self->each(self->list, &key);
}

NTSTATUS
mark_list(struct park *park, ktm_rm_each_key *each, void *list)
{
    struct listing self = {.park = park, .each = each, .list = list};

    TRY(park_list(park, list_key, &self));
    return tree_list(park->tree, park->fd, list_name, &self);
}
