/* SPDX-License-Identifier: MIT */
/* Looking at the resources of a home. */
#include "cli/resources.h"

#include <stdlib.h>
#include <string.h>

#include "cli/kinds.h"

static char *
copy(struct resources *resources, const char *text)
{
    char *made = text ? strdup(text) : NULL;

    if (text && !made)
        resources->status = STATUS_INSUFFICIENT_RESOURCES;
    return made;
}

static struct resource *
add(struct resources *resources, const char *kind)
{
    size_t size = (resources->count + 1) * sizeof(*resources->list);
    struct resource *more = realloc(resources->list, size), *made;

    if (!more) {
        resources->status = STATUS_INSUFFICIENT_RESOURCES;
        return NULL;
    }
    resources->list = more;
    made = &resources->list[resources->count++];
    *made = (struct resource){.kind = copy(resources, kind)};
    return made;
}

static void
probe(struct resources *resources, const struct ktm_resource_kind *kind,
      const struct ktm_resource *known, struct resource *resource)
{
    struct complaint why = {""};

    resource->is_probed = true;
    resource->is_reachable = kind->probe(known, why.text, sizeof(why.text)) == STATUS_SUCCESS;
    if (resource->is_reachable)
        return;
    free(resource->trouble);
    resource->trouble = copy(resources, why.text);
}

static void
take_resource(void *context, const struct ktm_resource_kind *kind, const struct ktm_resource *known)
{
    struct resources *resources = context;
    struct resource *resource = add(resources, kind->name);

    if (!resource)
        return;
    resource->name = copy(resources, known->name);
    resource->place = copy(resources, known->place);
    resource->trouble = copy(resources, known->trouble);
    resource->trouble_since = known->trouble_since;
    resource->manager = known->manager;
    resource->is_at_rest = known->is_at_rest;
    if (resources->is_probing && kind->probe && known->place)
        probe(resources, kind, known, resource);
}

static void
take_failure(void *context, const char *kind, NTSTATUS status, const struct complaint *why)
{
    struct resources *resources = context;
    struct resource *resource = add(resources, kind);

    (void)status; /* in the words */
    if (resource)
        resource->trouble = copy(resources, why->text);
}

NTSTATUS
resources_read(const char *home, bool is_probing, struct resources *out)
{
    struct kinds_visitor visitor = {
        .resource = take_resource, .failed = take_failure, .context = out};

    *out = (struct resources){.is_probing = is_probing};
    kinds_visit(home, &visitor);
    return out->status == STATUS_SUCCESS ? STATUS_SUCCESS : status_raise(out->status);
}

void
resources_deinit(struct resources *resources)
{
    for (size_t i = 0; i < resources->count; i++) {
        free(resources->list[i].kind);
        free(resources->list[i].name);
        free(resources->list[i].place);
        free(resources->list[i].trouble);
    }
    free(resources->list);
    *resources = (struct resources){0};
}

const struct resource *
resources_find(const struct resources *resources, const GUID *manager)
{
    for (size_t i = 0; i < resources->count; i++)
        if (resources->list[i].name && guid_equal(&resources->list[i].manager, manager))
            return &resources->list[i];
    return NULL;
}
