/* SPDX-License-Identifier: MIT */
/*
 * A change set: what shall be done, in order, as a JSON file or as flags of the command.
 *
 *     {"steps": [{"put":     {"to": P, "from": F | "text": S | "base64": B, "mode": "0644"}},
 *                {"append":  {"to": P, "from": F | "text": S | "base64": B}},
 *                {"delete":  {"path": P}},
 *                {"mkdir":   {"path": P, "mode": "0755"}},
 *                {"rmdir":   {"path": P}},
 *                {"rename":  {"from": P, "to": P}},
 *                {"symlink": {"path": P, "target": T}},
 *                {"chmod":   {"path": P, "mode": "0644"}},
 *                {"tree":    {"to": D, "from": D}},
 *                {"expect":  {"path": P, "sha256": H | "absent": true | "exists": true}},
 *                {"sqlite":  {"database": P, "sql": S | "sql_file": F,
 *                             "parameters": [text, number, true, false, null], "rows": N,
 *                             "owns_wal": true | false}},
 *                {"postgres" | "mariadb": the same without "owns_wal", "database" is a connection
 *                 string}]}
 *
 * "mode" may be left out in put and mkdir, "parameters" and what follows in statements. Relative
 * paths start at the directory of the change set, those of flags and of standard input at the
 * working directory; a symlink's target is taken as it is. Everything else is refused: unknown and
 * repeated keys, other types, an empty list of steps, steps that undo one another (targets.h). A
 * refusal names line and column, or the step by its number and kind, or the flag.
 */
#pragma once

#include "base/base.h"
#include "cli/complaint.h"
#include "ktm.h" /* public: ktm_value */

/* Beyond these a change set is refused rather than read. */
#define CHANGESET_SIZE_MAX  (64u << 20) /* bytes of the JSON file */
#define CHANGESET_STEPS_MAX 200000u

enum step_verb {
    STEP_PUT,
    STEP_APPEND,
    STEP_DELETE,
    STEP_MKDIR,
    STEP_RMDIR,
    STEP_RENAME,
    STEP_SYMLINK,
    STEP_CHMOD,
    STEP_TREE,
    STEP_EXPECT,
    /* Statements; the verb is the kind of the resource (kinds.h). */
    STEP_SQLITE,
    STEP_POSTGRES,
    STEP_MARIADB,
    STEP_VERBS,
};

static inline bool
step_is_statement(enum step_verb verb)
{
    return verb >= STEP_SQLITE;
}

enum step_expectation { EXPECT_NOTHING, EXPECT_SHA256, EXPECT_ABSENT, EXPECT_EXISTS };

struct step {
    enum step_verb verb;
    unsigned number;       /* from 1 */
    unsigned line, column; /* where it begins in the file; 0: it is a flag */
    char *flag;            /* the flag's argument, as typed; NULL: it is in a file, or a statement,
                              whose arguments may have a secret in them */
    bool is_flag;
    char *path;    /* what is changed or looked at; absolute; NULL: a statement */
    char *from;    /* put, append: the file with the content; rename, tree; absolute */
    char *target;  /* symlink: as given */
    char *content; /* put, append: when it is not in a file; may contain NULs */
    size_t content_size;
    bool has_mode;
    uint32_t mode;
    enum step_expectation expectation;
    uint8_t sha256[32];
    /* statements; the text is 'content', or in the file 'from' */
    char *database; /* as typed; when statements_resolve has come: the place, without secrets */
    struct ktm_value *values;
    size_t value_count;
    bool has_rows;
    uint64_t rows; /* that it must change or give */
    bool owns_wal; /* SQLite: the database may be in WAL mode, and is ours meanwhile */
};

struct changeset {
    char *name;      /* for messages: the file, or "the flags" */
    char *directory; /* absolute: where relative paths start; NULL: there may be none */
    struct step *steps;
    size_t count;
};

const char *step_verb_name(enum step_verb verb); /* "put" */
/* "step 3 (put)", "--put 'a:b'", or "step 3 (--sqlite)". The text is 'into'. */
#define STEP_LABEL_SIZE (QUOTED_SIZE + 32)
const char *step_label(const struct step *step, char into[STEP_LABEL_SIZE]);

/* Reads the file, or standard input for "-". Answers: OBJECT_NAME_NOT_FOUND and the like (the file
 * cannot be read), INVALID_PARAMETER (it is not a change set), INSUFFICIENT_RESOURCES; 'why' is
 * written in each case. */
NTSTATUS changeset_read(const char *path, struct complaint *why, struct changeset **out) must_use;
/* The same from memory; 'directory' is absolute. */
NTSTATUS changeset_parse(const char *text, size_t size, const char *name, const char *directory,
                         struct complaint *why, struct changeset **out) must_use;

/* An empty one, for flags; relative paths start at 'directory', which is absolute, or are refused
 * when it is NULL. */
NTSTATUS changeset_create(const char *name, const char *directory, struct changeset **out) must_use;
/* Adds the step that a flag and its argument say: SRC:DST for put, append and tree, FROM:TO for
 * rename, TARGET:PATH for symlink, MODE:PATH for chmod, where "\:" is a colon and "\\" a backslash;
 * PATH, as it is, for the others. Answers as changeset_read. */
NTSTATUS changeset_add_flag(struct changeset *set, enum step_verb verb, const char *argument,
                            struct complaint *why) must_use;
/* Adds a statement: '--sqlite DATABASE SQL'. Answers: INVALID_PARAMETER, INSUFFICIENT_RESOURCES. */
NTSTATUS changeset_add_statement(struct changeset *set, enum step_verb verb, const char *database,
                                 const char *sql, struct complaint *why) must_use;
/* What must hold for all steps together; to be called when all flags are added. */
NTSTATUS changeset_check(const struct changeset *set, struct complaint *why) must_use;

void changeset_destroy(struct changeset *set);
OWNED_BY(struct changeset, changeset_destroy)

/* ---- for the two parsers ---- */

/* One more step, zeroed but for its number. Answers: INSUFFICIENT_RESOURCES, INVALID_PARAMETER (too
 * many). */
NTSTATUS changeset_add(struct changeset *set, struct complaint *why, struct step **out) must_use;
/* The path as the steps have it: made absolute. Refuses an empty one and one that is too long. */
NTSTATUS changeset_path(const struct changeset *set, const char *text, struct complaint *why,
                        char **out) must_use;
/* "0644" and its like: octal digits, at most 07777. */
bool mode_parse(const char *text, uint32_t *mode);
/* All that the file has, with a NUL behind it; 'what' it is for the message. Answers: those of
 * reading a file; INVALID_PARAMETER (larger than CHANGESET_SIZE_MAX). */
NTSTATUS read_whole_file(const char *path, const char *what, struct complaint *why, char **text,
                         size_t *size) must_use;
/* Answers: OBJECT_PATH_NOT_FOUND. */
NTSTATUS current_directory(struct complaint *why, char **out) must_use;
