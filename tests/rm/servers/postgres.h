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

/* 'again' in two halves: it is being started, and recovers; it answers. */
void postgres_launch(struct postgres *server, const char *settings);
void postgres_wait(struct postgres *server);
/* Other ways to end: at once, as an administrator can wish for; SIGKILL to the first process alone,
 * whose children then end by themselves; and SIGKILL to one of the children, the 'which'th modulo
 * their number: the server starts itself again, so it is running when it answers. */
void postgres_quit(struct postgres *server);
void postgres_behead(struct postgres *server);
void postgres_hurt(struct postgres *server, unsigned which);

/* The administrator's hands: one statement on a connection of its own; what it answers in the first
 * column of the first row, or "". It has to succeed. The text lives until the next call. */
const char *postgres_ask(struct postgres *server, const char *sql);
long postgres_count(struct postgres *server, const char *sql);
