/* SPDX-License-Identifier: MIT */
/* Databases in the transaction of a change set. */
#include "cli/statements.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/kinds.h"
#include "cli/owned.h"
#include "ktm_rm.h" /* public */

struct database {
    struct database *next;
    const struct ktm_resource_kind *kind;
    struct ktm_resource resource; /* lives as long as the resource manager */
    void *rm, *part;
};

/* ---- before anything is begun ---- */

static NTSTATUS
resolve(const struct changeset *set, struct step *step, struct complaint *why)
{
    const struct ktm_resource_kind *kind;
    char *place = NULL;
    NTSTATUS status;

    TRY(kind_load(step_verb_name(step->verb), why, &kind));
    if (!kind->run)
        return complain(why, STATUS_NOT_SUPPORTED, "%s resources know no statements", kind->name);
    why->text[0] = '\0';
    status = kind->place(step->database, set->directory, why->text, sizeof(why->text), &place);
    if (status != STATUS_SUCCESS && !why->text[0])
        return complain(why, status, "%s", STATUS_WORDS(status));
    TRY(status);
    explicit_bzero(step->database, strlen(step->database));
    free(step->database);
    step->database = place;
    return STATUS_SUCCESS;
}

NTSTATUS
statements_resolve(struct changeset *set, struct complaint *why)
{
    char label[STEP_LABEL_SIZE];

    for (size_t i = 0; i < set->count; i++) {
        struct step *step = &set->steps[i];
        NTSTATUS status = step_is_statement(step->verb) ? resolve(set, step, why) : STATUS_SUCCESS;

        if (status == STATUS_SUCCESS)
            continue;
        complaint_prefix(why, "%s: ", step_label(step, label));
        if (step->line)
            complaint_prefix(why, "%s:%u:%u: ", set->name, step->line, step->column);
        return status;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
statement_text(const struct step *step, struct complaint *why, char **out)
{
    owned(free_text) char *text = NULL;
    size_t size;

    if (!step->from) {
        *out = strdup(step->content);
        return *out ? STATUS_SUCCESS : out_of_memory(why);
    }
    TRY(read_whole_file(step->from, "SQL file", why, &text, &size));
    if (strlen(text) != size)
        return complain(why, STATUS_INVALID_PARAMETER, "the SQL file %s has a NUL character in it",
                        QUOTE(step->from));
    *out = give(text);
    return STATUS_SUCCESS;
}

/* ---- what is not to be told ---- */

static void
hide(char *text, const char *secret)
{
    size_t size = strlen(secret);

    /* Shorter ones are in every sentence. */
    for (char *at = text; size >= 3 && (at = strstr(at, secret)); at++) {
        memmove(at + 1, at + size, strlen(at + size) + 1);
        *at = '?';
    }
}

static void
hide_values(const struct databases *databases, struct complaint *why)
{
    for (size_t i = 0; i < databases->step_count; i++)
        for (size_t k = 0; k < databases->steps[i]->value_count; k++)
            if (databases->steps[i]->values[k].text)
                hide(why->text, databases->steps[i]->values[k].text);
}

/* ---- databases ---- */

static NTSTATUS
say_why(const struct database *database, NTSTATUS status, struct complaint *why)
{
    if (!why->text[0])
        return complain(why, status, "the %s database %s: %s", database->kind->name,
                        QUOTE(database->resource.place), STATUS_WORDS(status));
    complaint_prefix(why, "the %s database %s: ", database->kind->name,
                     QUOTE(database->resource.place));
    return status;
}

static NTSTATUS
open_database(struct databases *databases, struct database *database, struct complaint *why)
{
    const struct ktm_manager_kind *manager = database->kind->manager;
    NTSTATUS status;

    why->text[0] = '\0';
    status = manager->open(databases->tm, databases->home, &database->resource, why->text,
                           sizeof(why->text), &database->rm);
    if (status != STATUS_SUCCESS) {
        database->rm = NULL;
        return say_why(database, status, why);
    }
    status = manager->begin(database->rm, databases->transaction, why->text, sizeof(why->text),
                            &database->part);
    if (status != STATUS_SUCCESS)
        database->part = NULL;
    return status == STATUS_SUCCESS ? status : say_why(database, status, why);
}

/* A database is opened for its first statement, in the way that this one says. */
static NTSTATUS
check_same(const struct database *database, const struct step *step, struct complaint *why)
{
    if (!step->owns_wal || database->resource.owns_wal)
        return STATUS_SUCCESS;
    return complain(why, STATUS_INVALID_PARAMETER,
                    "\"owns_wal\" has to be said at the first statement for %s",
                    QUOTE(database->resource.place));
}

static NTSTATUS
get_database(struct databases *databases, const struct step *step, struct complaint *why,
             struct database **out)
{
    const char *name = step_verb_name(step->verb);
    struct database *database;

    for (database = databases->first; database; database = database->next)
        if (strcmp(database->kind->name, name) == 0 &&
            strcmp(database->resource.place, step->database) == 0) {
            *out = database;
            return check_same(database, step, why);
        }
    database = calloc(1, sizeof(*database));
    if (!database)
        return out_of_memory(why);
    database->next = databases->first;
    databases->first = database;
    database->resource = (struct ktm_resource){.place = step->database,
                                               .must_exist = TRUE,
                                               .owns_wal = step->owns_wal,
                                               .report = recovery_take_news,
                                               .context = databases->recovery};
    TRY(kind_load(name, why, &database->kind));
    TRY(open_database(databases, database, why));
    *out = database;
    return STATUS_SUCCESS;
}

static NTSTATUS
remember(struct databases *databases, const struct step *step, struct complaint *why)
{
    const struct step **more =
        realloc(databases->steps, (databases->step_count + 1) * sizeof(*databases->steps));

    if (!more)
        return out_of_memory(why);
    databases->steps = more;
    databases->steps[databases->step_count++] = step;
    return STATUS_SUCCESS;
}

NTSTATUS
databases_step(struct databases *databases, const struct step *step, struct complaint *why)
{
    owned(free_text) char *text = NULL;
    struct database *database;
    uint64_t rows = 0;
    NTSTATUS status;

    TRY(remember(databases, step, why));
    TRY(statement_text(step, why, &text));
    TRY(get_database(databases, step, why, &database));
    status = database->kind->run(database->part, text, step->value_count, step->values, &rows);
    if (status != STATUS_SUCCESS) {
        why->text[0] = '\0';
        database->kind->manager->error(database->part, why->text, sizeof(why->text));
        hide_values(databases, why);
        return say_why(database, status, why);
    }
    if (step->has_rows && rows != step->rows)
        return complain(why, STATUS_TRANSACTIONAL_CONFLICT,
                        "%" PRIu64 " row%s changed or given, and %" PRIu64 " expected", rows,
                        rows == 1 ? " was" : "s were", step->rows);
    return STATUS_SUCCESS;
}

bool
databases_error(struct databases *databases, struct complaint *why)
{
    for (struct database *database = databases->first; database; database = database->next) {
        why->text[0] = '\0';
        if (!database->part ||
            !database->kind->manager->error(database->part, why->text, sizeof(why->text)))
            continue;
        hide_values(databases, why);
        complaint_prefix(why, "the %s database %s: ", database->kind->name,
                         QUOTE(database->resource.place));
        return true;
    }
    return false;
}

size_t
databases_unfinished(const struct databases *databases)
{
    size_t count = 0;

    for (struct database *database = databases->first; database; database = database->next)
        if (database->rm)
            count += ktm_rm_unfinished(database->kind->kit(database->rm));
    return count;
}

void
databases_end(struct databases *databases)
{
    for (struct database *database = databases->first; database; database = database->next) {
        if (database->part)
            database->kind->manager->close(database->part);
        database->part = NULL;
    }
}

void
databases_shut(struct databases *databases)
{
    databases_end(databases);
    while (databases->first) {
        struct database *database = databases->first;

        databases->first = database->next;
        if (database->rm)
            database->kind->manager->shut(database->rm);
        free(database);
    }
    free(databases->steps);
    databases->steps = NULL;
    databases->step_count = 0;
}
