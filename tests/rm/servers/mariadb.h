/* SPDX-License-Identifier: MIT */
/*
 * A MariaDB server for one test: its own data in the test's directory, reached through a Unix
 * socket there, run by somebody who is not root.
 *
 * The first test makes the data and keeps a copy in the build directory; the others begin with that
 * copy. The server is killed when the test's process dies, in whatever way, and the runner removes
 * the directory.
 */
#pragma once

#include <mysql.h>
#include <sys/types.h>

struct mariadb {
    char directory[512];
    char socket[600];
    pid_t process; /* 0: it is not running */
};

/* Starts a server, with these settings beside ours ("--name=value …"; NULL: none), and a database
 * 'shop'. Skips the test when there is no server on this machine, but fails when
 * KTM_SERVERS=required (the continuous integration). */
void mariadb_start(struct mariadb *server, const char *settings);
void mariadb_again(struct mariadb *server, const char *settings); /* after stop or kill */
void mariadb_stop(struct mariadb *server);                        /* as an administrator does */
void mariadb_kill(struct mariadb *server);                        /* SIGKILL */
/* 'again' in two halves: it is being started, and recovers; it answers. */
void mariadb_launch(struct mariadb *server, const char *settings);
void mariadb_wait(struct mariadb *server);

/* A connection as 'user' (NULL: the administrator). It has to succeed. */
MYSQL *mariadb_enter(struct mariadb *server, const char *user);
/* The administrator's hands: one statement on a connection of its own; what it answers in the first
 * column of the first row, or "". It has to succeed. The text lives until the next call. */
const char *mariadb_ask(struct mariadb *server, const char *sql);
long mariadb_count(struct mariadb *server, const char *sql);
/* Kills all other connections, on the server's side. */
void mariadb_end_others(struct mariadb *server);
