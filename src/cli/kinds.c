/* SPDX-License-Identifier: MIT */
/* Finding and loading the libraries of resources. */
#include "cli/kinds.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktm_rm.h" /* public */

#define KIND_NAME_SIZE 32

/* Those that are ours: what a home has of them is missed when their library is. */
static const char *const our_kinds[] = {"sqlite", "postgres", "mariadb", "xa"};
/* What else is in a home. */
static const char *const no_kinds[] = {"tm", "file", "history"};

struct loaded {
    struct loaded *next;
    char name[KIND_NAME_SIZE];
    const struct ktm_resource_kind *kind;
};
static struct loaded *all_loaded; /* the command has one thread that comes here */

/* ---- one library ---- */

static NTSTATUS
check(void *library, const char *file, const struct ktm_resource_kind *kind, struct complaint *why)
{
    if (!kind)
        return complain(why, STATUS_NOT_SUPPORTED, "%s is no library of a kind of resources", file);
    if (kind->size < sizeof(*kind))
        return complain(why, STATUS_NOT_SUPPORTED,
                        "%s is older than this command: install those of one version", file);
    if (dlsym(library, "ktm_tm_open") != dlsym(RTLD_DEFAULT, "ktm_tm_open"))
        return complain(why, STATUS_NOT_SUPPORTED,
                        "%s has brought another libktm.so than the command's: install those of one "
                        "version",
                        file);
    return STATUS_SUCCESS;
}

/* Beside libktm.so, where it was installed or built with it; else where the loader looks. */
static void *
open_library(const char *file)
{
    char path[4096];
    void *library = NULL;
    Dl_info info;
    const char *slash = dladdr((void *)ktm_tm_open, &info) ? strrchr(info.dli_fname, '/') : NULL;

    if (slash &&
        snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname,
                 file) < (int)sizeof(path) &&
        access(path, F_OK) == 0)
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library ?: dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

static NTSTATUS
load(const char *name, struct complaint *why, const struct ktm_resource_kind **out)
{
    char file[KIND_NAME_SIZE + 32];
    const struct ktm_resource_kind *kind;
    void *library;
    NTSTATUS status;

    snprintf(file, sizeof(file), "libktm-%s.so." KTM_SOVERSION, name);
    library = open_library(file);
    if (!library)
        return complain(why, STATUS_OBJECT_NAME_NOT_FOUND,
                        "%s resources need the library %s, which cannot be loaded (%s); install "
                        "libktm-%s",
                        name, file, dlerror(), name);
    kind = dlsym(library, KTM_RESOURCE_KIND);
    status = check(library, file, kind, why);
    if (status != STATUS_SUCCESS) {
        dlclose(library);
        return status;
    }
    *out = kind;
    return STATUS_SUCCESS;
}

static bool
is_kind_name(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return size > 0 && size < KIND_NAME_SIZE && !name[size];
}

NTSTATUS
kind_load(const char *name, struct complaint *why, const struct ktm_resource_kind **out)
{
    struct loaded *loaded;

    CHECK(is_kind_name(name));
    for (loaded = all_loaded; loaded; loaded = loaded->next)
        if (strcmp(loaded->name, name) == 0) {
            *out = loaded->kind;
            return STATUS_SUCCESS;
        }
    loaded = calloc(1, sizeof(*loaded));
    if (!loaded)
        return out_of_memory(why);
    NTSTATUS status = load(name, why, &loaded->kind);
    if (status != STATUS_SUCCESS) {
        free(loaded);
        return status;
    }
    strcpy(loaded->name, name);
    loaded->next = all_loaded;
    all_loaded = loaded;
    *out = loaded->kind;
    return STATUS_SUCCESS;
}

NTSTATUS
kind_function(const char *name, const char *function, struct complaint *why, void **out)
{
    const struct ktm_resource_kind *kind;
    Dl_info info;

    TRY(kind_load(name, why, &kind));
    *out = dladdr(kind, &info) ? dlsym(dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD), function)
                               : NULL;
    return *out ? STATUS_SUCCESS
                : complain(why, STATUS_NOT_SUPPORTED,
                           "libktm-%s has no %s: install those of one "
                           "version",
                           name, function);
}

/* ---- those of a home ---- */

static bool
is_in(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The kind that a name in the home belongs to: what is before the first dot. */
static bool
kind_of(const char *file, char name[KIND_NAME_SIZE])
{
    size_t size = strcspn(file, ".");

    if (size == 0 || size >= KIND_NAME_SIZE)
        return false;
    memcpy(name, file, size);
    name[size] = '\0';
    return is_kind_name(name) && !is_in(no_kinds, ARRAY_SIZE(no_kinds), name);
}

struct pass {
    const struct kinds_visitor *visitor;
    const struct ktm_resource_kind *kind;
};

static void
pass_resource(void *context, const struct ktm_resource *resource)
{
    const struct pass *pass = context;

    pass->visitor->resource(pass->visitor->context, pass->kind, resource);
}

static void
visit_kind(const char *home, const char *name, const struct kinds_visitor *visitor)
{
    struct pass pass = {.visitor = visitor};
    struct complaint why;
    NTSTATUS status = kind_load(name, &why, &pass.kind);

    /* A name that means nothing to anybody is somebody's note. */
    if (status == STATUS_OBJECT_NAME_NOT_FOUND && !is_in(our_kinds, ARRAY_SIZE(our_kinds), name))
        return;
    if (status == STATUS_SUCCESS) {
        status = pass.kind->known(home, pass_resource, &pass);
        if (status != STATUS_SUCCESS)
            complaint_write(&why, "what the home %s keeps for %s resources cannot be read: %s",
                            QUOTE(home), name, STATUS_WORDS(status));
    }
    if (status != STATUS_SUCCESS)
        visitor->failed(visitor->context, name, status, &why);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_candidate(const struct dirent *entry)
{
    char name[KIND_NAME_SIZE];

    return kind_of(entry->d_name, name);
}

void
kinds_visit(const char *home, const struct kinds_visitor *visitor)
{
    char name[KIND_NAME_SIZE], last[KIND_NAME_SIZE] = "";
    struct dirent **entries;
    /* In order, so that what belongs to one kind is together. */
    int count = scandir(home, &entries, is_candidate, by_name);

    for (int i = 0; i < count; i++) {
        if (kind_of(entries[i]->d_name, name) && strcmp(name, last) != 0) {
            strcpy(last, name);
            visit_kind(home, name, visitor);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}
