/* SPDX-License-Identifier: MIT */
/*
 * The names of branches: XA START X'<transaction>',X'<manager><incarnation>',<format>
 *
 * GUIDs are their 16 bytes as stored, the incarnation is 8 bytes, big-endian. A manager takes part
 * in a transaction once, so that names the enlistment too, whose GUID does not exist yet when the
 * branch begins: keys made of names have a zero there. Transaction, manager and incarnation are
 * what the kit needs to tell an older run's branch from this one's.
 */
#include "rm/mariadb/mariadb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT       1263815985u /* "KTM1" */
#define GTRID_SIZE   16
#define BQUAL_SIZE   24
#define BYTES_OFFSET 2 /* X' */

/* X'gtrid',X'bqual',format */
static_assert(2 * GTRID_SIZE + 2 * BQUAL_SIZE + 8 + 10 < XID_SIZE, "the name fits");

void
guid_hex(const GUID *guid, char text[HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[sizeof(*guid)];

    memcpy(bytes, guid, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[HEX_SIZE - 1] = '\0';
}

void
xid_print(const struct ktm_rm_key *key, struct xid *out)
{
    char transaction[HEX_SIZE], manager[HEX_SIZE];

    out->key = *key;
    guid_hex(&key->transaction, transaction);
    guid_hex(&key->manager, manager);
    snprintf(out->text, sizeof(out->text), "X'%s',X'%s%016" PRIx64 "',%u", transaction, manager,
             key->incarnation, FORMAT);
}

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes so many bytes, in hexadecimal and X'…', off the text. */
static bool
take_bytes(const char **text, uint8_t *out, size_t size)
{
    const char *at = *text;

    if ((at[0] != 'X' && at[0] != 'x') || at[1] != '\'')
        return false;
    at += BYTES_OFFSET;
    for (size_t i = 0; i < size; i++, at += 2) {
        int high = digit(at[0]);
        int low = high < 0 ? -1 : digit(at[1]);

        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    if (at[0] != '\'' || at[1] != ',')
        return false;
    *text = at + 2;
    return true;
}

bool
xid_parse(MYSQL_ROW row, struct xid *out)
{
    struct ktm_rm_key key = {.incarnation = 0};
    uint8_t gtrid[GTRID_SIZE], bqual[BQUAL_SIZE];
    const char *at = row[3];

    if (!row[0] || !row[1] || !row[2] || !at || strtoul(row[0], NULL, 10) != FORMAT ||
        strtoul(row[1], NULL, 10) != GTRID_SIZE || strtoul(row[2], NULL, 10) != BQUAL_SIZE)
        return false;
    if (!take_bytes(&at, gtrid, sizeof(gtrid)) || !take_bytes(&at, bqual, sizeof(bqual)))
        return false;
    memcpy(&key.transaction, gtrid, sizeof(key.transaction));
    memcpy(&key.manager, bqual, sizeof(key.manager));
    for (size_t i = sizeof(key.manager); i < sizeof(bqual); i++)
        key.incarnation = key.incarnation << 8 | bqual[i];
    xid_print(&key, out);
    return true;
}
