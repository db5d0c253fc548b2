/* SPDX-License-Identifier: MIT */
/*
 * Performing a plan: chains, then what is to be removed, then modes and owners.
 *
 * A chain is worked off with its first slot as the hand: what is in the hand goes to the next slot,
 * and what was there comes into the hand, in one exchange. Where something is that this plan does
 * not know, somebody else has been there since prepare: theirs is kept under another name, never
 * destroyed.
 */
#include "rm/file/perform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/work.h"

#define DIRS_OPEN_MAX  64
#define ASIDE_MAX      1000 /* names tried for what is kept */
#define TRIES_MAX      100  /* against somebody who changes a name all the time */
#define REMOVED_SUFFIX ".gone"

struct performer {
    struct tree *tree;
    const struct plan *plan;
    struct conflicts *conflicts;
    struct explanation *why;
    bool again;
    int *fds;         /* of the directories; TREE_NOWHERE: not open */
    uint32_t *opened; /* the open ones, in a ring */
    size_t opened_count, opened_next;
    bool *is_sought; /* objects that are being located, against going round in circles */
    char tag[32];    /* ".ktm-conflict.<id>" */
};

static NTSTATUS locate(struct performer *self, uint32_t object, int *at, const char **name);

/* ---- directories ---- */

static void
dir_opened(struct performer *self, uint32_t index, int fd)
{
    if (self->opened_count == DIRS_OPEN_MAX) {
        uint32_t oldest = self->opened[self->opened_next];

        tree_close(tree_give(&self->fds[oldest]));
    } else {
        self->opened_count++;
    }
    self->fds[index] = fd;
    self->opened[self->opened_next] = index;
    self->opened_next = (self->opened_next + 1) % DIRS_OPEN_MAX;
}

static NTSTATUS
dir_check(struct performer *self, const struct plan_dir *dir, int fd)
{
    struct tree_info info;

    TRY(tree_info(self->tree, fd, "", &info));
    if (info.inode != dir->inode || info.born != dir->born)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    return STATUS_SUCCESS;
}

/* Down from an open directory, one component after the other. Takes 'fd'. */
static NTSTATUS
dir_descend(struct performer *self, int fd, const char *path, int *out)
{
    owned_fd int at = fd;
    char component[FILE_NAME_SIZE_MAX + 1];

    while (*path) {
        size_t size = strcspn(path, "/");
        int next;

        if (size >= sizeof(component))
            return status_raise(STATUS_RM_METADATA_CORRUPT);
        memcpy(component, path, size);
        component[size] = '\0';
        TRY(tree_open(self->tree, at, component, TREE_OPEN_DIRECTORY, &next));
        tree_close(at);
        at = next;
        path += size + (path[size] == '/');
    }
    *out = tree_give(&at);
    return STATUS_SUCCESS;
}

static NTSTATUS
dir_open_inside(struct performer *self, const struct plan_dir *dir, int *out)
{
    const char *name;
    int at, fd;

    TRY(locate(self, dir->inside, &at, &name));
    TRY(tree_open(self->tree, at, name, TREE_OPEN_DIRECTORY, &fd));
    return dir_descend(self, fd, dir->path, out);
}

static bool
is_not_there(NTSTATUS status)
{
    return status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND ||
           status == STATUS_NOT_A_DIRECTORY || status == STATUS_OBJECT_PATH_SYNTAX_BAD;
}

/* A descriptor, lent until DIRS_OPEN_MAX others were asked for. Answers: OBJECT_PATH_NOT_FOUND. */
static NTSTATUS
dir_open(struct performer *self, uint32_t index, int *out)
{
    const struct plan_dir *dir = &self->plan->dirs[index];
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (self->fds[index] < 0) {
        status = dir->inside == PLAN_NONE
                     ? tree_open(self->tree, TREE_NOWHERE, dir->path, TREE_OPEN_DIRECTORY, &fd)
                     : dir_open_inside(self, dir, &fd);
        if (status == STATUS_SUCCESS)
            status = dir_check(self, dir, fd);
        if (is_not_there(status))
            return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
        TRY(status);
        dir_opened(self, index, tree_give(&fd));
    }
    *out = self->fds[index];
    return STATUS_SUCCESS;
}

/* ---- slots ---- */

static bool
is_hidden(const char *name)
{
    return strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0;
}

/* What is in a slot. A directory that this plan removes may be gone already: then nothing is. */
struct seen {
    int at;
    const char *name;
    struct tree_info info;
};

static bool
may_be_gone(const struct plan *plan, const struct plan_dir *dir)
{
    for (unsigned depth = 0; dir->inside != PLAN_NONE && depth <= plan->object_count; depth++) {
        const struct plan_object *object = &plan->objects[dir->inside];

        if (object->fate != PLAN_STAYS)
            return true;
        dir = &plan->dirs[plan->slots[plan->chains[object->chain].slots[0]].dir];
    }
    return false;
}

static NTSTATUS
look(struct performer *self, uint32_t slot, struct seen *seen)
{
    const struct plan_slot *it = &self->plan->slots[slot];
    const struct plan_dir *dir = &self->plan->dirs[it->dir];
    NTSTATUS status = dir_open(self, it->dir, &seen->at);

    seen->name = it->name;
    if (status == STATUS_OBJECT_PATH_NOT_FOUND) {
        if (self->again && may_be_gone(self->plan, dir)) {
            seen->at = TREE_NOWHERE;
            seen->info = (struct tree_info){.kind = TREE_NOTHING};
            return STATUS_SUCCESS;
        }
        char *text = plan_slot_path(self->plan, slot);
        explain(self->why, status,
                "the directory of '%s' is not where it was (is its file system mounted?)",
                text ? text : it->name);
        free(text);
        return status;
    }
    TRY(status);
    return tree_info(self->tree, seen->at, it->name, &seen->info);
}

static bool
is_object(const struct performer *self, uint32_t object, const struct seen *seen)
{
    return plan_object_is(&self->plan->objects[object], &seen->info);
}

/* Where an object is now: in the slot it goes to, the one it comes from, the hand, or the lead. */
static NTSTATUS
locate(struct performer *self, uint32_t object, int *at, const char **name)
{
    const struct plan_object *it = &self->plan->objects[object];
    const struct plan_chain *chain = &self->plan->chains[it->chain];
    const uint32_t slots[] = {chain->slots[it->position], chain->slots[it->position - 1],
                              chain->slots[0], chain->lead};
    NTSTATUS status = STATUS_OBJECT_PATH_NOT_FOUND;

    if (self->is_sought[object])
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    self->is_sought[object] = true;
    for (size_t i = 0; i < ARRAY_SIZE(slots) && status == STATUS_OBJECT_PATH_NOT_FOUND; i++) {
        const struct plan_slot *slot;
        struct tree_info info = {.kind = TREE_NOTHING};

        if (slots[i] == PLAN_NONE)
            continue;
        slot = &self->plan->slots[slots[i]];
        status = dir_open(self, slot->dir, at);
        if (status == STATUS_SUCCESS)
            status = tree_info(self->tree, *at, slot->name, &info);
        if (status == STATUS_SUCCESS && !plan_object_is(it, &info))
            status = STATUS_OBJECT_PATH_NOT_FOUND;
        *name = slot->name;
    }
    self->is_sought[object] = false;
    return status;
}

/* ---- what others did ---- */

static void
report(struct performer *self, enum conflict_kind kind, uint32_t slot, const char *kept_as)
{
    char *text = plan_slot_path(self->plan, slot), *kept = NULL;

    if (text && kept_as &&
        asprintf(&kept, "%.*s%s", (int)(strrchr(text, '/') - text + 1), text, kept_as) < 0)
        kept = NULL;
    /* Without memory the name on disk is all that tells of it. */
    if (text)
        status_forgive(conflicts_add(self->conflicts, kind, text, kept));
    free(text);
    free(kept);
}

/* "<name>.ktm-conflict.<id>", and from the second on ".<n>"; shortened at a character when it would
 * be too long. */
static void
aside_name(const struct performer *self, const char *name, unsigned number,
           char out[FILE_NAME_SIZE_MAX + 1])
{
    char tail[48];
    size_t keep = strlen(name), room;

    if (number > 1)
        snprintf(tail, sizeof(tail), "%s.%u", self->tag, number);
    else
        snprintf(tail, sizeof(tail), "%s", self->tag);
    room = FILE_NAME_SIZE_MAX - strlen(tail);
    if (keep > room)
        for (keep = room; keep > 0 && ((unsigned char)name[keep] & 0xc0) == 0x80;)
            keep--;
    snprintf(out, FILE_NAME_SIZE_MAX + 1, "%.*s%s", (int)keep, name, tail);
}

/* Keeps what has this name and is not ours; 'slot' is where it stood for others. */
static NTSTATUS
set_aside(struct performer *self, int at, const char *name, uint32_t slot)
{
    const struct plan_slot *shown = &self->plan->slots[slot];
    char kept[FILE_NAME_SIZE_MAX + 1];
    NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;
    int beside;

    TRY(dir_open(self, shown->dir, &beside));
    for (unsigned i = 1; i <= ASIDE_MAX && status == STATUS_OBJECT_NAME_COLLISION; i++) {
        aside_name(self, shown->name, i, kept);
        status = tree_rename(self->tree, at, name, beside, kept, TREE_KEEP);
    }
    TRY(explain_status(self->why, status, "somebody else's '%s' cannot be kept as '%s'",
                       shown->name, kept));
    report(self, CONFLICT_KEPT, slot, kept);
    return STATUS_SUCCESS;
}

/* What an earlier attempt has set aside is told again. */
static NTSTATUS
report_kept(struct performer *self, uint32_t slot)
{
    const struct plan_slot *it = &self->plan->slots[slot];
    char kept[FILE_NAME_SIZE_MAX + 1];
    struct tree_info info;
    int at;

    if (is_hidden(it->name) || dir_open(self, it->dir, &at) != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        aside_name(self, it->name, i, kept);
        TRY(tree_info(self->tree, at, kept, &info));
        if (info.kind == TREE_NOTHING)
            break;
        report(self, CONFLICT_KEPT, slot, kept);
    }
    return STATUS_SUCCESS;
}

/* ---- chains ---- */

static NTSTATUS
move(struct performer *self, const struct seen *from, const struct seen *to, enum tree_rename how)
{
    return tree_rename(self->tree, from->at, from->name, to->at, to->name, how);
}

/* Whether this is one of the chain's own objects. */
static bool
is_of_chain(const struct performer *self, const struct plan_chain *chain, const struct seen *seen)
{
    for (uint32_t i = 0; i < chain->count; i++)
        if (is_object(self, chain->objects[i], seen))
            return true;
    return false;
}

/* From the lead into the hand. What stands there instead of what we knew is taken in its stead: to
 * others it looks as if they had changed it just before. */
static NTSTATUS
chain_lead(struct performer *self, const struct plan_chain *chain)
{
    struct seen lead, hand, first;

    if (chain->lead == PLAN_NONE)
        return STATUS_SUCCESS;
    TRY(look(self, chain->lead, &lead));
    TRY(look(self, chain->slots[0], &hand));
    TRY(look(self, chain->slots[1], &first));
    if (lead.info.kind == TREE_NOTHING || hand.info.kind != TREE_NOTHING ||
        is_object(self, chain->objects[0], &first))
        return STATUS_SUCCESS;
    if (!is_object(self, chain->objects[0], &lead))
        report(self, CONFLICT_TAKEN, chain->lead, NULL);
    return explain_status(self->why, move(self, &lead, &hand, TREE_KEEP), "'%s' cannot be renamed",
                          lead.name);
}

/* What came into the hand from slot i should be the next object. When it is somebody else's
 * instead, it is kept if that object was to be removed, and goes where that object was to go if it
 * was to be moved. */
static NTSTATUS
receive(struct performer *self, const struct plan_chain *chain, uint32_t i, const struct seen *met)
{
    uint32_t next = chain->objects[i];

    if (is_object(self, next, met))
        return STATUS_SUCCESS;
    if (self->plan->objects[next].fate != PLAN_STAYS)
        return set_aside(self, met->at, met->name, chain->slots[i]);
    report(self, CONFLICT_TAKEN, chain->slots[i], NULL);
    return STATUS_SUCCESS;
}

/* One attempt to put what is in the hand into slot i. *is_done is false when somebody was quicker.
 */
static NTSTATUS
place_once(struct performer *self, const struct plan_chain *chain, uint32_t i, bool *is_done)
{
    struct seen hand, target;
    bool is_free;
    NTSTATUS status;

    TRY(look(self, chain->slots[0], &hand));
    TRY(look(self, chain->slots[i], &target));
    is_free = target.info.kind == TREE_NOTHING;
    *is_done = false;
    /* The last slot was free when we promised. */
    if (!is_free && i == chain->count)
        return set_aside(self, target.at, target.name, chain->slots[i]);
    if (hand.info.kind == TREE_NOTHING || (is_free && i < chain->count))
        report(self, CONFLICT_GONE, chain->slots[i], NULL);
    *is_done = true;
    if (hand.info.kind == TREE_NOTHING)
        return STATUS_SUCCESS;
    status = move(self, &hand, &target, is_free ? TREE_KEEP : TREE_EXCHANGE);
    if (status == STATUS_OBJECT_NAME_COLLISION || status == STATUS_OBJECT_NAME_NOT_FOUND) {
        *is_done = false; /* made or removed this very moment */
        return STATUS_SUCCESS;
    }
    TRY(status);
    if (is_free)
        return STATUS_SUCCESS;
    /* What is in the hand now is looked at again: it may not be what we saw. */
    TRY(look(self, chain->slots[0], &hand));
    return receive(self, chain, i, &hand);
}

static NTSTATUS
place(struct performer *self, const struct plan_chain *chain, uint32_t i)
{
    bool is_done = false;

    for (unsigned tries = 0; tries < TRIES_MAX && !is_done; tries++)
        TRY(place_once(self, chain, i, &is_done));
    if (is_done)
        return STATUS_SUCCESS;
    return explain(self->why, status_raise(STATUS_DEVICE_BUSY),
                   "somebody else changes '%s' all the time",
                   self->plan->slots[chain->slots[i]].name);
}

/* The first slot is a name that others see, and holds something else than what was to be renamed or
 * removed. */
static NTSTATUS
place_other(struct performer *self, const struct plan_chain *chain, const struct seen *hand)
{
    const struct plan_object *object = &self->plan->objects[chain->objects[0]];

    if (object->fate != PLAN_STAYS)
        return set_aside(self, hand->at, hand->name, chain->slots[0]);
    report(self, CONFLICT_TAKEN, chain->slots[0], NULL);
    return place(self, chain, 1);
}

/* Object i is neither in its slot nor in the hand: it went there and was replaced, or it is gone.
 * The next one still has to make room when it goes somewhere else. */
static NTSTATUS
pass_over(struct performer *self, const struct plan_chain *chain, uint32_t i,
          const struct seen *hand, const struct seen *target)
{
    const struct plan_object *it = &self->plan->objects[chain->objects[i - 1]], *next;

    if (it->fate == PLAN_STAYS && (!self->again || hand->info.kind == TREE_NOTHING))
        report(self, CONFLICT_GONE, chain->slots[i], NULL);
    if (i == chain->count || hand->info.kind != TREE_NOTHING ||
        !is_object(self, chain->objects[i], target))
        return STATUS_SUCCESS;
    next = &self->plan->objects[chain->objects[i]];
    if (next->fate != PLAN_STAYS)
        return STATUS_SUCCESS; /* better the old content than none */
    return move(self, target, hand, TREE_KEEP);
}

static NTSTATUS
chain_step(struct performer *self, const struct plan_chain *chain, uint32_t i)
{
    struct seen hand, target;

    TRY(look(self, chain->slots[0], &hand));
    TRY(look(self, chain->slots[i], &target));
    if (is_object(self, chain->objects[i - 1], &target))
        return STATUS_SUCCESS;
    if (is_object(self, chain->objects[i - 1], &hand))
        return place(self, chain, i);
    if (hand.info.kind != TREE_NOTHING && !is_of_chain(self, chain, &hand)) {
        if (i > 1 || chain->lead != PLAN_NONE) /* taken in its stead, now or before */
            return place(self, chain, i);
        if (!is_hidden(hand.name))
            return place_other(self, chain, &hand);
    }
    return pass_over(self, chain, i, &hand, &target);
}

static NTSTATUS
chain_perform(struct performer *self, const struct plan_chain *chain)
{
    if (self->again)
        for (uint32_t i = 0; i <= chain->count; i++)
            TRY(report_kept(self, chain->slots[i]));
    TRY(chain_lead(self, chain));
    for (uint32_t i = 1; i <= chain->count; i++) {
        if (i == chain->count && chain->slots[i] == chain->slots[0])
            break; /* the last one stays in the hand */
        TRY(chain_step(self, chain, i));
    }
    return STATUS_SUCCESS;
}

/* A directory cannot be moved into itself; what lies in the way may be moved by a later chain. So
 * those that the kernel refuses are tried again as long as others succeed. */
static NTSTATUS
chains_perform(struct performer *self)
{
    const struct plan *plan = self->plan;
    bool *is_done = calloc((size_t)plan->chain_count + 1, sizeof(*is_done));
    NTSTATUS status = is_done ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    bool is_better = true;

    while (is_done && is_better &&
           (status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER)) {
        NTSTATUS refused = STATUS_SUCCESS;

        is_better = false;
        status = STATUS_SUCCESS;
        for (uint32_t i = 0; i < plan->chain_count; i++) {
            if (is_done[i])
                continue;
            status = chain_perform(self, &plan->chains[i]);
            if (status == STATUS_INVALID_PARAMETER) {
                refused = status;
                explain_nothing(self->why);
            } else if (status != STATUS_SUCCESS) {
                break;
            } else {
                is_done[i] = is_better = true;
            }
        }
        if (status == STATUS_SUCCESS)
            status = refused;
        if (status == STATUS_SUCCESS)
            break;
    }
    free(is_done);
    return explain_status(self->why, status, "the names cannot be changed");
}

/* ---- durability ---- */

static NTSTATUS
dirs_sync(struct performer *self, const bool *wanted)
{
    for (uint32_t i = 0; i < self->plan->dir_count; i++) {
        const struct plan_dir *dir = &self->plan->dirs[i];
        NTSTATUS status;
        int fd;

        if (!wanted[i])
            continue;
        status = dir_open(self, i, &fd);
        if (status == STATUS_OBJECT_PATH_NOT_FOUND && may_be_gone(self->plan, dir))
            continue;
        TRY(explain_status(self->why, status, "the directory '%s' cannot be opened", dir->path));
        TRY(explain_status(self->why, tree_sync(self->tree, fd),
                           "the directory '%s' cannot be made durable", dir->path));
    }
    return STATUS_SUCCESS;
}

/* Every directory in which a chain may have moved something, now or before. */
static NTSTATUS
moves_sync(struct performer *self)
{
    const struct plan *plan = self->plan;
    bool *wanted = calloc((size_t)plan->dir_count + 1, sizeof(*wanted));
    NTSTATUS status;

    if (!wanted)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (uint32_t i = 0; i < plan->chain_count; i++) {
        const struct plan_chain *chain = &plan->chains[i];

        for (uint32_t k = 0; k <= chain->count; k++)
            wanted[plan->slots[chain->slots[k]].dir] = true;
        if (chain->lead != PLAN_NONE)
            wanted[plan->slots[chain->lead].dir] = true;
    }
    status = dirs_sync(self, wanted);
    free(wanted);
    return status;
}

/* ---- removing ---- */

static uint32_t
last_slot(const struct plan *plan, const struct plan_object *object)
{
    const struct plan_chain *chain = &plan->chains[object->chain];

    return chain->slots[chain->count];
}

/* Where the object stood for others. */
static uint32_t
former_slot(const struct plan *plan, const struct plan_object *object)
{
    const struct plan_chain *chain = &plan->chains[object->chain];

    return chain->count == 1 && chain->lead != PLAN_NONE ? chain->lead
                                                         : chain->slots[object->position - 1];
}

static NTSTATUS
remove_file(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    struct plan_version version = plan_version_of(&seen->info);

    if (!plan_object_is(object, &seen->info) || !plan_version_equal(&version, &object->version))
        return set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
    return tree_unlink(self->tree, seen->at, seen->name);
}

static NTSTATUS
remove_directory(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    NTSTATUS status = tree_directory_remove(self->tree, seen->at, seen->name);

    if (status == STATUS_DIRECTORY_NOT_EMPTY || status == STATUS_NOT_A_DIRECTORY)
        return set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
    return status;
}

/* A tree is compared while it is whole and then renamed, so that one that is half removed is not
 * taken for one that somebody changed. */
static NTSTATUS
remove_tree(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    char gone[FILE_NAME_SIZE_MAX + 1];
    uint64_t fingerprint;

    snprintf(gone, sizeof(gone), "%s" REMOVED_SUFFIX, seen->name);
    if (seen->info.kind != TREE_NOTHING) {
        bool is_ours = plan_object_is(object, &seen->info);

        if (is_ours)
            TRY(copy_fingerprint(self->tree, seen->at, seen->name, self->why, &fingerprint));
        if (!is_ours || fingerprint != object->fingerprint)
            return set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
        TRY(tree_rename(self->tree, seen->at, seen->name, seen->at, gone, TREE_KEEP));
        TRY(tree_sync(self->tree, seen->at));
    }
    return copy_remove(self->tree, seen->at, gone);
}

static NTSTATUS
object_remove(struct performer *self, const struct plan_object *object)
{
    struct seen seen;
    NTSTATUS status;

    TRY(look(self, last_slot(self->plan, object), &seen));
    if (seen.at == TREE_NOWHERE)
        return STATUS_SUCCESS;
    if (object->fate == PLAN_REMOVED_TREE)
        status = remove_tree(self, object, &seen);
    else if (seen.info.kind == TREE_NOTHING)
        status = STATUS_SUCCESS;
    else if (object->fate == PLAN_REMOVED_DIRECTORY)
        status = remove_directory(self, object, &seen);
    else
        status = remove_file(self, object, &seen);
    return explain_status(self->why, status, "what '%s' was before cannot be removed",
                          self->plan->slots[former_slot(self->plan, object)].name);
}

static unsigned
depth_of(const struct plan *plan, const struct plan_object *object)
{
    unsigned depth = 0;
    const struct plan_dir *dir = &plan->dirs[plan->slots[last_slot(plan, object)].dir];

    while (dir->inside != PLAN_NONE && depth <= plan->object_count) {
        object = &plan->objects[dir->inside];
        dir = &plan->dirs[plan->slots[last_slot(plan, object)].dir];
        depth++;
    }
    return depth;
}

/* What is to be removed: files, then directories, those farther inside first. */
static NTSTATUS
removals_perform(struct performer *self, bool *wanted)
{
    const struct plan *plan = self->plan;
    unsigned deepest = 0;

    for (uint32_t i = 0; i < plan->object_count; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->fate == PLAN_STAYS)
            continue;
        wanted[plan->slots[last_slot(plan, object)].dir] = true;
        if (object->fate == PLAN_REMOVED)
            TRY(object_remove(self, object));
        else if (depth_of(plan, object) > deepest)
            deepest = depth_of(plan, object);
    }
    for (unsigned depth = deepest + 1; depth-- > 0;)
        for (uint32_t i = 0; i < plan->object_count; i++) {
            const struct plan_object *object = &plan->objects[i];

            if ((object->fate == PLAN_REMOVED_DIRECTORY || object->fate == PLAN_REMOVED_TREE) &&
                depth_of(plan, object) == depth)
                TRY(object_remove(self, object));
        }
    return STATUS_SUCCESS;
}

static NTSTATUS
removals(struct performer *self)
{
    bool *wanted = calloc((size_t)self->plan->dir_count + 1, sizeof(*wanted));
    NTSTATUS status;

    if (!wanted)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = removals_perform(self, wanted);
    if (status == STATUS_SUCCESS)
        status = dirs_sync(self, wanted);
    free(wanted);
    return status;
}

/* ---- attributes ---- */

static bool
is_attribute_of(const struct plan_attribute *attribute, const struct seen *seen)
{
    return seen->info.kind == attribute->kind && seen->info.inode == attribute->inode &&
           seen->info.born == attribute->born;
}

static NTSTATUS
attribute_set(struct performer *self, const struct plan_attribute *attribute,
              const struct seen *seen)
{
    const struct tree_info *info = &seen->info;
    uint32_t mode = attribute->sets_mode ? attribute->mode : info->mode;
    owned_fd int fd = TREE_NOWHERE;

    TRY(tree_open(self->tree, seen->at, seen->name, TREE_OPEN_PATH, &fd));
    if (attribute->sets_owner &&
        ((attribute->owner != UINT32_MAX && attribute->owner != info->owner) ||
         (attribute->group != UINT32_MAX && attribute->group != info->group)))
        TRY(tree_owner_set(self->tree, fd, attribute->owner, attribute->group));
    else if (mode == info->mode)
        return STATUS_SUCCESS;
    return attribute->kind == TREE_SYMLINK ? STATUS_SUCCESS : tree_mode_set(self->tree, fd, mode);
}

static NTSTATUS
attribute_sync(struct performer *self, const struct plan_attribute *attribute,
               const struct seen *seen)
{
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (attribute->kind != TREE_FILE && attribute->kind != TREE_DIRECTORY)
        return tree_sync_all(self->tree, seen->at);
    status = tree_open(self->tree, seen->at, seen->name,
                       attribute->kind == TREE_FILE ? TREE_OPEN_READ : TREE_OPEN_DIRECTORY, &fd);
    if (status == STATUS_ACCESS_DENIED) /* not readable any more, perhaps by what was set */
        return tree_sync_all(self->tree, seen->at);
    TRY(status);
    return tree_sync(self->tree, fd);
}

/* Before the moves what can be set is set, so that nothing shows up with a mode that is too wide;
 * but a directory in which we still have to work keeps its owner's rights until the end. */
static NTSTATUS
attributes(struct performer *self, bool is_last)
{
    for (uint32_t i = 0; i < self->plan->attribute_count; i++) {
        const struct plan_attribute *attribute = &self->plan->attributes[i];
        struct seen seen;

        if (!is_last && attribute->kind == TREE_DIRECTORY && attribute->sets_mode &&
            (attribute->mode & 0700) != 0700)
            continue;
        TRY(look(self, attribute->to, &seen));
        if (!is_attribute_of(attribute, &seen))
            TRY(look(self, attribute->from, &seen));
        if (!is_attribute_of(attribute, &seen)) {
            if (is_last)
                report(self, CONFLICT_GONE, attribute->to, NULL);
            continue;
        }
        TRY(explain_status(self->why, attribute_set(self, attribute, &seen),
                           "mode or owner of '%s' cannot be set", seen.name));
        if (is_last)
            TRY(explain_status(self->why, attribute_sync(self, attribute, &seen),
                               "mode or owner of '%s' cannot be made durable", seen.name));
    }
    return STATUS_SUCCESS;
}

/* ---- all of it ---- */

static NTSTATUS
perform(struct performer *self)
{
    TRY(attributes(self, false));
    TRY(chains_perform(self));
    TRY(moves_sync(self)); /* from here on the old content is not needed any more */
    TRY(removals(self));
    return attributes(self, true);
}

static NTSTATUS
performer_init(struct performer *self)
{
    uint32_t dirs = self->plan->dir_count, objects = self->plan->object_count;

    snprintf(self->tag, sizeof(self->tag), ".ktm-conflict.%08x",
             (unsigned)self->plan->transaction.Data1);
    self->fds = calloc((size_t)dirs + 1, sizeof(*self->fds));
    for (uint32_t i = 0; self->fds && i < dirs; i++)
        self->fds[i] = TREE_NOWHERE;
    self->opened = calloc(DIRS_OPEN_MAX, sizeof(*self->opened));
    self->is_sought = calloc((size_t)objects + 1, sizeof(*self->is_sought));
    if (!self->fds || !self->opened || !self->is_sought)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    return STATUS_SUCCESS;
}

static void
performer_deinit(struct performer *self)
{
    for (uint32_t i = 0; self->fds && i < self->plan->dir_count; i++)
        tree_close(self->fds[i]);
    free(self->fds);
    free(self->opened);
    free(self->is_sought);
}

NTSTATUS
plan_perform(struct tree *tree, const struct plan *plan, bool again, struct conflicts *conflicts,
             struct explanation *why)
{
    struct performer self = {
        .tree = tree, .plan = plan, .conflicts = conflicts, .why = why, .again = again};
    NTSTATUS status = performer_init(&self);

    if (status == STATUS_SUCCESS)
        status = perform(&self);
    performer_deinit(&self);
    return status;
}

/* ---- undoing ---- */

/* Inside something new: removed together with it. */
static bool
is_in_staged(const struct plan *plan, const struct plan_dir *dir)
{
    return dir->inside != PLAN_NONE && plan->objects[dir->inside].is_staged;
}

static NTSTATUS
staged_remove(struct performer *self, const struct plan_object *object, bool *wanted)
{
    uint32_t slot = plan_first_slot(&self->plan->chains[object->chain]);
    const struct plan_slot *it = &self->plan->slots[slot];
    struct seen seen;

    if (is_in_staged(self->plan, &self->plan->dirs[it->dir]))
        return STATUS_SUCCESS;
    TRY(look(self, slot, &seen));
    wanted[it->dir] = true;
    if (!plan_object_is(object, &seen.info))
        return STATUS_SUCCESS;
    return explain_status(self->why, copy_remove(self->tree, seen.at, seen.name),
                          "'%s' cannot be removed", seen.name);
}

static NTSTATUS
undo(struct performer *self)
{
    const struct plan *plan = self->plan;
    bool *wanted = calloc((size_t)plan->dir_count + 1, sizeof(*wanted));
    NTSTATUS status = wanted ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    for (uint32_t i = 0; i < plan->object_count && status == STATUS_SUCCESS; i++)
        if (plan->objects[i].is_staged)
            status = staged_remove(self, &plan->objects[i], wanted);
    if (status == STATUS_SUCCESS)
        status = dirs_sync(self, wanted);
    free(wanted);
    return status;
}

NTSTATUS
plan_undo(struct tree *tree, const struct plan *plan, struct explanation *why)
{
    struct performer self = {.tree = tree, .plan = plan, .why = why, .again = true};
    NTSTATUS status = performer_init(&self);

    if (status == STATUS_SUCCESS)
        status = undo(&self);
    performer_deinit(&self);
    return status;
}
