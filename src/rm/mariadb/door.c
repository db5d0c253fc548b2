/* SPDX-License-Identifier: MIT */
/* MariaDB in transactions of applications (ktm.h), and for programs that do not know it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktm.h"
#include "rm/mariadb/mariadb.h"

/* ---- a manager and its parts ---- */

static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    struct ktm_mariadb_rm *made = NULL;
    NTSTATUS status = ktm_mariadb_open(tm, home, argument, NULL, why, why_size, &made);

    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_mariadb_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_mariadb_tx *made = NULL;
    NTSTATUS status = ktm_mariadb_begin(rm, transaction, &made);

    if (status != STATUS_SUCCESS)
        (void)ktm_mariadb_why(rm, why, why_size);
    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_mariadb_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_mariadb_error(part, into, size);
}

static uint64_t
door_error_time(void *part)
{
    struct ktm_mariadb_tx *tx = part;

    return why_time(tx->rm->base.process, &tx->mutex, &tx->why);
}

/* ---- applications ---- */

static const char *
text_of(const char *text)
{
    return text ? text : "";
}

NTSTATUS
ktm_mariadb(struct ktm_tx *tx, const struct ktm_mariadb_server *server, struct ktm_mariadb_tx **out)
{
    static const struct ktm_manager_kind kind = {.open = door_open,
                                                 .shut = door_shut,
                                                 .begin = door_begin,
                                                 .close = door_close,
                                                 .error = door_error,
                                                 .error_time = door_error_time};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!server || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    /* All but the password. */
    if (asprintf(&name, "mariadb %s|%u|%s|%s|%s|%s|%s", text_of(server->host), server->port,
                 text_of(server->socket), text_of(server->user), text_of(server->database),
                 text_of(server->defaults_file), text_of(server->defaults_group)) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &kind, server, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}

/* ---- the kind ---- */

static_assert((int)KTM_MARIADB_UNFINISHED == (int)KTM_RESOURCE_UNFINISHED &&
                  (int)KTM_MARIADB_DAMAGED == (int)KTM_RESOURCE_DAMAGED &&
                  (int)KTM_MARIADB_SETTLED == (int)KTM_RESOURCE_SETTLED,
              "news have the same numbers");

static void
pass_report(void *context, const struct ktm_mariadb_report *report)
{
    const struct ktm_resource *resource = context;

    resource->report(resource->context, (enum ktm_resource_news)report->kind, &report->transaction,
                     report->is_committed, report->text);
}

/* Who has not said where secrets are may have them in his own option file. */
static NTSTATUS
read_place(const char *text, struct ktm_mariadb_server *server, struct explanation *why)
{
    TRY(place_read(text, server, why));
    if (server->defaults_file || server->defaults_group)
        return STATUS_SUCCESS;
    server->defaults_group = strdup("ktm");
    if (server->defaults_group)
        return STATUS_SUCCESS;
    place_free(server);
    return status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

struct search {
    const char *place;
    char name[80]; /* of the state that has this place: HOME_NAME_SIZE at least */
    bool has_main; /* the state that applications have, when they name none */
};

static void
look(void *context, const struct ktm_resource *resource)
{
    struct search *search = context;

    if (resource->place && strcmp(resource->place, search->place) == 0)
        snprintf(search->name, sizeof(search->name), "%s", resource->name);
    search->has_main = search->has_main || strcmp(resource->name, "mariadb") == 0;
}

/* A server has no name that its data keep, so the place stands for it. */
static void
find_state(const char *home, const struct ktm_mariadb_server *server, struct search *search)
{
    struct conninfo place;

    place_print(server, &place);
    *search = (struct search){.place = place.text};
    status_forgive(home_known(home, "mariadb", look, search)); /* what is damaged has no place */
    if (!search->name[0] && search->has_main)
        home_name_of(place.text, search->name);
}

static NTSTATUS
kind_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct ktm_resource *resource = argument;
    struct ktm_mariadb_options options = {.mode = KTM_RM_HELPED,
                                          .patience_ms = PATIENCE_MS,
                                          .name = resource->name,
                                          .report = resource->report ? pass_report : NULL,
                                          .context = (void *)resource};
    struct ktm_mariadb_rm *made = NULL;
    struct ktm_mariadb_server server;
    struct explanation explanation = {0};
    struct search search;
    NTSTATUS status = read_place(resource->place, &server, &explanation);

    if (status != STATUS_SUCCESS) {
        snprintf(why, why_size, "%s", explanation.text);
        return status;
    }
    if (!resource->name) {
        find_state(home, &server, &search);
        options.name = search.name[0] ? search.name : NULL;
    }
    status = ktm_mariadb_open(tm, home, &server, &options, why, why_size, &made);
    place_free(&server);
    *rm = made;
    return status;
}

static NTSTATUS
make_absolute(const char *directory, const char **path)
{
    char *made;

    if (!*path || (*path)[0] == '/' || !directory)
        return STATUS_SUCCESS;
    if (asprintf(&made, "%s/%s", directory, *path) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    free((char *)*path);
    *path = made;
    return STATUS_SUCCESS;
}

static NTSTATUS
kind_place(const char *text, const char *directory, char *why, size_t why_size, char **out)
{
    struct ktm_mariadb_server server = {0};
    struct explanation explanation = {0};
    struct conninfo place;
    NTSTATUS status = read_place(text, &server, &explanation);

    if (status == STATUS_SUCCESS)
        status = make_absolute(directory, &server.defaults_file);
    if (status == STATUS_SUCCESS && !place_print(&server, &place))
        status = explain(&explanation, status_raise(STATUS_INVALID_PARAMETER),
                         "the connection string is too long, or has a control character");
    place_free(&server);
    snprintf(why, why_size, "%s", explanation.text);
    if (status != STATUS_SUCCESS)
        return status;
    *out = strdup(place.text);
    return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static struct ktm_rm *
kind_kit(void *rm)
{
    return ktm_mariadb_kit(rm);
}

static NTSTATUS
kind_run(void *part, const char *text, size_t count, const struct ktm_value *values, uint64_t *rows)
{
    return statement_run(part, text, count, values, rows);
}

static NTSTATUS
kind_probe(const struct ktm_resource *resource, char *why, size_t why_size)
{
    struct explanation explanation = {0};
    struct ktm_mariadb_server server;
    NTSTATUS status = read_place(resource->place, &server, &explanation);

    if (status == STATUS_SUCCESS) {
        status = session_probe(&server, &explanation);
        place_free(&server);
    }
    snprintf(why, why_size, "%s", explanation.text);
    return status;
}

static const struct ktm_manager_kind manager = {.open = kind_open,
                                                .shut = door_shut,
                                                .begin = door_begin,
                                                .close = door_close,
                                                .error = door_error,
                                                .error_time = door_error_time};

KTM_API const struct ktm_resource_kind ktm_resource_kind = {.size = sizeof(ktm_resource_kind),
                                                            .name = "mariadb",
                                                            .known = ktm_mariadb_known,
                                                            .place = kind_place,
                                                            .manager = &manager,
                                                            .kit = kind_kit,
                                                            .run = kind_run,
                                                            .probe = kind_probe};
