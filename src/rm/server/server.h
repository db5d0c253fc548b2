/* SPDX-License-Identifier: MIT */
/*
 * What resource managers of database servers have in common: who they are to a server, kept in a
 * file of the home; how they take part in transactions; sentences, connection strings, SQL. Each of
 * their libraries brings its own copy.
 */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/explain.h"
#include "base/guid.h"
#include "base/list.h"
#include "ktm.h"
#include "ktm_rm.h"

struct home {
    char *directory;
    char *path; /* of the file in it; and that it is open, among those that are */
    struct list in_open;
    pid_t process;
    const char *kind;
    GUID manager, tm;
    uint64_t incarnation;          /* 0: never written */
    char place[96];                /* "": the server has no name of its own for it */
    char *connection;              /* how it was reached, without secrets; NULL: not known */
    bool is_at_rest;               /* nothing was left when it was shut */
    _Atomic int64_t trouble_since; /* seconds since 1970; 0: none in this run */
};

/* Can a file be named after it? NULL: nobody has asked for a name. */
bool home_is_name(const char *name);
/* Of a state that nobody has named: by its place. */
#define HOME_NAME_SIZE 32
void home_name_of(const char *place, char name[HOME_NAME_SIZE]);
/* Reads the file <directory>/<kind>.<name>, or makes up who we are. 'place' says in words where the
 * server's data are; 'kind' stays the caller's. Answers: RM_METADATA_CORRUPT (damaged, or of
 * another place or TM), SHARING_VIOLATION (it is open in this process). */
NTSTATUS home_open(struct home *home, const char *directory, const char *kind, const char *name,
                   const GUID *tm, const char *place, struct explanation *why) must_use;
/* Writes it, durably, with the next incarnation. 'connection' is how it was reached now. */
NTSTATUS home_advance(struct home *home, const char *connection, struct explanation *why) must_use;
/* It is being shut, and nothing is left to finish: writes that. If it cannot be written, the next
 * one looks for what is left, and finds nothing. */
void home_rest(struct home *home);
/* Another one may open it. */
void home_close(struct home *home);
/* After home_close, or one that was never opened. */
void home_free(struct home *home);
/* Before everything else. */
void home_init(struct home *home);

/* Trouble is a file beside it, <kind>.<name>.trouble, for people who ask what the matter is. It is
 * not forced, nothing depends on it, and the next start removes it. Any thread. */
void home_trouble(struct home *home, const char *text);
void home_well(struct home *home); /* it is over */
/* The same for one that could not be opened, if there is such a file at all. */
void home_trouble_at(const char *directory, const char *kind, const char *name, const char *text);

/* Calls 'each' for every file of the kind, with its name. Answers: INVALID_PARAMETER (no home, no
 * 'each'), RM_METADATA_CORRUPT (told after all others), and what files say. */
NTSTATUS home_known(const char *directory, const char *kind, ktm_resource_each *each,
                    void *context) must_use;

/* A file of 'directory' is this text from now on, whole and durably. */
NTSTATUS file_replace(const char *directory, const char *path, const char *text,
                      struct explanation *why) must_use;

/* ---- managers, and the transactions they take part in: manager.c ---- */

struct manager {
    pid_t process; /* that opened it */
    HANDLE tm;
    bool owns_tm;
    struct ktm_rm *kit; /* NULL: it is being opened, or was shut */
    struct home home;
};

/* The transaction manager that it was given, or, for NULL, that of the home; and which one it is.
 */
NTSTATUS manager_take(struct manager *manager, HANDLE given, const char *home, GUID *id,
                      struct explanation *why) must_use;
/* Closes the kit, the home, and what was opened by manager_take. 'has_orphans': something is left
 * that the kit does not know. */
void manager_shut(struct manager *manager, bool has_orphans);
/* Answers: RM_NOT_ACTIVE (in another process). */
NTSTATUS manager_check(const struct manager *manager) must_use;
/* One branch more is finished; if it was the last one, nothing is the matter any more. */
void manager_well(struct manager *manager);

/* A transaction, as applications have it by their part of it. */
struct held {
    HANDLE transaction;
    bool is_ours;             /* made for this part, and closed with it */
    _Atomic unsigned holders; /* applications */
};

/* Enlists in the transaction, or in a new one where there is none. On failure the new one is
 * closed. Answers as ktm_rm_enlist and NtCreateTransaction. */
NTSTATUS manager_enlist(struct manager *manager, struct held *held, ktm_rm_make *make,
                        void *argument, void **work) must_use;
/* Commits it; 'why', under the mutex, says at least that it was not. Answers as ktm_rm_commit;
 * INVALID_PARAMETER (nobody holds it any more). */
NTSTATUS manager_commit(struct manager *manager, struct held *held, pthread_mutex_t *mutex,
                        struct explanation *why) must_use;
void held_let_go(struct held *held); /* by one of its holders */
void held_drop(struct held *held);   /* nobody has got it */

/* What became of something prepared, compared with its outcome. */
enum finished { FINISHED, FINISHED_OTHERWISE, NOT_FINISHED };

/* ---- sentences that several threads write and read, under a mutex: why.c ---- */

/* Copies it out; returns its length. In another process than this one: nothing, for the mutex may
 * be held there for ever. */
size_t why_copy(pid_t process, pthread_mutex_t *mutex, const struct explanation *why, char *into,
                size_t size);
/* When it was explained. */
uint64_t why_time(pid_t process, pthread_mutex_t *mutex, const struct explanation *why);
/* 'kept' is this one from now on; if nothing was explained, what the status means. */
void why_keep(pthread_mutex_t *mutex, struct explanation *kept, const struct explanation *why,
              NTSTATUS status);
/* A statement has come to this status; 'before': why->time when it began. What was explained before
 * is forgotten, unless it is the reason why nothing can be done any more. With the mutex held. */
void why_after(struct explanation *why, NTSTATUS status, uint64_t before, bool is_reason);

/* ---- what is idle until it is used again, under a mutex: idle.c ---- */

struct idle {
    struct list list; /* by their links in it; the one that was used last is in front */
    size_t count;
};
/* The link of one; NULL: there is none. */
struct list *idle_take(pthread_mutex_t *mutex, struct idle *idle);
/* Whether a server has said nothing on a connection on which nothing was asked: what it says there
 * is hardly ever anything but farewell. */
bool idle_is_silent(int socket) must_use;
/* False: there are so many already. */
bool idle_give(pthread_mutex_t *mutex, struct idle *idle, struct list *member,
               size_t most) must_use;

/* ---- connection strings: conninfo.c ---- */

#define CONNINFO_SIZE 4096

struct conninfo {
    char text[CONNINFO_SIZE];
    size_t used;
    bool is_lost; /* something in it cannot be kept: too long, or a control character */
};
/* NULL: nothing. */
void conninfo_add(struct conninfo *info, const char *word, const char *value);

typedef NTSTATUS conninfo_pair(void *context, const char *word, const char *value);
/* Calls 'pair' for each. Answers: INVALID_PARAMETER (it is no such string), what 'pair' says. */
NTSTATUS conninfo_read(const char *text, conninfo_pair *pair, void *context) must_use;

/* ---- SQL as text: split.c ---- */

enum sql_dialect { SQL_POSTGRES, SQL_MARIADB };

/* The next statement of the text, without its semicolon; returns where to go on. NULL: there is no
 * more. */
const char *sql_next(const char *text, enum sql_dialect dialect, const char **statement,
                     size_t *size);
/* What a text is, by its first word. What is several statements, or none, is OTHER; what a QUERY
 * calls may change anything. */
enum sql_sort { SQL_CHANGE, SQL_QUERY, SQL_OTHER };
enum sql_sort sql_sort(const char *text, enum sql_dialect dialect);
/* Whether it begins or ends a transaction, which is not its business. */
bool sql_ends_transaction(const char *statement, enum sql_dialect dialect);
/* One statement after the other, copied; stops at the first that is refused. Answers:
 * INVALID_PARAMETER (parameters for several statements, or none), ACCESS_DENIED (it would end the
 * transaction), what 'say' says; 'why' is written for the first two. */
NTSTATUS sql_each(const char *text, enum sql_dialect dialect, bool has_parameters,
                  NTSTATUS (*say)(void *context, const char *statement), void *context,
                  struct explanation *why) must_use;
