/* SPDX-License-Identifier: MIT */
/* Opening what a home knows, and keeping account of it. */
#include "cli/recovery.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/kinds.h"
#include "cli/manager.h"
#include "ktm_rm.h" /* public */

enum { ANSWER_TIMES = 400, ANSWER_PAUSE_NS = 5000000 };

/* ---- the account ---- */

void
recovery_init(struct recovery *recovery)
{
    *recovery = (struct recovery){0};
    sys_mutex_init(&recovery->mutex);
}

void
recovery_deinit(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++)
        free(recovery->transactions[i].why);
    for (size_t i = 0; i < recovery->resource_count; i++) {
        free(recovery->resources[i].kind);
        free(recovery->resources[i].place);
        free(recovery->resources[i].name);
        free(recovery->resources[i].why);
    }
    for (size_t i = 0; i < recovery->damage_count; i++)
        free(recovery->damages[i]);
    free(recovery->transactions);
    free(recovery->resources);
    free(recovery->damages);
    sys_mutex_deinit(&recovery->mutex);
    *recovery = (struct recovery){0};
}

/* One more place at the end of a list, zeroed. NULL: no memory, which is noted. */
static void *
grow(struct recovery *recovery, void **list, size_t *count, size_t size)
{
    char *more = realloc(*list, (*count + 1) * size);

    if (!more) {
        recovery->is_short = true;
        return NULL;
    }
    *list = more;
    return memset(more + (*count)++ * size, 0, size);
}

static char *
copy(struct recovery *recovery, const char *text)
{
    char *made = text ? strdup(text) : NULL;

    recovery->is_short = recovery->is_short || (text && !made);
    return made;
}

static struct recovery_transaction *
get_transaction(struct recovery *recovery, const GUID *guid)
{
    struct recovery_transaction *made;

    for (size_t i = 0; i < recovery->count; i++)
        if (guid_equal(&recovery->transactions[i].guid, guid))
            return &recovery->transactions[i];
    made = grow(recovery, (void **)&recovery->transactions, &recovery->count, sizeof(*made));
    if (made)
        made->guid = *guid;
    return made;
}

void
recovery_note(struct recovery *recovery, const GUID *guid, bool is_finished, const char *why)
{
    struct recovery_transaction *transaction;

    sys_mutex_lock(&recovery->mutex);
    transaction = get_transaction(recovery, guid);
    if (transaction && !is_finished) {
        transaction->is_left = true;
        if (why && why[0]) {
            free(transaction->why);
            transaction->why = copy(recovery, why);
        }
    }
    sys_mutex_unlock(&recovery->mutex);
}

const char *
recovery_why(const struct recovery *recovery, const GUID *guid)
{
    for (size_t i = 0; i < recovery->count; i++)
        if (guid_equal(&recovery->transactions[i].guid, guid))
            return recovery->transactions[i].why;
    return NULL;
}

unsigned
recovery_left(const struct recovery *recovery)
{
    unsigned left = 0;

    for (size_t i = 0; i < recovery->count; i++)
        left += recovery->transactions[i].is_left;
    return left;
}

unsigned
recovery_finished(const struct recovery *recovery)
{
    return (unsigned)recovery->count - recovery_left(recovery);
}

/* ---- one resource ---- */

/* While it is open. */
struct opening {
    struct recovery *recovery;
    const char *home;
    HANDLE tm;
    bool are_all;
};

void
recovery_take_news(void *context, enum ktm_resource_news news, const GUID *transaction,
                   BOOLEAN is_committed, const char *text)
{
    struct recovery *recovery = context;
    char guid[GUID_TEXT_SIZE], **damage;
    struct complaint what;

    if (news == KTM_RESOURCE_UNFINISHED)
        recovery_note(recovery, transaction, false, text);
    if (news != KTM_RESOURCE_DAMAGED)
        return;
    guid_print(transaction, guid);
    complaint_write(&what, "transaction %s was %s, and not so here: %s", guid,
                    is_committed ? "committed" : "rolled back", text);
    sys_mutex_lock(&recovery->mutex);
    damage = grow(recovery, (void **)&recovery->damages, &recovery->damage_count, sizeof(*damage));
    if (damage)
        *damage = copy(recovery, what.text);
    sys_mutex_unlock(&recovery->mutex);
}

static void
take_recovered(void *context, const struct ktm_rm_recovered *recovered)
{
    recovery_note(context, &recovered->transaction, recovered->is_finished, NULL);
}

/* Whether the manager has a transaction in which that resource manager takes part. */
static bool
is_wanted(HANDLE tm, const GUID *manager)
{
    GUID *guids = NULL;
    size_t count = 0;
    bool is = false;

    if (manager_list(tm, KTMOBJECT_TRANSACTION, &guids, &count) != STATUS_SUCCESS)
        return true;
    for (size_t i = 0; i < count; i++) {
        struct manager_transaction transaction;

        if (manager_transaction(tm, &guids[i], &transaction) != STATUS_SUCCESS)
            continue;
        for (size_t k = 0; k < transaction.count; k++)
            is = is || guid_equal(&transaction.participants[k].manager, manager);
        manager_transaction_deinit(&transaction);
    }
    free(guids);
    return is;
}

static void
fail(const struct opening *opening, struct recovery_resource *resource, const char *words)
{
    bool is_free = !is_wanted(opening->tm, &resource->manager);

    resource->why = copy(opening->recovery, words);
    if (is_free && resource->status == STATUS_OBJECT_NAME_NOT_FOUND)
        resource->state = RECOVERY_GONE;
    else
        resource->state =
            is_free && resource->was_at_rest ? RECOVERY_AT_REST : RECOVERY_UNREACHABLE;
}

static void
open_resource(const struct opening *opening, struct recovery_resource *resource)
{
    const struct ktm_resource_kind *door = resource->door;
    struct complaint why = {""};

    resource->wanted = (struct ktm_resource){.place = resource->place,
                                             .name = resource->name,
                                             .must_exist = TRUE,
                                             .report = recovery_take_news,
                                             .context = opening->recovery};
    if (resource->place)
        resource->status = door->manager->open(opening->tm, opening->home, &resource->wanted,
                                               why.text, sizeof(why.text), &resource->rm);
    else
        resource->status = complain(&why, STATUS_OBJECT_PATH_NOT_FOUND,
                                    "the home does not know how it was reached; open it with the "
                                    "program that uses it");
    if (resource->status != STATUS_SUCCESS) {
        resource->rm = NULL;
        fail(opening, resource, why.text);
    }
}

static void
shut_resource(struct recovery *recovery, struct recovery_resource *resource)
{
    const struct ktm_resource_kind *door = resource->door;

    if (!resource->rm)
        return;
    ktm_rm_recovered(door->kit(resource->rm), take_recovered, recovery);
    resource->state = ktm_rm_unfinished(door->kit(resource->rm)) ? RECOVERY_LEFT : RECOVERY_DONE;
    door->manager->shut(resource->rm);
    resource->rm = NULL;
}

static void
settle_resource(const struct opening *opening, struct recovery_resource *resource)
{
    if (!resource->door)
        return;
    if (resource->was_at_rest && !opening->are_all && !is_wanted(opening->tm, &resource->manager))
        resource->state = RECOVERY_AT_REST;
    else
        open_resource(opening, resource);
}

/* ---- all of them ---- */

static bool
is_any_open_unfinished(const struct recovery *recovery)
{
    bool is = false;

    for (size_t i = 0; i < recovery->resource_count; i++) {
        const struct recovery_resource *resource = &recovery->resources[i];

        is = is || (resource->rm && ktm_rm_unfinished(resource->door->kit(resource->rm)));
    }
    return is;
}

/* Whether the manager has a transaction whose outcome somebody is still to carry out. */
static bool
is_any_decided(HANDLE tm)
{
    GUID *guids = NULL;
    size_t count = 0;
    bool is = false;

    if (manager_list(tm, KTMOBJECT_TRANSACTION, &guids, &count) != STATUS_SUCCESS)
        return false;
    for (size_t i = 0; i < count && !is; i++) {
        struct manager_transaction transaction;

        if (manager_transaction(tm, &guids[i], &transaction) != STATUS_SUCCESS)
            continue;
        is = !transaction.is_in_doubt && !transaction.is_told;
        manager_transaction_deinit(&transaction);
    }
    free(guids);
    return is;
}

/* A last resource decides for others, who may have been opened before it: those with a thread of
 * their own hear of it now. What cannot be finished is not waited for longer than this. */
static void
wait_for_answers(const struct opening *opening)
{
    for (int i = 0; i < ANSWER_TIMES && is_any_open_unfinished(opening->recovery) &&
                    is_any_decided(opening->tm);
         i++)
        nanosleep(&(struct timespec){.tv_nsec = ANSWER_PAUSE_NS}, NULL);
}

static struct recovery_resource *
add_resource(struct recovery *recovery, const char *kind)
{
    struct recovery_resource *resource =
        grow(recovery, (void **)&recovery->resources, &recovery->resource_count, sizeof(*resource));

    if (resource)
        resource->kind = copy(recovery, kind);
    return resource;
}

static void
take_resource(void *context, const struct ktm_resource_kind *kind, const struct ktm_resource *known)
{
    struct recovery *recovery = context;
    struct recovery_resource *resource = add_resource(recovery, kind->name);

    if (!resource)
        return;
    resource->door = kind;
    resource->place = copy(recovery, known->place);
    resource->name = copy(recovery, known->name);
    resource->manager = known->manager;
    resource->was_at_rest = known->is_at_rest;
}

/* Nothing of that kind can be opened. */
static void
take_failure(void *context, const char *kind, NTSTATUS status, const struct complaint *why)
{
    struct recovery *recovery = context;
    struct recovery_resource *resource = add_resource(recovery, kind);

    if (!resource)
        return;
    resource->state = RECOVERY_UNREACHABLE;
    resource->status = status;
    resource->why = copy(recovery, why->text);
}

void
recovery_open_resources(struct recovery *recovery, const char *home, HANDLE tm, bool are_all)
{
    struct opening opening = {.recovery = recovery, .home = home, .tm = tm, .are_all = are_all};
    struct kinds_visitor visitor = {
        .resource = take_resource, .failed = take_failure, .context = recovery};

    /* All of them first: opening one writes in the home. */
    kinds_visit(home, &visitor);
    for (size_t i = 0; i < recovery->resource_count; i++)
        settle_resource(&opening, &recovery->resources[i]);
    wait_for_answers(&opening);
    for (size_t i = 0; i < recovery->resource_count; i++)
        shut_resource(recovery, &recovery->resources[i]);
}

/* ---- who is missing ---- */

static void
note_leftover(struct recovery *recovery, HANDLE tm, const GUID *guid)
{
    struct manager_transaction transaction;
    struct complaint why = {""};
    char manager[GUID_TEXT_SIZE];

    if (manager_transaction(tm, guid, &transaction) != STATUS_SUCCESS)
        return; /* it has just ended */
    if (transaction.is_told) {
        manager_transaction_deinit(&transaction);
        return;
    }
    if (transaction.is_in_doubt)
        complaint_write(&why, "%s", manager_transaction_advice(&transaction));
    else if (transaction.count) {
        guid_print(&transaction.participants[0].manager, manager);
        complaint_write(&why, "the resource manager %s has not finished its part", manager);
    }
    recovery_note(recovery, guid, false, NULL);
    sys_mutex_lock(&recovery->mutex);
    for (size_t i = 0; i < recovery->count; i++)
        if (guid_equal(&recovery->transactions[i].guid, guid) && !recovery->transactions[i].why)
            recovery->transactions[i].why = copy(recovery, why.text);
    sys_mutex_unlock(&recovery->mutex);
    manager_transaction_deinit(&transaction);
}

void
recovery_note_leftovers(struct recovery *recovery, HANDLE tm)
{
    GUID *guids = NULL;
    size_t count = 0;

    if (manager_list(tm, KTMOBJECT_TRANSACTION, &guids, &count) != STATUS_SUCCESS)
        recovery->is_short = true;
    for (size_t i = 0; i < count; i++)
        note_leftover(recovery, tm, &guids[i]);
    free(guids);
}

/* ---- for people ---- */

const char *
recovery_state_name(enum recovery_state state)
{
    static const char *const names[] = {[RECOVERY_DONE] = "finished",
                                        [RECOVERY_LEFT] = "unfinished",
                                        [RECOVERY_AT_REST] = "at rest",
                                        [RECOVERY_GONE] = "gone",
                                        [RECOVERY_UNREACHABLE] = "unreachable"};

    return names[state];
}

/* The unreachable ones first: they are the reason for most of the rest. */
bool
recovery_problem(const struct recovery *recovery, size_t i, struct complaint *out)
{
    char guid[GUID_TEXT_SIZE];

    for (size_t k = 0; k < recovery->resource_count; k++) {
        const struct recovery_resource *resource = &recovery->resources[k];

        if (resource->state != RECOVERY_UNREACHABLE || i-- > 0)
            continue;
        if (resource->name)
            complaint_write(out, "the %s resource %s cannot be opened: %s", resource->kind,
                            QUOTE(resource->place ?: resource->name), resource->why ?: "");
        else
            complaint_write(out, "%s", resource->why ?: "");
        return true;
    }
    for (size_t k = 0; k < recovery->count; k++) {
        const struct recovery_transaction *transaction = &recovery->transactions[k];

        if (!transaction->is_left || i-- > 0)
            continue;
        guid_print(&transaction->guid, guid);
        complaint_write(out, "transaction %s: %s", guid,
                        transaction->why ?: "its outcome is not known yet");
        return true;
    }
    return false;
}
