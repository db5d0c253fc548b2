/* SPDX-License-Identifier: MIT */
/*
 * The names of branches.
 *
 *     formatID  'KTM1'
 *     gtrid     the transaction's GUID                                          16 bytes
 *     bqual     the GUIDs of the resource manager and of the enlistment         32 bytes
 *               and the incarnation of the manager, big-endian                   8 bytes
 *
 * GUIDs are their 16 bytes as stored.
 */
#include "rm/xa/xa.h"

#include <string.h>

#define FORMAT     0x4b544d31L /* "KTM1" */
#define GTRID_SIZE 16
#define BQUAL_SIZE 40

static_assert(GTRID_SIZE <= MAXGTRIDSIZE && BQUAL_SIZE <= MAXBQUALSIZE, "the name fits");

void
xid_of(const struct ktm_rm_key *key, XID *out)
{
    char *at = out->data;

    memset(out, 0, sizeof(*out));
    out->formatID = FORMAT;
    out->gtrid_length = GTRID_SIZE;
    out->bqual_length = BQUAL_SIZE;
    memcpy(at, &key->transaction, 16);
    memcpy(at + 16, &key->manager, 16);
    memcpy(at + 32, &key->enlistment, 16);
    for (unsigned i = 0; i < 8; i++)
        at[48 + i] = (char)(key->incarnation >> (56 - 8 * i));
}

bool
xid_parse(const XID *xid, const GUID *manager, struct ktm_rm_key *key)
{
    const char *at = xid->data;

    if (xid->formatID != FORMAT || xid->gtrid_length != GTRID_SIZE ||
        xid->bqual_length != BQUAL_SIZE || memcmp(at + 16, manager, 16) != 0)
        return false;
    memcpy(&key->transaction, at, 16);
    memcpy(&key->manager, at + 16, 16);
    memcpy(&key->enlistment, at + 32, 16);
    key->incarnation = 0;
    for (unsigned i = 0; i < 8; i++)
        key->incarnation = key->incarnation << 8 | (uint8_t)at[48 + i];
    return true;
}

bool
xid_equal(const XID *a, const XID *b)
{
    size_t size = (size_t)(a->gtrid_length + a->bqual_length);

    return a->formatID == b->formatID && a->gtrid_length == b->gtrid_length &&
           a->bqual_length == b->bqual_length && size <= sizeof(a->data) &&
           memcmp(a->data, b->data, size) == 0;
}
