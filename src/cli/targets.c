/* SPDX-License-Identifier: MIT */
/*
 * The tree of names behind targets_check.
 *
 * A node is a name in a directory node; all nodes are in one hash table by directory and name, so
 * that moving a directory moves what is below it. Symbolic links are not followed, and a path with
 * ".." is left out, because only the disk says where it leads.
 */
#include "cli/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum name_state {
    NAME_UNTOUCHED,
    NAME_FILE,    /* put */
    NAME_LINK,    /* symlink */
    NAME_DIR,     /* mkdir */
    NAME_TREE,    /* tree */
    NAME_MOVED,   /* something was renamed to it */
    NAME_CHANGED, /* appended to */
    NAME_GONE,    /* deleted, or renamed away */
};

struct node {
    uint32_t parent;
    uint32_t next; /* in the same bucket */
    const char *name;
    size_t length;
    enum name_state state;
    const struct step *step;  /* that gave it this state */
    const struct step *mode;  /* that set its mode */
    const struct step *below; /* the last one that changed something below it */
};

#define NOBODY UINT32_MAX
#define ROOT   0u

struct names {
    struct node *nodes;
    uint32_t count, room;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
};

static void
names_deinit(struct names *names)
{
    free(names->nodes);
    free(names->buckets);
}

static uint32_t *
bucket_of(const struct names *names, uint32_t parent, const char *name, size_t length)
{
    uint64_t hash = 0xCBF29CE484222325u ^ parent;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001B3u;
    hash ^= hash >> 32;
    return &names->buckets[hash & (names->bucket_count - 1)];
}

static uint32_t
names_find(const struct names *names, uint32_t parent, const char *name, size_t length)
{
    uint32_t at = *bucket_of(names, parent, name, length);

    while (at != NOBODY) {
        const struct node *node = &names->nodes[at];

        if (node->parent == parent && node->length == length &&
            memcmp(node->name, name, length) == 0)
            return at;
        at = node->next;
    }
    return NOBODY;
}

static void
names_insert(struct names *names, uint32_t at)
{
    struct node *node = &names->nodes[at];
    uint32_t *bucket = bucket_of(names, node->parent, node->name, node->length);

    node->next = *bucket;
    *bucket = at;
}

static void
names_take_out(struct names *names, uint32_t at)
{
    struct node *node = &names->nodes[at];
    uint32_t *link = bucket_of(names, node->parent, node->name, node->length);

    while (*link != at)
        link = &names->nodes[*link].next;
    *link = node->next;
}

static NTSTATUS
names_grow(struct names *names, struct complaint *why)
{
    uint32_t room = names->room ? 2 * names->room : 256;
    struct node *nodes = realloc(names->nodes, room * sizeof(*nodes));
    uint32_t *buckets;

    if (!nodes)
        return out_of_memory(why);
    names->nodes = nodes;
    buckets = realloc(names->buckets, room * sizeof(*buckets));
    if (!buckets)
        return out_of_memory(why);
    names->buckets = buckets;
    names->room = names->bucket_count = room;
    memset(buckets, 0xFF, room * sizeof(*buckets));
    for (uint32_t at = 0; at < names->count; at++)
        if (nodes[at].parent != NOBODY)
            names_insert(names, at);
    return STATUS_SUCCESS;
}

static NTSTATUS
names_add(struct names *names, uint32_t parent, const char *name, size_t length,
          struct complaint *why, uint32_t *out)
{
    if (names->count == names->room)
        TRY(names_grow(names, why));
    names->nodes[names->count] = (struct node){.parent = parent, .name = name, .length = length};
    names_insert(names, names->count);
    *out = names->count++;
    return STATUS_SUCCESS;
}

/* ---- walking ---- */

static NTSTATUS
conflict(const struct step *step, const struct step *other, struct complaint *why, const char *what,
         const char *path)
{
    char label[STEP_LABEL_SIZE], other_label[STEP_LABEL_SIZE];

    return complain(why, STATUS_INVALID_PARAMETER, "%s: %s %s: it conflicts with %s",
                    step_label(step, label), QUOTE(path), what, step_label(other, other_label));
}

static bool
has_dots(const char *path)
{
    for (const char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/.."))
        if (at[3] == '/' || at[3] == '\0')
            return true;
    return false;
}

/* The next component at *at; false at the end. */
static bool
next_component(const char **at, const char **name, size_t *length)
{
    for (;;) {
        *at += strspn(*at, "/");
        *name = *at;
        *length = strcspn(*at, "/");
        *at += *length;
        if (*length != 1 || **name != '.')
            return *length != 0;
    }
}

/* Leads to the node of the path, which is made when it is not there. What is below something that
 * is gone, or is a file, conflicts with the step that did that. */
static NTSTATUS
walk(struct names *names, const struct step *step, const char *path, struct complaint *why,
     uint32_t *out)
{
    const char *at = path, *name;
    uint32_t here = ROOT, next;
    size_t length;

    while (next_component(&at, &name, &length)) {
        const struct node *node = &names->nodes[here];

        if (node->state == NAME_GONE)
            return conflict(step, node->step, why, "lies below what is taken away", path);
        if (node->state == NAME_FILE || node->state == NAME_CHANGED)
            return conflict(step, node->step, why, "lies below what is a file", path);
        next = names_find(names, here, name, length);
        if (next == NOBODY)
            TRY(names_add(names, here, name, length, why, &next));
        here = next;
    }
    *out = here;
    return STATUS_SUCCESS;
}

static void
set_state(struct names *names, uint32_t at, enum name_state state, const struct step *step)
{
    names->nodes[at].state = state;
    names->nodes[at].step = step;
    while (at != ROOT) {
        at = names->nodes[at].parent;
        names->nodes[at].below = step;
    }
}

/* ---- the steps ---- */

/* Steps that make a name, and what it is then. The name may have become free before. */
static NTSTATUS
make(struct names *names, uint32_t at, enum name_state state, const struct step *step,
     struct complaint *why)
{
    struct node *node = &names->nodes[at];

    if (node->state != NAME_UNTOUCHED && node->state != NAME_GONE)
        return conflict(step, node->step, why, "has its content from another step already",
                        step->path);
    if (state == NAME_TREE && node->below)
        return conflict(step, node->below, why, "replaces what is below it", step->path);
    node->mode = step->has_mode ? step : NULL;
    set_state(names, at, state, step);
    return STATUS_SUCCESS;
}

static NTSTATUS
take_away(struct names *names, uint32_t at, const struct step *step, struct complaint *why)
{
    struct node *node = &names->nodes[at];

    if (node->state == NAME_GONE)
        return conflict(step, node->step, why, "is taken away before", step->path);
    if (node->state != NAME_UNTOUCHED)
        return conflict(step, node->step, why, "is changed in vain", step->path);
    if (node->mode)
        return conflict(step, node->mode, why, "is changed in vain", step->path);
    set_state(names, at, NAME_GONE, step);
    return STATUS_SUCCESS;
}

static NTSTATUS
append(struct names *names, uint32_t at, const struct step *step, struct complaint *why)
{
    struct node *node = &names->nodes[at];

    if (node->state == NAME_GONE)
        return conflict(step, node->step, why, "is taken away before", step->path);
    if (node->state == NAME_LINK || node->state == NAME_DIR || node->state == NAME_TREE)
        return conflict(step, node->step, why, "is no file then", step->path);
    if (node->state == NAME_UNTOUCHED)
        set_state(names, at, NAME_CHANGED, step);
    return STATUS_SUCCESS;
}

static NTSTATUS
change_mode(struct names *names, uint32_t at, const struct step *step, struct complaint *why)
{
    struct node *node = &names->nodes[at];

    if (node->state == NAME_GONE)
        return conflict(step, node->step, why, "is taken away before", step->path);
    if (node->state == NAME_LINK)
        return conflict(step, node->step, why, "is a symbolic link, which has no mode", step->path);
    if (node->mode)
        return conflict(step, node->mode, why, "has its mode from another step", step->path);
    node->mode = step;
    while (at != ROOT) {
        at = names->nodes[at].parent;
        names->nodes[at].below = step;
    }
    return STATUS_SUCCESS;
}

static bool
is_at_or_below(const struct names *names, uint32_t at, uint32_t directory)
{
    while (at != directory && at != ROOT)
        at = names->nodes[at].parent;
    return at == directory;
}

/* The node moves with all that is below it; in its place stays one that says it is gone. */
static NTSTATUS
move(struct names *names, uint32_t to, const struct step *step, struct complaint *why)
{
    uint32_t from, gone;
    struct node copy;

    TRY(walk(names, step, step->from, why, &from));
    if (names->nodes[from].state == NAME_GONE)
        return conflict(step, names->nodes[from].step, why, "is taken away before", step->from);
    if (from == to)
        return conflict(step, step, why, "is renamed to itself", step->from);
    TRY(make(names, to, NAME_MOVED, step, why));
    if (is_at_or_below(names, to, from))
        return conflict(step, step, why, "cannot go below itself", step->from);
    if (is_at_or_below(names, from, to))
        return conflict(step, step, why, "cannot replace the directory it is in", step->from);
    copy = names->nodes[from];
    TRY(names_add(names, copy.parent, copy.name, copy.length, why, &gone));
    names_take_out(names, gone); /* 'from' has this name yet */
    names_take_out(names, from);
    names_take_out(names, to);
    names->nodes[from].parent = names->nodes[to].parent;
    names->nodes[from].name = names->nodes[to].name;
    names->nodes[from].length = names->nodes[to].length;
    names->nodes[to].parent = NOBODY; /* out of the tree, as is what was below it */
    names_insert(names, from);
    names_insert(names, gone);
    set_state(names, gone, NAME_GONE, step);
    names->nodes[from].state = NAME_MOVED;
    names->nodes[from].step = step;
    return STATUS_SUCCESS;
}

/* A whole tree is copied from the disk as it is, not as the steps before leave it. */
static NTSTATUS
check_tree_source(struct names *names, const struct step *step, struct complaint *why)
{
    const struct node *node;
    uint32_t at;

    if (has_dots(step->from))
        return STATUS_SUCCESS;
    TRY(walk(names, step, step->from, why, &at));
    node = &names->nodes[at];
    if (node->state != NAME_UNTOUCHED || node->below)
        return conflict(step, node->below ? node->below : node->step, why,
                        "cannot be copied with what was changed in it", step->from);
    return STATUS_SUCCESS;
}

static NTSTATUS
play(struct names *names, const struct step *step, struct complaint *why)
{
    uint32_t at;

    if (step->verb == STEP_EXPECT || step_is_statement(step->verb) || has_dots(step->path) ||
        (step->verb == STEP_RENAME && has_dots(step->from)))
        return STATUS_SUCCESS;
    if (step->verb == STEP_TREE)
        TRY(check_tree_source(names, step, why));
    TRY(walk(names, step, step->path, why, &at));
    switch (step->verb) {
    case STEP_PUT:
        return make(names, at, NAME_FILE, step, why);
    case STEP_SYMLINK:
        return make(names, at, NAME_LINK, step, why);
    case STEP_MKDIR:
        return make(names, at, NAME_DIR, step, why);
    case STEP_TREE:
        return make(names, at, NAME_TREE, step, why);
    case STEP_APPEND:
        return append(names, at, step, why);
    case STEP_CHMOD:
        return change_mode(names, at, step, why);
    case STEP_RENAME:
        return move(names, at, step, why);
    default:
        return take_away(names, at, step, why);
    }
}

static NTSTATUS
play_all(struct names *names, const struct changeset *set, struct complaint *why)
{
    uint32_t root;

    TRY(names_add(names, NOBODY, "", 0, why, &root));
    CHECK(root == ROOT);
    for (size_t i = 0; i < set->count; i++) {
        const struct step *step = &set->steps[i];
        NTSTATUS status = play(names, step, why);

        if (status == STATUS_INVALID_PARAMETER && step->line)
            complaint_prefix(why, "%s:%u:%u: ", set->name, step->line, step->column);
        TRY(status);
    }
    return STATUS_SUCCESS;
}

NTSTATUS
targets_check(const struct changeset *set, struct complaint *why)
{
    struct names names = {0};
    NTSTATUS status = play_all(&names, set, why);

    names_deinit(&names);
    return status;
}
