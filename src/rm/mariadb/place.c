/* SPDX-License-Identifier: MIT */
/* Where a server is, as text: the members of struct ktm_mariadb_server but the password. */
#include "rm/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a member is, which is a text. */
static const struct {
    const char *word;
    size_t offset;
} members[] = {
    {"host", offsetof(struct ktm_mariadb_server, host)},
    {"socket", offsetof(struct ktm_mariadb_server, socket)},
    {"user", offsetof(struct ktm_mariadb_server, user)},
    {"database", offsetof(struct ktm_mariadb_server, database)},
    {"defaults_file", offsetof(struct ktm_mariadb_server, defaults_file)},
    {"defaults_group", offsetof(struct ktm_mariadb_server, defaults_group)},
};

static const char **
member(struct ktm_mariadb_server *server, size_t i)
{
    return (const char **)((char *)server + members[i].offset);
}

/* ---- writing ---- */

bool
place_print(const struct ktm_mariadb_server *server, struct conninfo *out)
{
    struct ktm_mariadb_server copy = *server;
    char port[16], *file = NULL;

    /* Whoever comes later may be in another directory. */
    if (copy.defaults_file && (file = realpath(copy.defaults_file, NULL)))
        copy.defaults_file = file;
    snprintf(port, sizeof(port), "%u", server->port);
    *out = (struct conninfo){0};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        conninfo_add(out, members[i].word, *member(&copy, i));
    conninfo_add(out, "port", server->port ? port : NULL);
    free(file);
    return !out->is_lost;
}

/* ---- reading ---- */

void
place_free(struct ktm_mariadb_server *server)
{
    if (server->password)
        explicit_bzero((char *)server->password, strlen(server->password));
    free((char *)server->password);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        free((char *)*member(server, i));
    *server = (struct ktm_mariadb_server){0};
}

struct reading {
    struct ktm_mariadb_server server;
    struct explanation *why;
};

static NTSTATUS
take_port(struct reading *reading, const char *value)
{
    char *end;
    unsigned long port = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end || port == 0 || port > 65535)
        return explain(reading->why, status_raise(STATUS_INVALID_PARAMETER),
                       "the port of a server is a number up to 65535");
    reading->server.port = (unsigned)port;
    return STATUS_SUCCESS;
}

static NTSTATUS
take_pair(void *context, const char *word, const char *value)
{
    struct reading *reading = context;

    if (strcmp(word, "password") == 0)
        return explain(reading->why, status_raise(STATUS_ACCESS_DENIED),
                       "the connection string has a password in it, which others could read here; "
                       "it belongs into an option file (defaults_file=FILE, or the group [ktm] of "
                       "~/.my.cnf) or into MYSQL_PWD in the environment");
    if (strcmp(word, "port") == 0)
        return take_port(reading, value);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char **at = member(&reading->server, i);

        if (strcmp(word, members[i].word) != 0)
            continue;
        free((char *)*at);
        *at = strdup(value);
        return *at ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    return explain(reading->why, status_raise(STATUS_INVALID_PARAMETER),
                   "'%s' says nothing about a server; it is host, port, socket, user, database, "
                   "defaults_file or defaults_group",
                   word);
}

NTSTATUS
place_read(const char *text, struct ktm_mariadb_server *out, struct explanation *why)
{
    struct reading reading = {.why = why};
    NTSTATUS status;

    explain_nothing(why);
    status = conninfo_read(text, take_pair, &reading);
    if (status == STATUS_SUCCESS && !reading.server.database)
        status = explain(why, status_raise(STATUS_INVALID_PARAMETER),
                         "the connection string names no database (database=NAME)");
    if (status != STATUS_SUCCESS) {
        place_free(&reading.server);
        if (!why->text[0])
            explain_sentence(why, "this is no connection string of MariaDB; it has pairs such as "
                                  "host=db.example user=shop database=shop");
        return status;
    }
    *out = reading.server;
    return STATUS_SUCCESS;
}
