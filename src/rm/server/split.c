/* SPDX-License-Identifier: MIT */
/*
 * SQL text cut into statements, at the semicolons that are in no string, name or comment.
 *
 * It need not understand SQL, only what hides a semicolon. Where it is wrong (a body of a function
 * that is no string), the server refuses the piece: it is never given two statements for one.
 */
#include "rm/server/server.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Past the quote that ends it; a doubled one, or one behind a backslash, does not. */
static const char *
skip_quoted(const char *at, char quote, bool has_backslashes)
{
    for (at++; *at; at++) {
        if (*at == '\\' && has_backslashes && at[1])
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

static const char *
skip_comment(const char *at, bool is_nested)
{
    unsigned depth = 0;

    for (; *at; at++) {
        if (at[0] == '/' && at[1] == '*' && (depth == 0 || is_nested)) {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
    }
    return at;
}

static bool
is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || (unsigned char)letter >= 0x80;
}

/* "$tag$ … $tag$"; a dollar that begins none is a character as others. */
static const char *
skip_dollars(const char *at)
{
    const char *end = at + 1, *found;
    char tag[80];
    size_t size;

    while (is_word(*end))
        end++;
    size = (size_t)(end - at) + 1;
    if (*end != '$' || isdigit((unsigned char)at[1]) || size >= sizeof(tag))
        return at + 1;
    memcpy(tag, at, size);
    tag[size] = '\0';
    found = strstr(end + 1, tag);
    return found ? found + size : at + strlen(at);
}

static bool
is_line_comment(const char *at, enum sql_dialect dialect)
{
    if (dialect == SQL_MARIADB)
        return *at == '#' || (at[0] == '-' && at[1] == '-' && (unsigned char)at[2] <= ' ');
    return at[0] == '-' && at[1] == '-';
}

static const char *
skip_comments(const char *at, enum sql_dialect dialect)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f\v");
        if (is_line_comment(at, dialect))
            at += strcspn(at, "\n");
        else if (at[0] == '/' && at[1] == '*' && !(dialect == SQL_MARIADB && strchr("!M", at[2])))
            at = skip_comment(at, dialect == SQL_POSTGRES);
        else
            return at;
    }
}

/* One thing that may hide a semicolon, or one character. 'before' is what stands before it. */
static const char *
skip_token(const char *at, char before, char further, enum sql_dialect dialect)
{
    bool is_mariadb = dialect == SQL_MARIADB;
    bool is_escape = (before == 'E' || before == 'e') && !is_word(further);

    if (*at == '\'')
        return skip_quoted(at, '\'', is_mariadb || is_escape);
    if (*at == '"')
        return skip_quoted(at, '"', is_mariadb);
    if (*at == '`' && is_mariadb)
        return skip_quoted(at, '`', false);
    if (*at == '$' && !is_mariadb && !is_word(before))
        return skip_dollars(at);
    if (is_line_comment(at, dialect) || (at[0] == '/' && at[1] == '*'))
        return at[0] == '/' ? skip_comment(at, !is_mariadb) : at + strcspn(at, "\n");
    return at + 1;
}

const char *
sql_next(const char *text, enum sql_dialect dialect, const char **statement, size_t *size)
{
    const char *begin = text, *at;

    for (;;) {
        begin = skip_comments(begin, dialect);
        if (*begin != ';')
            break;
        begin++;
    }
    if (!*begin)
        return NULL;
    for (at = begin; *at && *at != ';';)
        at = skip_token(at, at > begin ? at[-1] : ' ', at > begin + 1 ? at[-2] : ' ', dialect);
    *statement = begin;
    *size = (size_t)(at - begin);
    return at;
}

/* ---- words ---- */

/* The next word, in capitals. */
static const char *
take_word(const char *at, enum sql_dialect dialect, char word[16])
{
    size_t size = 0;

    at = skip_comments(at, dialect);
    for (; is_word(*at); at++)
        if (size < 15)
            word[size++] = (char)toupper((unsigned char)*at);
    word[size] = '\0';
    return at;
}

enum sql_sort
sql_sort(const char *text, enum sql_dialect dialect)
{
    static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"};
    static const char *const queries[] = {"SELECT", "WITH", "VALUES", "TABLE"};
    const char *statement, *after;
    char word[16];
    size_t size;

    after = sql_next(text, dialect, &statement, &size);
    if (!after || sql_next(after, dialect, &(const char *){NULL}, &size))
        return SQL_OTHER;
    take_word(statement, dialect, word);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
        if (strcmp(word, changes[i]) == 0)
            return SQL_CHANGE;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
        if (strcmp(word, queries[i]) == 0)
            return SQL_QUERY;
    return SQL_OTHER;
}

/* ---- what may not be said ---- */

bool
sql_ends_transaction(const char *statement, enum sql_dialect dialect)
{
    static const char *const words[] = {"BEGIN", "START", "COMMIT", "END", "ABORT", "XA"};
    char first[16], second[16];
    const char *at = take_word(statement, dialect, first);

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(first, words[i]) == 0)
            return true;
    at = take_word(at, dialect, second);
    if (strcmp(first, "ROLLBACK") == 0) {
        if (strcmp(second, "WORK") == 0 || strcmp(second, "TRANSACTION") == 0)
            take_word(at, dialect, second);
        return strcmp(second, "TO") != 0;
    }
    return strcmp(first, "PREPARE") == 0 && strcmp(second, "TRANSACTION") == 0;
}

/* ---- one after the other ---- */

static NTSTATUS
say_one(const char *text, size_t size, enum sql_dialect dialect,
        NTSTATUS (*say)(void *context, const char *statement), void *context,
        struct explanation *why)
{
    char *statement = strndup(text, size);
    NTSTATUS status;

    if (!statement)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (sql_ends_transaction(statement, dialect))
        status = explain(why, status_raise(STATUS_ACCESS_DENIED),
                         "%.*s would begin or end a transaction, which is the business of the "
                         "transaction manager",
                         (int)strcspn(statement, " \t\r\n;"), statement);
    else
        status = say(context, statement);
    free(statement);
    return status;
}

NTSTATUS
sql_each(const char *text, enum sql_dialect dialect, bool has_parameters,
         NTSTATUS (*say)(void *context, const char *statement), void *context,
         struct explanation *why)
{
    const char *at = text, *statement;
    unsigned count = 0;
    size_t size;

    while ((at = sql_next(at, dialect, &statement, &size))) {
        if (++count > 1 && has_parameters)
            return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                           "parameters belong to one statement, and there are several");
        TRY(say_one(statement, size, dialect, say, context, why));
    }
    return count ? STATUS_SUCCESS
                 : explain(why, status_raise(STATUS_INVALID_PARAMETER), "there is no statement");
}
