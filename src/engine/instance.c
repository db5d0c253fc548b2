/* SPDX-License-Identifier: MIT */
/* Instances of the engine: the one of this process, and those of tests [NAME-07]. */
#include "engine/inner.h"
#include "sys/trace.h"

#include <stdlib.h>

static struct engine *_Atomic instance;
static struct sys_mutex instance_mutex = {PTHREAD_MUTEX_INITIALIZER};

static struct engine *
engine_make(struct sys *sys, bool has_thread)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    engine->sys = sys;
    trace_start();
    sys_mutex_init(&engine->mutex);
    sys_mutex_init(&engine->attaching);
    list_init(&engine->tms);
    timers_init(&engine->timers, has_thread);
    freeze_init(&engine->freeze);
    engine->nursery = tm_create(engine, true);
    if (!engine->nursery) {
        timers_deinit(&engine->timers);
        freeze_deinit(&engine->freeze);
        free(engine);
        return NULL;
    }
    engine->nursery->core.is_nursery = true;
    return engine;
}

struct engine *
engine_instance(void)
{
    struct engine *engine = atomic_load(&instance);

    if (likely(engine != NULL))
        return engine;
    sys_mutex_lock(&instance_mutex);
    engine = atomic_load(&instance);
    if (!engine) {
        engine = engine_make(sys_linux(), true);
        atomic_store(&instance, engine);
    }
    sys_mutex_unlock(&instance_mutex);
    return engine;
}

/* The parent's instance stays as memory nobody looks at: any of its locks may be held, by a thread
 * that is not here. */
void
engine_begin_anew(void)
{
    atomic_store(&instance, NULL);
    sys_mutex_init(&instance_mutex);
}

bool
engine_is_inherited(const struct object *object)
{
    const struct engine_tm *tm = NULL;

    switch (object->kind) {
    case OBJECT_TM:
        tm = AS_TM(object);
        break;
    case OBJECT_RM:
        tm = tm_of_ktm(AS_RM(object)->ktm);
        break;
    case OBJECT_TX:
        tm = tm_of_ktm(atomic_load(&AS_TX(object)->ktm));
        break;
    case OBJECT_EN:
        tm = tm_of_ktm(AS_EN(object)->rm->ktm);
        break;
    default:
        return false;
    }
    return tm->engine != atomic_load(&instance);
}

NTSTATUS
engine_create(struct sys *sys, struct engine **out)
{
    struct engine *engine = engine_make(sys, false);

    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    atomic_store(&instance, engine);
    *out = engine;
    return STATUS_SUCCESS;
}

/* As if the process had died: objects go whoever holds them. */
static void
tm_abandon(struct engine_tm *tm)
{
    struct resource_manager *rm;

    tm->core.state = KTM_CLOSED;
    LIST_EACH (rm, &tm->core.rm_list, in_ktm)
        loans_cancel(rm);
    if (tm->area)
        (void)clfs_area_destroy(tm->area);
    if (tm->log)
        (void)clfs_log_close(tm->log);
    tm->area = NULL;
    tm->log = NULL;
    ktm_abandon(&tm->core);
    atomic_store(&tm->object.holds, 0);
    sys_mutex_lock(&tm->mutex);
    tm_destroy_if_over(tm);
}

void
engine_destroy(struct engine *engine)
{
    struct engine *expected = engine;

    atomic_compare_exchange_strong(&instance, &expected, NULL);
    timers_deinit(&engine->timers);
    while (!list_is_empty(&engine->tms)) {
        struct engine_tm *tm = list_first(&engine->tms, struct engine_tm, in_engine);

        list_remove(&tm->in_engine);
        tm_abandon(tm);
    }
    tm_abandon(engine->nursery);
    sys_mutex_deinit(&engine->mutex);
    sys_mutex_deinit(&engine->attaching);
    freeze_deinit(&engine->freeze);
    free(engine);
}
