/* SPDX-License-Identifier: MIT */
/* Telling how it ended. */
#include "cli/result.h"

#include <stdio.h>

#include "cli/json_out.h"

/* ---- for programs ---- */

static struct json_object *
json_conflicts(const struct result *result)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < result->conflict_count; i++) {
        const struct session_conflict *conflict = &result->conflicts[i];
        struct json_object *each = json_object_new_object();

        json_object_object_add(each, "transaction", json_out_guid(&conflict->transaction));
        json_object_object_add(each, "path", json_out_text(conflict->path));
        json_object_object_add(each, "what", json_out_text(conflict->what));
        json_object_object_add(each, "kept_as", json_out_text(conflict->kept_as));
        json_object_array_add(list, each);
    }
    return list;
}

static struct json_object *
json_resources(const struct recovery *recovery)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; recovery && i < recovery->resource_count; i++) {
        const struct recovery_resource *resource = &recovery->resources[i];
        struct json_object *each = json_object_new_object();
        char name[STATUS_TEXT_SIZE];

        json_object_object_add(each, "kind", json_out_text(resource->kind));
        json_object_object_add(each, "place", json_out_text(resource->place));
        json_object_object_add(each, "name", json_out_text(resource->name));
        json_object_object_add(each, "state",
                               json_object_new_string(recovery_state_name(resource->state)));
        if (resource->status != STATUS_SUCCESS)
            json_object_object_add(each, "status",
                                   json_object_new_string(status_text(resource->status, name)));
        if (resource->why)
            json_object_object_add(each, "why", json_out_text(resource->why));
        json_object_array_add(list, each);
    }
    return list;
}

static struct json_object *
json_damages(const struct recovery *recovery)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; recovery && i < recovery->damage_count; i++)
        json_object_array_add(list, json_out_text(recovery->damages[i]));
    return list;
}

static int
print_json(const struct result *result)
{
    struct json_object *out = json_object_new_object();
    const struct recovery *recovery = result->recovery;
    char name[STATUS_TEXT_SIZE];

    json_object_object_add(out, "outcome", json_object_new_string(result->outcome));
    json_object_object_add(out, "exit", json_object_new_int(result->code));
    json_object_object_add(out, "transaction",
                           result->has_transaction ? json_out_guid(&result->transaction) : NULL);
    if (result->what) {
        json_object_object_add(out, "what", json_out_text(result->what));
        json_object_object_add(out, "steps", json_object_new_int64((int64_t)result->steps));
    }
    if (result->status != STATUS_SUCCESS) {
        json_object_object_add(out, "status",
                               json_object_new_string(status_text(result->status, name)));
        json_object_object_add(out, "why", json_out_text(result->why.text));
    }
    if (result->advice)
        json_object_object_add(out, "next", json_object_new_string(result->advice));
    json_object_object_add(out, "recovered",
                           json_object_new_int64(recovery ? recovery_finished(recovery) : 0));
    json_object_object_add(out, "left",
                           json_object_new_int64(recovery ? recovery_left(recovery) : 0));
    json_object_object_add(out, "resources", json_resources(recovery));
    json_object_object_add(out, "damages", json_damages(recovery));
    json_object_object_add(out, "conflicts", json_conflicts(result));
    if (result->has_clock) {
        json_object_object_add(out, "clock", json_object_new_int64(result->clock));
        json_object_object_add(out, "online", json_object_new_boolean(result->is_online));
        json_object_object_add(out, "rollforward", result->rollforward);
    }
    json_out_print(out);
    return print_end(result->code, false);
}

/* ---- for people ---- */

/* Those of the problems that nobody has told yet, and what somebody else has broken. */
static void
print_problems(const struct recovery *recovery, size_t first)
{
    struct complaint what;

    for (size_t i = first; recovery && recovery_problem(recovery, i, &what); i++)
        print_error("%s", what.text);
    for (size_t i = 0; recovery && i < recovery->damage_count; i++)
        print_error("damaged: %s", recovery->damages[i] ?: "");
}

void
result_print_recovery(const struct result *result, const struct common *common)
{
    const struct recovery *recovery = result->recovery;
    struct complaint what;
    unsigned finished = recovery_finished(recovery);

    if (common->is_json)
        return;
    if (finished && !common->is_quiet)
        fprintf(stderr, "ktm: finished %u transaction%s that an earlier run had left\n", finished,
                finished == 1 ? "" : "s");
    for (size_t i = 0; recovery_problem(recovery, i, &what); i++)
        print_error("%s: %s; mend that and run 'ktm recover'",
                    recovery_left(recovery) ? "an earlier change is still not finished"
                                            : "an earlier change may be unfinished",
                    what.text);
}

static void
print_conflicts(const struct result *result)
{
    for (size_t i = 0; i < result->conflict_count; i++) {
        const struct session_conflict *conflict = &result->conflicts[i];

        if (conflict->kept_as)
            print_error("%s %s; it is kept as %s", QUOTE(conflict->path), conflict->what,
                        QUOTE(conflict->kept_as));
        else
            print_error("%s %s", QUOTE(conflict->path), conflict->what);
    }
}

int
result_print(const struct result *result, const struct common *common)
{
    char guid[GUID_TEXT_SIZE] = "", steps[64] = "", name[STATUS_TEXT_SIZE];
    bool is_fine = result->status == STATUS_SUCCESS;

    if (common->is_json)
        return print_json(result);
    if (result->has_transaction)
        guid_print(&result->transaction, guid);
    if (result->what && is_fine)
        snprintf(steps, sizeof(steps), ": %zu step%s", result->steps,
                 result->steps == 1 ? "" : "s");
    if (is_fine && !common->is_quiet)
        printf("%s%s%s%s%s%s\n", result->outcome, guid[0] ? " " : "", guid, steps,
               result->what ? " of " : "", result->what ? result->what : "");
    if (!is_fine)
        print_error("%s%s%s: %s (%s)%s%s", result->outcome, guid[0] ? " " : "", guid,
                    result->why.text, status_text(result->status, name), result->advice ? "; " : "",
                    result->advice ? result->advice : "");
    print_conflicts(result);
    if (result->is_recovery)
        print_problems(result->recovery, is_fine ? 0 : 1); /* the first one is the reason */
    return print_end(result->code, false);
}
