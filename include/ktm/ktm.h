/* SPDX-License-Identifier: MIT */
/*
 * What this library has and Windows has not: transactions for applications in three calls,
 * descriptors to poll, and status codes in words.
 *
 *     struct ktm_tx *tx;
 *     struct ktm_file_tx *files;
 *
 *     ktm_begin(NULL, &tx);                        // a transaction
 *     ktm_files(tx, &files);                       // files take part in it (ktm_file.h)
 *     ktm_file_put(files, "/etc/app.conf", ...);
 *     ktm_commit(tx);                              // all or nothing, durable on return
 *     ktm_end(tx);
 *
 * The resource managers have their own headers: ktm_file.h here, and those of the libraries
 * ktm-sqlite, ktm-postgres, ktm-mariadb. Each has one function more that makes its resource part of
 * such a transaction; what it needs for that is opened at the first use and kept with the home.
 */
#pragma once

#include "ktmbase.h"

EXTERN_C_START

/* ---- applications ---- */

struct ktm_home; /* a home, open: its transaction manager, and the resource managers used so far */
struct ktm_tx;   /* a transaction that an application has begun */

/* Opens a home, a directory with the logs of what is under way; makes it when it is missing. What
 * an earlier run left is finished as each resource manager is used again. 'home' NULL: $KTM_HOME,
 * else for root /var/lib/ktm, else $XDG_STATE_HOME/ktm, else ~/.local/state/ktm. A home that this
 * process has open already is opened once more. Any thread. Answers: OBJECT_PATH_NOT_FOUND (no
 * default is known), OBJECT_NAME_INVALID (not absolute), those of ktm_tm_open (ktm_rm.h). */
KTM_API NTSTATUS ktm_open(_In_opt_ const char *home, _Out_ struct ktm_home **out);
/* Which directory that is, when none is named; to be freed. */
KTM_API NTSTATUS ktm_home_default(_Out_ char **path);
/* After all its transactions have ended. The last shut of a home closes it. NULL: nothing. */
KTM_API void ktm_shut(_In_opt_ struct ktm_home *home);
KTM_API HANDLE ktm_manager(struct ktm_home *home);              /* of the TM; not to be closed */
KTM_API const char *ktm_home_path(const struct ktm_home *home); /* lives as long as the home */

/* Begins a transaction. 'home' NULL: in the default home, which is opened for it. Any thread; the
 * calls for one transaction one at a time. The caller ends it. Answers: those of ktm_open and
 * NtCreateTransaction. */
KTM_API NTSTATUS ktm_begin(_In_opt_ struct ktm_home *home, _Out_ struct ktm_tx **out);
/* Commits and waits until it is done everywhere. Answers: SUCCESS (durable), and the
 * transaction is rolled back everywhere: TRANSACTION_ALREADY_ABORTED; it is not known:
 * RM_DISCONNECTED, TRANSACTIONMANAGER_NOT_ONLINE (the next start finds out). ktm_error says why. */
KTM_API NTSTATUS ktm_commit(struct ktm_tx *tx);
KTM_API NTSTATUS ktm_rollback(struct ktm_tx *tx);
/* Lets go of the transaction and of everything in it; rolls it back unless it was committed. NULL:
 * nothing. */
KTM_API void ktm_end(_In_opt_ struct ktm_tx *tx);
/* For Nt routines and resource managers; not to be closed. */
KTM_API HANDLE ktm_transaction(struct ktm_tx *tx);
KTM_API struct ktm_home *ktm_of(struct ktm_tx *tx);
/* The sentence that belongs to the last refusal, of the transaction or of a resource manager in it:
 * what happened, to which object, what to do. A commit that was refused has the sentence of who
 * would not take part in it; what was refused before, to others, is not told for it. Copies as much
 * as fits, with a NUL, and returns its full length; 0: nothing was refused. */
KTM_API size_t ktm_error(struct ktm_tx *tx, char *into, size_t size);

/* ---- for authors of resource managers: a door of one's own ---- */

/* How a resource manager is opened in a home, and takes part in a transaction. What cannot be done
 * is said in 'why'. */
struct ktm_manager_kind {
    NTSTATUS(*open)
    (HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm);
    void (*shut)(void *rm);
    NTSTATUS (*begin)(void *rm, HANDLE transaction, char *why, size_t why_size, void **part);
    void (*close)(void *part);
    /* What the part has to say about its last refusal, as ktm_error. */
    size_t (*error)(void *part, char *into, size_t size);
    /* When that was: CLOCK_MONOTONIC, nanoseconds; so ktm_error knows who was refused last. NULL:
     * not known; others are asked first. */
    uint64_t (*error_time)(void *part);
};

/* The part of that resource manager in the transaction. The manager is opened when its name is
 * asked for the first time in the home, and shut with it; the part is begun when it is asked for
 * the first time in the transaction, and closed with that. Two threads that ask at once get the
 * same. 'name': such as "postgres service=orders". Answers: what 'open' and 'begin' say, ktm_error
 * says why; INSUFFICIENT_RESOURCES, INVALID_PARAMETER. */
KTM_API NTSTATUS ktm_use(struct ktm_tx *tx, const char *name, const struct ktm_manager_kind *kind,
                         const void *argument, void **part);

/* ---- for authors of resource managers: a door for programs that know no client library ---- */

/* 'ktm recover', 'ktm apply' and 'ktm status' work with resources whose libraries they are not
 * linked with. The library of a kind is libktm-KIND.so.0 and exports one object of the type below
 * by the name KTM_RESOURCE_KIND; what a home keeps for resources of the kind is in the directory
 * HOME/KIND or in files HOME/KIND.NAME. By these two a program finds it, with dlopen and dlsym. */
#define KTM_RESOURCE_KIND "ktm_resource_kind"

/* Something that somebody has to know about who cannot be answered. */
enum ktm_resource_news {
    KTM_RESOURCE_UNFINISHED = 1, /* the outcome is known and was not possible; it is tried again */
    KTM_RESOURCE_DAMAGED,        /* somebody has ended what was promised the other way: this and
                                    everything else in the transaction do not agree */
    KTM_RESOURCE_SETTLED,        /* left by an earlier run, and finished now */
};

/* One resource of a home. */
struct ktm_resource {
    const char *place;   /* where it is, as one text without secrets: a path, a connection string;
                            NULL: the home does not know (it was written by an older version) */
    const char *name;    /* which state in the home is its own: to open the same again; NULL when a
                            resource is named by its place alone: the library finds the state, or
                            makes it */
    GUID manager;        /* its resource manager */
    BOOLEAN is_at_rest;  /* it was shut with nothing left that anybody would have to finish */
    const char *trouble; /* why something could not be finished there, or why it could not be
                            opened, when that was tried for the last time; NULL: nothing is known */
    int64_t trouble_since; /* seconds since 1970 */
    BOOLEAN must_exist;    /* for opening: what is missing is not made */
    BOOLEAN owns_wal;      /* for opening, SQLite: a database in WAL mode takes part as well, and
                              nobody else has it open meanwhile (ktm_sqlite.h) */
    /* For opening: told while it happens, from any thread, as long as the resource is open, and so
     * long this structure has to stay where it is; must not call the library. May be NULL. 'text':
     * a sentence, in the resource's own words. */
    void (*report)(void *context, enum ktm_resource_news news, const GUID *transaction,
                   BOOLEAN is_committed, const char *text);
    void *context;
};
typedef void ktm_resource_each(void *context, const struct ktm_resource *resource);

/* A parameter of a statement. */
enum ktm_value_type { KTM_VALUE_NULL, KTM_VALUE_BOOLEAN, KTM_VALUE_NUMBER, KTM_VALUE_TEXT };
struct ktm_value {
    enum ktm_value_type type;
    const char *text; /* "true" or "false"; a number as in JSON; any text. NULL's is NULL */
};

struct ktm_rm;

struct ktm_resource_kind {
    size_t size;      /* of this struct, as the library was compiled */
    const char *name; /* "postgres" */

    /* Every resource that was ever opened in the home and may have something to finish, which
     * opening it does; 'home' is absolute. Answers: RM_METADATA_CORRUPT (told after all others),
     * and what files say. */
    NTSTATUS (*known)(const char *home, ktm_resource_each *each, void *context);
    /* The place as it is kept, from a text of a user: '*out', to be freed. A relative path starts
     * at 'directory' (NULL: there is none). Nothing is opened. Answers: INVALID_PARAMETER (it is no
     * place), ACCESS_DENIED (it has a secret in it, which belongs elsewhere); 'why' says how to
     * mend that. */
    NTSTATUS(*place)
    (const char *text, const char *directory, char *why, size_t why_size, char **out);
    /* 'argument' of 'open' is a struct ktm_resource. */
    const struct ktm_manager_kind *manager;
    /* The kit's half of an open resource manager, for ktm_rm_recovered and ktm_rm_unfinished. */
    struct ktm_rm *(*kit)(void *rm);
    /* A statement in a part of 'manager', with so many parameters, or several with none: '*rows' is
     * how many rows they have changed or given together. What would begin or end a transaction is
     * refused. NULL: no statements can be said. Answers: those of the library; the part's 'error'
     * says why. */
    NTSTATUS(*run)
    (void *part, const char *text, size_t count, const struct ktm_value *values, uint64_t *rows);
    /* Whether it can be reached, without opening it in a home: nothing is finished, and nothing is
     * changed. NULL: it cannot be known. Answers: as opening it; 'why' says so. */
    NTSTATUS (*probe)(const struct ktm_resource *resource, char *why, size_t why_size);
};

/* ---- descriptors, texts ---- */

/* A file descriptor that is readable while the object is signalled, for poll, epoll and event
 * loops: a transaction when its outcome is known and, for commit, everybody has finished
 * [SIG-01..04]; a resource manager while its queue is not empty [OBJ-19]; a completion port while
 * it has packets; an event while it is set. Poll it, do not read it.
 *
 * The descriptor belongs to the object: it is the same for every handle, closes with the last one,
 * and must not be closed by the caller. Right: SYNCHRONIZE. Any thread. Answers:
 * STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH (nothing to wait for), STATUS_ACCESS_DENIED,
 * STATUS_ACCESS_VIOLATION (fd NULL), STATUS_INSUFFICIENT_RESOURCES (no descriptor). */
KTM_API NTSTATUS KtmGetWaitFd(HANDLE Handle, _Out_ int *fd);

/* A sentence that says what a status means, for people; never NULL, never freed. Any thread. */
KTM_API const char *ktm_status_text(NTSTATUS status);
/* What an application does about a refusal that came before the commit, such as "roll back, and try
 * the whole transaction again"; "": what was refused has said so itself. Never freed. Any thread.
 */
KTM_API const char *ktm_status_advice(NTSTATUS status);
/* "STATUS_TRANSACTION_NOT_ACTIVE"; NULL for a value without a name here. Never freed. Any thread.
 */
KTM_API const char *ktm_status_name(NTSTATUS status);

EXTERN_C_END
