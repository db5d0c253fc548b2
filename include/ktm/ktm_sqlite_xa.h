/* SPDX-License-Identifier: MIT */
/*
 * A switch of XA over SQLite, for any transaction manager that speaks XA: 'sqlite_xa_switch' in
 * libktm-sqlite-xa.so. Programs of KTM itself have ktm_sqlite.h, which does more.
 *
 * The open string is the path of the database, which is made when it is missing; behind a '?' may
 * stand "busy=MILLISECONDS": how long SQLite waits for others (5000). A branch begins with BEGIN
 * IMMEDIATE, on a connection of its own.
 *
 * Prepared branches survive crashes, as ktm_sqlite.h tells: the journal is parked, and beside it a
 * file 'DB-xa.<hash>' has the branch's XID. Until the branch is ended nobody reads or writes the
 * database, so there is one at a time; what the process that has prepared it holds only that
 * process, or its death, lets go (XA_RETRY). Databases in WAL mode are refused. Branches are
 * suspended, resumed and joined within their process.
 */
#pragma once

#include "ktmbase.h"
#include "xa.h"

EXTERN_C_START

struct sqlite3;

KTM_API extern const struct xa_switch_t sqlite_xa_switch;

/* The connection of the branch that this thread is in, for SQL; not to be closed, nor ended. NULL:
 * it is in none. */
KTM_API struct sqlite3 *ktm_sqlite_xa_db(int rmid);

EXTERN_C_END
