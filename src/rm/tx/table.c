/* SPDX-License-Identifier: MIT */
/* Reading the table. */
#include "rm/tx/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/server/server.h"

#define LINE_SIZE 4096

/* ---- one line ---- */

struct line {
    struct table *table;
    struct row row;
    bool is_home;
};

static NTSTATUS
take_text(char **into, const char *value)
{
    if (*into)
        return status_raise(STATUS_INVALID_PARAMETER);
    *into = strdup(value);
    return *into ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS
take_number(const char *value, long most, long *out)
{
    char *end;

    *out = strtol(value, &end, 10);
    return *end || end == value || *out < 0 || *out > most ? status_raise(STATUS_INVALID_PARAMETER)
                                                           : STATUS_SUCCESS;
}

static NTSTATUS
take_word(void *context, const char *word, const char *value)
{
    struct line *line = context;
    struct row *row = &line->row;
    long number;

    if (strcmp(word, "home") == 0) {
        line->is_home = true;
        return take_text(&line->table->home, value);
    }
    if (strcmp(word, "switch") == 0)
        return take_text(&row->spec, value);
    if (strcmp(word, "info") == 0)
        return take_text(&row->info, value);
    if (strcmp(word, "name") == 0)
        return take_text(&row->name, value);
    if (strcmp(word, "rmid") == 0) {
        TRY(take_number(value, INT32_MAX, &number));
        row->rmid = (int)number;
    } else if (strcmp(word, "timeout") == 0) {
        TRY(take_number(value, 3600, &number));
        row->timeout_ms = (uint32_t)number * 1000u;
    } else if (strcmp(word, "unchecked") == 0) {
        TRY(take_number(value, 1, &number));
        row->is_unchecked = number == 1;
    } else {
        return status_raise(STATUS_INVALID_PARAMETER);
    }
    return STATUS_SUCCESS;
}

static void
row_deinit(struct row *row)
{
    free(row->spec);
    free(row->info);
    free(row->name);
}

static NTSTATUS
row_finish(struct table *table, struct row *row)
{
    if (!row->spec || table->count == TABLE_MAX)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (row->rmid == 0)
        row->rmid = (int)table->count + 1;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].rmid == row->rmid)
            return status_raise(STATUS_INVALID_PARAMETER);
    if (!row->info)
        row->info = strdup("");
    if (!row->name && asprintf(&row->name, "tx%d", row->rmid) < 0)
        row->name = NULL;
    return row->info && row->name ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* A remark ends a line, but not inside of quotes. */
static void
cut_remark(char *text)
{
    bool is_quoted = false;

    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        else if (*text == '\'')
            is_quoted = !is_quoted;
        if (*text == '#' && !is_quoted) {
            *text = '\0';
            return;
        }
    }
}

static NTSTATUS
read_line(struct table *table, char *text)
{
    struct line line = {.table = table};
    NTSTATUS status;

    cut_remark(text);
    if (!text[strspn(text, " \t\r\n")])
        return STATUS_SUCCESS;
    status = conninfo_read(text, take_word, &line);
    if (status == STATUS_SUCCESS && !(line.is_home && !line.row.spec))
        status = row_finish(table, &line.row);
    if (status != STATUS_SUCCESS || !line.row.spec) {
        row_deinit(&line.row);
        return status;
    }
    table->rows[table->count++] = line.row;
    return STATUS_SUCCESS;
}

/* ---- the file ---- */

static NTSTATUS
read_lines(struct table *table, FILE *file, const char *path, struct explanation *why)
{
    char text[LINE_SIZE];

    for (unsigned number = 1; fgets(text, sizeof(text), file); number++) {
        NTSTATUS status = strlen(text) + 1 < sizeof(text) ? read_line(table, text)
                                                          : status_raise(STATUS_INVALID_PARAMETER);

        if (status != STATUS_SUCCESS)
            return explain(why, status,
                           "line %u of '%s' is no row of a table of switches, or its rmid is there "
                           "already (see ktm_tx.h)",
                           number, path);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
path_of(char **out)
{
    const char *said = secure_getenv("KTM_TX");
    char *home;

    if (said && said[0]) {
        *out = strdup(said);
        return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    TRY(ktm_home_default(&home));
    if (asprintf(out, "%s/tx.conf", home) < 0)
        *out = NULL;
    free(home);
    return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

NTSTATUS
table_read(struct table *table, struct explanation *why)
{
    NTSTATUS status;
    FILE *file;
    char *path;

    *table = (struct table){.home = NULL};
    TRY(path_of(&path));
    file = fopen(path, "re");
    if (!file) {
        status =
            explain(why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                    "the table of switches '%s' cannot be read: %m; KTM_TX names another", path);
    } else {
        status = read_lines(table, file, path, why);
        fclose(file);
    }
    if (status == STATUS_SUCCESS && !table->home)
        status = ktm_home_default(&table->home);
    free(path);
    if (status != STATUS_SUCCESS)
        table_deinit(table);
    return status;
}

void
table_deinit(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        row_deinit(&table->rows[i]);
    free(table->home);
    *table = (struct table){.home = NULL};
}
