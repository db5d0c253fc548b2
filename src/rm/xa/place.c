/* SPDX-License-Identifier: MIT */
/*
 * Where a switch is, as the home keeps it, so that 'ktm recover' can open it again:
 *
 *     switch=/usr/lib/libshop.so:shop_xa_switch info='db=shop'
 *
 * An open string may have a password in it, and nobody but its resource knows where. What the
 * application calls secret, or looks like it, is not kept; then whoever opens it again says it in
 * the environment.
 */
#include <stdlib.h>
#include <string.h>

#include "rm/xa/xa.h"

static bool
looks_secret(const char *info)
{
    static const char *const signs[] = {"pass", "pwd", "secret", "acc=p/"};

    for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
        if (strcasestr(info, signs[i]))
            return true;
    return false;
}

bool
place_print(const char *spec, const char *info, bool is_secret, struct conninfo *out)
{
    *out = (struct conninfo){.used = 0};
    conninfo_add(out, "switch", spec);
    if (info && !is_secret && !looks_secret(info))
        conninfo_add(out, "info", info);
    return !out->is_lost;
}

static NTSTATUS
take(void *context, const char *word, const char *value)
{
    struct place *place = context;
    char **into = strcmp(word, "switch") == 0 ? &place->spec
                  : strcmp(word, "info") == 0 ? &place->info
                                              : NULL;

    if (!into || *into)
        return status_raise(STATUS_INVALID_PARAMETER);
    *into = strdup(value);
    return *into ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

void
place_free(struct place *place)
{
    free(place->spec);
    free(place->info);
}

NTSTATUS
place_read(const char *text, struct place *place, struct explanation *why)
{
    NTSTATUS status;

    *place = (struct place){.spec = NULL};
    status = text ? conninfo_read(text, take, place) : status_raise(STATUS_INVALID_PARAMETER);
    if (status == STATUS_SUCCESS && !place->spec)
        status = status_raise(STATUS_INVALID_PARAMETER);
    if (status == STATUS_SUCCESS)
        return status;
    place_free(place);
    return explain(why, status,
                   "a switch of XA is named by switch=LIBRARY.so:SYMBOL and info=OPEN-STRING, with "
                   "quotes around a value that has blanks");
}

NTSTATUS
place_info(struct place *place, struct explanation *why)
{
    const char *said = place->info ? NULL : secure_getenv("KTM_XA_INFO");

    if (place->info)
        return STATUS_SUCCESS;
    if (!said)
        return explain(why, status_raise(STATUS_ACCESS_DENIED),
                       "the open string of '%s' is not kept, for it may have a secret; say it in "
                       "KTM_XA_INFO",
                       place->spec);
    place->info = strdup(said);
    return place->info ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}
