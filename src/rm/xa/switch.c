/* SPDX-License-Identifier: MIT */
/* Switches in this process. */
#include "rm/xa/switch.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "rm/xa/quirk.h"

/* "LIBRARY:symbol" without the symbol, which is returned, or NULL. */
static const char *
split(const char *spec, char *library, size_t size)
{
    const char *colon = strrchr(spec, ':');
    size_t length = colon ? (size_t)(colon - spec) : strlen(spec);

    snprintf(library, size, "%.*s", (int)length, spec);
    return colon ? colon + 1 : NULL;
}

static void *
library_load(const char *path, struct explanation *why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

    if (!library)
        explain_sentence(why, "'%s' cannot be loaded: %s", path, dlerror());
    return library;
}

void *
symbol_load(const char *spec, enum xa_result *result, struct explanation *why)
{
    char path[4096];
    const char *name = split(spec, path, sizeof(path));
    void *library = library_load(path, why), *found = NULL;

    *result = RESULT_NO_LIBRARY;
    if (!library)
        return NULL;
    *result = RESULT_NO_SYMBOL;
    if (name)
        found = dlsym(library, name);
    if (!found)
        explain_sentence(why, "'%s' has no function '%s'", path, name ? name : "");
    return found;
}

/* ---- switches ---- */

static const void *
find(void *library, const char *symbol, char found[128])
{
    const void *entry = NULL;

    if (symbol) {
        snprintf(found, 128, "%s", symbol);
        return dlsym(library, symbol);
    }
    for (size_t i = 0; !entry && quirk_symbol(i); i++) {
        snprintf(found, 128, "%s", quirk_symbol(i));
        entry = dlsym(library, found);
    }
    return entry;
}

static bool
is_switch(const struct xa_switch_t *entry)
{
    return memchr(entry->name, '\0', sizeof(entry->name)) && entry->version == 0 &&
           entry->xa_open_entry && entry->xa_close_entry && entry->xa_start_entry &&
           entry->xa_end_entry && entry->xa_rollback_entry && entry->xa_prepare_entry &&
           entry->xa_commit_entry && entry->xa_recover_entry && entry->xa_forget_entry;
}

enum xa_result
switch_load(const char *spec, struct loaded *out, struct explanation *why)
{
    struct switch_info *info = &out->info;
    char path[4096];
    const char *symbol = split(spec, path, sizeof(path));
    void *library = library_load(path, why);
    struct link_map *map = NULL;

    if (!library)
        return RESULT_NO_LIBRARY;
    out->entry = find(library, symbol, info->symbol);
    if (!out->entry) {
        explain_sentence(why, "'%s' has no switch '%s'; name it behind a colon", path,
                         symbol ? symbol : "xa_switch");
        return RESULT_NO_SYMBOL;
    }
    if (!is_switch(out->entry)) {
        explain_sentence(why, "'%s' in '%s' is no switch of XA, version 0", info->symbol, path);
        return RESULT_NO_SWITCH;
    }
    memcpy(info->name, out->entry->name, sizeof(info->name));
    info->flags = out->entry->flags;
    info->version = out->entry->version;
    snprintf(info->path, sizeof(info->path), "%s",
             dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] ? map->l_name : path);
    return RESULT_DONE;
}

int
switch_say(const struct loaded *loaded, enum xa_op op, XID *xid, int rmid, long flags)
{
    const struct xa_switch_t *entry = loaded->entry;

    switch (op) {
    case XA_OP_START:
        return entry->xa_start_entry(xid, rmid, flags);
    case XA_OP_END:
        return entry->xa_end_entry(xid, rmid, flags);
    case XA_OP_PREPARE:
        return entry->xa_prepare_entry(xid, rmid, flags);
    case XA_OP_COMMIT:
        return entry->xa_commit_entry(xid, rmid, flags);
    case XA_OP_ROLLBACK:
        return entry->xa_rollback_entry(xid, rmid, flags);
    case XA_OP_FORGET:
        return entry->xa_forget_entry(xid, rmid, flags);
    default:
        return XAER_INVAL;
    }
}

int
switch_open(const struct loaded *loaded, enum xa_op op, const char *info, int rmid)
{
    char text[MAXINFOSIZE]; /* theirs to write to */

    snprintf(text, sizeof(text), "%s", info);
    return op == XA_OP_OPEN ? loaded->entry->xa_open_entry(text, rmid, TMNOFLAGS)
                            : loaded->entry->xa_close_entry(text, rmid, TMNOFLAGS);
}
