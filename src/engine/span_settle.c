/* SPDX-License-Identifier: MIT */
/* TMs come and go under transactions that span them: what is closed is told to the others, what
 * comes back is settled with them [BR-04]. And what the transactions look like from outside. */
#include "engine/span.h"

/* The TMs in order of their making: the next one that is not 'tm', held; NULL: none. Lets go of
 * 'after'. */
static struct engine_tm *
next_other(const struct engine_tm *tm, struct engine_tm *after)
{
    struct engine_tm *next, *found = NULL;

    sys_mutex_lock(&tm->engine->mutex);
    LIST_EACH (next, &tm->engine->tms, in_engine)
        if (!found && next != tm && (!after || next->number > after->number))
            found = next;
    if (found)
        engine_hold(&found->object);
    sys_mutex_unlock(&tm->engine->mutex);
    if (after)
        engine_release(&after->object);
    return found;
}

/* To the other, its RM has been closed [CLOSE-RM-01, CLOSE-EN-05..09]. */
static void
tell_closed(struct engine_tm *other, const struct engine_tm *tm)
{
    struct resource_manager *rm;
    struct run run;

    run_begin_tm(&run, other);
    rm = span_rm(other, &tm->core.identity);
    if (rm && other->core.state != KTM_CLOSED) {
        engine_hold(&rm->object);
        run_close_rm(&run, rm);
        run_release(&run, &rm->object);
    }
    run_end(&run);
}

void
span_tm_closed(const struct engine_tm *tm)
{
    struct engine_tm *other = NULL;

    while ((other = next_other(tm, other)))
        tell_closed(other, tm);
}

/* What 'tm' has to settle with the other: the next half behind 'after' that nobody speaks for,
 * held; NULL: none. Lets go of 'after', which is held, so it is still in its place. */
static struct enlistment *
next_unsettled(struct engine_tm *tm, const struct engine_tm *other, enum half half,
               struct enlistment *after)
{
    struct enlistment *found = NULL;
    struct resource_manager *rm;
    struct list *at = NULL;

    sys_mutex_lock(&tm->mutex);
    rm = tm->core.state == KTM_ONLINE ? span_rm(tm, &other->core.identity) : NULL;
    if (rm) {
        span_rm_open(rm);
        at = after ? &after->in_rm : &rm->en_list;
        for (at = at->next; at != &rm->en_list && !found; at = at->next) {
            struct enlistment *en = container_of(at, struct enlistment, in_rm);

            if (en->is_superior == (half == HALF_SUPERIOR) && en->state != EN_FINISHED)
                found = en;
        }
    }
    if (found)
        engine_hold(&found->object);
    sys_mutex_unlock(&tm->mutex);
    if (after)
        engine_release(&after->object);
    return found;
}

static bool
knows_link(struct engine_tm *root, const struct engine_tm *other, const GUID *uow)
{
    bool knows;

    sys_mutex_lock(&root->mutex);
    knows =
        root->core.state != KTM_ONLINE || span_half(root, &other->core.identity, uow, HALF_LINK);
    sys_mutex_unlock(&root->mutex);
    return knows;
}

/* Both are Online: what the root has decided its branches hear; and a branch that the root knows
 * nothing of was never committed [BR-04]. A half that has an owner already refuses. */
static void
settle(struct engine_tm *root, struct engine_tm *branch)
{
    struct enlistment *en = NULL;

    if (branch->core.state != KTM_ONLINE || root->core.state != KTM_ONLINE)
        return;
    while ((en = next_unsettled(branch, root, HALF_SUPERIOR, en)))
        (void)engine_en_recover(&en->object, NULL);
    while ((en = next_unsettled(root, branch, HALF_LINK, en)))
        (void)engine_en_recover(&en->object, NULL);
    while ((en = next_unsettled(branch, root, HALF_SUPERIOR, en)))
        if (en->tx->state == TX_INDOUBT && !knows_link(root, branch, &en->link.guid))
            (void)engine_en_request(&en->object, KTM_EN_ROLLBACK, NULL);
}

void
span_tm_online(struct engine_tm *tm)
{
    struct engine_tm *other = NULL;

    while ((other = next_other(tm, other))) {
        settle(tm, other);
        settle(other, tm);
    }
}

/* ---- looking ---- */

bool
span_is_kin(const struct transaction *a, const struct transaction *b)
{
    const GUID *root_of_a =
        transaction_is_branch(a) ? &a->superior->rm->link.guid : &tm_of_ktm(a->ktm)->core.identity;
    const GUID *root_of_b =
        transaction_is_branch(b) ? &b->superior->rm->link.guid : &tm_of_ktm(b->ktm)->core.identity;

    return guid_equal(root_of_a, root_of_b);
}

/* The next link of the root behind 'after', held; NULL: none. Lets go of 'after'. */
static struct enlistment *
next_link(struct object *root, struct enlistment *after)
{
    struct list *list = &AS_TX(root)->enlistments, *at = after ? &after->in_tx : list;
    struct enlistment *found = NULL;
    struct run run;

    run_begin(&run, root);
    for (at = at->next; at != list && !found; at = at->next) {
        struct enlistment *en = container_of(at, struct enlistment, in_tx);

        if (en->rm->is_branch && !en->is_superior)
            found = en;
    }
    if (found)
        engine_hold(&found->object);
    run_end(&run);
    if (after)
        engine_release(&after->object);
    return found;
}

void
span_enlistments(struct object *root, void (*each)(void *context, const struct enlistment *en),
                 void *context)
{
    struct enlistment *link = NULL;
    const struct enlistment *en;
    struct run run;

    while ((link = next_link(root, link))) {
        owned(peer_release) struct peer superior = span_peer(link);

        if (!superior.en)
            continue;
        run_begin(&run, &superior.en->object);
        LIST_EACH (en, &superior.en->tx->enlistments, in_tx)
            if (!en->is_superior)
                each(context, en);
        run_end(&run);
    }
}
