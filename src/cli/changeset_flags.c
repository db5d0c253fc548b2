/* SPDX-License-Identifier: MIT */
/* The change set as flags: '--put new.conf:/etc/app.conf --delete /etc/old.conf'. */
#include "cli/changeset.h"

#include <stdlib.h>
#include <string.h>

#include "cli/owned.h"

/* What the two halves of A:B mean; the second is always the path. */
static const char *
first_half_name(enum step_verb verb)
{
    switch (verb) {
    case STEP_PUT:
    case STEP_APPEND:
    case STEP_TREE:
        return "SRC:DST";
    case STEP_RENAME:
        return "FROM:TO";
    case STEP_SYMLINK:
        return "TARGET:PATH";
    case STEP_CHMOD:
        return "MODE:PATH";
    default:
        return NULL;
    }
}

/* Splits at the one colon that has no backslash, and takes the backslashes out. */
static bool
split(char *text, char **second)
{
    char *out = text;

    *second = NULL;
    for (const char *at = text; *at; at++) {
        if (*at == ':') {
            if (*second)
                return false;
            *out++ = '\0';
            *second = out;
            continue;
        }
        if (*at == '\\' && (at[1] == ':' || at[1] == '\\'))
            at++;
        *out++ = *at;
    }
    *out = '\0';
    return *second != NULL;
}

static NTSTATUS
fill(const struct changeset *set, struct step *step, const char *first, const char *second,
     struct complaint *why)
{
    TRY(changeset_path(set, second, why, &step->path));
    switch (step->verb) {
    case STEP_PUT:
    case STEP_APPEND:
    case STEP_TREE:
    case STEP_RENAME:
        return changeset_path(set, first, why, &step->from);
    case STEP_SYMLINK:
        if (!first[0])
            return complain(why, STATUS_INVALID_PARAMETER, "the target is empty");
        step->target = strdup(first);
        return step->target ? STATUS_SUCCESS : out_of_memory(why);
    case STEP_CHMOD:
        step->has_mode = true;
        if (!mode_parse(first, &step->mode))
            return complain(why, STATUS_INVALID_PARAMETER,
                            "%s is no mode; it takes octal digits up to 07777, such as 0644",
                            QUOTE(first));
        return STATUS_SUCCESS;
    default:
        return STATUS_SUCCESS;
    }
}

NTSTATUS
changeset_add_flag(struct changeset *set, enum step_verb verb, const char *argument,
                   struct complaint *why)
{
    const char *form = first_half_name(verb);
    owned(free_text) char *text = strdup(argument);
    char label[STEP_LABEL_SIZE];
    struct step *step;
    char *second;
    NTSTATUS status;

    TRY(changeset_add(set, why, &step));
    step->verb = verb;
    step->is_flag = true;
    step->flag = strdup(argument);
    if (!text || !step->flag)
        return out_of_memory(why);
    if (!form)
        status = fill(set, step, "", argument, why);
    else if (!split(text, &second))
        status = complain(why, STATUS_INVALID_PARAMETER,
                          "it takes %s; a colon in a path is written \\:", form);
    else
        status = fill(set, step, text, second, why);
    if (status != STATUS_SUCCESS)
        complaint_prefix(why, "%s: ", step_label(step, label));
    return status;
}

NTSTATUS
changeset_add_statement(struct changeset *set, enum step_verb verb, const char *database,
                        const char *sql, struct complaint *why)
{
    struct step *step;

    CHECK(step_is_statement(verb));
    TRY(changeset_add(set, why, &step));
    step->verb = verb;
    step->is_flag = true;
    step->database = strdup(database);
    step->content = strdup(sql);
    if (!step->database || !step->content)
        return out_of_memory(why);
    step->content_size = strlen(sql);
    return STATUS_SUCCESS;
}
