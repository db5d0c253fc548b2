/* SPDX-License-Identifier: MIT */
/*
 * How a database was reached, to be kept in the home: what the application said, and where that has
 * led to, without secrets.
 *
 * A service stays a service: its file says where the database is now. Without one, what came from
 * the environment is written down, for whoever comes later has another one.
 */
#include "rm/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

static bool
is_secret(const PQconninfoOption *option)
{
    return option->dispchar && option->dispchar[0] == '*';
}

static bool
is_given(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0];
    return false;
}

static void
add_given(struct conninfo *info, const PQconninfoOption *options)
{
    for (; options->keyword; options++)
        if (!is_secret(options) && options->val && options->val[0])
            conninfo_add(info, options->keyword, options->val);
}

static void
add_found(struct conninfo *info, const PQconninfoOption *given, const PQconninfoOption *found)
{
    static const char *const wanted[] = {"host", "hostaddr", "port", "dbname", "user"};

    for (; found->keyword; found++)
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
            if (strcmp(found->keyword, wanted[i]) == 0 && found->val && found->val[0] &&
                !is_given(given, found->keyword))
                conninfo_add(info, found->keyword, found->val);
}

bool
place_of(const char *conninfo, PGconn *connection, struct conninfo *out)
{
    PQconninfoOption *given = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *found = PQconninfo(connection);
    const char *service = getenv("PGSERVICE");

    *out = (struct conninfo){0};
    out->is_lost = !given || !found;
    if (given)
        add_given(out, given);
    if (given && !is_given(given, "service")) {
        if (service && service[0])
            conninfo_add(out, "service", service);
        else if (found)
            add_found(out, given, found);
    }
    PQconninfoFree(given);
    PQconninfoFree(found);
    return !out->is_lost;
}

NTSTATUS
place_check(const char *conninfo, struct conninfo *out, struct explanation *why)
{
    char *words = NULL;
    PQconninfoOption *given = PQconninfoParse(conninfo, &words);
    const char *secret = NULL;

    *out = (struct conninfo){0};
    if (!given) {
        /* The parser's words may have a piece of what it did not understand. */
        PQfreemem(words);
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "this is no connection string of PostgreSQL; it has pairs such as "
                       "host=db.example dbname=shop, or is a URI");
    }
    for (const PQconninfoOption *option = given; option->keyword; option++)
        if (is_secret(option) && option->val)
            secret = option->keyword;
    if (!secret)
        add_given(out, given);
    explain_sentence(why,
                     "the connection string has a secret in it (%s), which others could read here; "
                     "it belongs into a service file, into PGPASSFILE or into the environment",
                     secret ? secret : "");
    PQconninfoFree(given);
    if (secret)
        return status_raise(STATUS_ACCESS_DENIED);
    explain_nothing(why);
    return out->is_lost ? explain(why, status_raise(STATUS_INVALID_PARAMETER),
                                  "the connection string is too long, or has a control character")
                        : STATUS_SUCCESS;
}
