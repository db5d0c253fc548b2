/* SPDX-License-Identifier: MIT */
/*
 * A PostgreSQL server for one test: its own cluster in the test's directory, reached through a Unix
 * socket there, run by somebody who is not root.
 *
 * The first test makes a cluster and keeps a copy of it in the build directory; the others begin
 * with that copy, in well under a second. The server gets SIGQUIT when the test's process dies, in
 * whatever way, and the runner removes the directory.
 */
#pragma once

#include <libpq-fe.h>
#include <sys/types.h>

struct postgres {
    char directory[512];
    char conninfo[640];
    pid_t process; /* 0: it is not running */
};

/* Starts a server, with these settings beside ours ("-c name=value …"; NULL: none). fsync is on,
 * max_prepared_transactions 20, max_connections 50. Skips the test when there is no server on this
 * machine, but fails when KTM_SERVERS=required (the continuous integration). */
void postgres_start(struct postgres *server, const char *settings);
void postgres_again(struct postgres *server, const char *settings); /* after stop or kill */
void postgres_stop(struct postgres *server);                        /* as an administrator does */
void postgres_kill(struct postgres *server);                        /* SIGKILL, all of it */

/* One of the server's programs on its data ("pg_resetwal", "-u 700"), while it is stopped. */
void postgres_tool(struct postgres *server, const char *tool, const char *arguments);
/* The data directory as it is, and as it was when it was last kept; while it is stopped. */
void postgres_keep(struct postgres *server);
void postgres_restore(struct postgres *server);

/* The administrator's hands: one statement on a connection of its own; what it answers in the first
 * column of the first row, or "". It has to succeed. The text lives until the next call. */
const char *postgres_ask(struct postgres *server, const char *sql);
long postgres_count(struct postgres *server, const char *sql);
