/* SPDX-License-Identifier: MIT */
/*
 * What several managers do at once on one thread.
 *
 * While a round is open on a thread, a branch that is asked to prepare or to commit only begins:
 * its author sends what its server shall do, and does not wait. When everybody who is asked has
 * begun, the round finishes them, so that servers and disks work at the same time. What is asked
 * meanwhile, as the commits after the last vote, joins the round.
 *
 * A commit that waits is a round of the thread that commits, for those whom it calls back; working
 * off the queue is one of the thread that does so. An author's function may commit something else:
 * that is a round within the round, and leaves the outer one alone.
 */
#include "rm/kit/kit.h"

static _Thread_local struct list begun; /* the innermost round's last */
static _Thread_local unsigned depth;

void
begun_open(void)
{
    if (depth++ == 0)
        list_init(&begun);
}

void
begun_close(void)
{
    while (begun_finish_one())
        continue;
    depth--;
}

void
begun_install(void)
{
    sys_put_off_by(begun_open, begun_close);
}

bool
begun_is_open(void)
{
    return depth > 0;
}

/* The first of this round; NULL: there is none. */
static struct branch *
first(void)
{
    struct branch *branch;

    if (depth > 0)
        LIST_EACH (branch, &begun, in_begun)
            if (branch->round == depth)
                return branch;
    return NULL;
}

void
begun_add(struct branch *branch, PKENLISTMENT object)
{
    struct branch *before = branch->rm->author.begin ? NULL : first();
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    branch->references++;
    sys_mutex_unlock(&rm->mutex);
    kit_hold(rm);
    if (object)
        ObReferenceObject(object);
    branch->begun_object = object;
    branch->round = depth;
    /* Who has sent nothing works while the others' servers do. */
    list_append(before ? &before->in_begun : &begun, &branch->in_begun);
}

bool
begun_finish_one(void)
{
    struct branch *branch = first();
    PKENLISTMENT object;
    struct ktm_rm *rm;

    if (!branch)
        return false;
    list_remove(&branch->in_begun);
    rm = branch->rm;
    object = branch->begun_object;
    branch_finish_begun(branch, object);
    if (object)
        ObDereferenceObject(object);
    branch_release(branch);
    kit_let_go(rm);
    return true;
}
