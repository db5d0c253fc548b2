/* SPDX-License-Identifier: MIT */
/* What a step did, as one line of the trace and one USDT probe (design D16); the words are those of
 * core/names.c. */
#include "engine/inner.h"
#include "sys/trace.h"

static void
trace_effects(const struct ktm_effects *effects, char *text, size_t size)
{
    static const char *const names[] = {
        [EFFECT_APPEND] = "append",   [EFFECT_FORCE] = "force", [EFFECT_SIGNAL] = "signal",
        [EFFECT_DELIVER] = "deliver", [EFFECT_DRAIN] = "drain",
    };
    size_t length = 0;

    for (unsigned i = 0; i < effects->count; i++) {
        const char *name = names[effects->list[i].type];

        for (text[length++] = ' '; *name && length + 2 < size; name++)
            text[length++] = *name;
    }
    text[length] = 0;
}

static void
trace_text(const struct ktm_event *event, const struct transaction *tx, int before, NTSTATUS status,
           const struct ktm_effects *effects)
{
    struct status_birth birth = status_last_birth();
    char uow[GUID_TEXT_SIZE] = "-", did[80];

    if (tx)
        guid_print(&tx->link.guid, uow);
    if (status != STATUS_SUCCESS) {
        trace_line("%s %s refused %s at %s:%d", ktm_event_name(event->type), uow,
                   status_name(status), birth.file, birth.line);
        return;
    }
    trace_effects(effects, did, sizeof(did));
    trace_line("%s %s %s -> %s%s%s", ktm_event_name(event->type), uow,
               transaction_state_name(before), tx ? transaction_state_name(tx->state) : "-", did,
               effects->has_queued ? " queued" : "");
}

NTSTATUS
noted_step(struct engine_tm *tm, const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->en && event->en->tx ? event->en->tx : event->tx;
    int before = tx ? tx->state : 0;
    NTSTATUS status = ktm_step(&tm->core, event, effects);

    if (tx && tx->state != before)
        transaction_note(tx, event->type, sys_time_monotonic(tm->engine->sys));
    TRACE_PROBE(step, event->type, before, tx ? tx->state : 0);
    if (unlikely(trace_is_on) && status != STATUS_DEVICE_BUSY)
        trace_text(event, tx, before, status, effects);
    return status;
}
