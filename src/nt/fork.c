/* SPDX-License-Identifier: MIT */
/*
 * Fork: a child begins anew.
 *
 * It has a copy of all memory, but neither the threads that were changing it nor the locks on the
 * logs. So everything of the parent is forgotten, not freed: handles are INVALID_HANDLE in the
 * child, pointers answer TRANSACTION_OBJECT_EXPIRED, names are free, and the first call makes an
 * instance of the child's own. The parent does not notice (decision 0023).
 */
#include "clfs/clfs.h"
#include "engine/engine.h"
#include "nt/clfs_object.h"
#include "nt/handle.h"
#include "nt/name.h"
#include "nt/nt.h"
#include "nt/own.h"
#include "sys/thread.h"

static void
begin_anew(void)
{
    clfs_begin_anew();
    engine_begin_anew();
    own_begin_anew();
    name_begin_anew();
    handle_begin_anew();
    clfs_object_begin_anew();
    clfs_file_begin_anew();
}

void
nt_watch_forks(void)
{
    static bool is_watching;

    if (is_watching)
        return;
    is_watching = true;
    sys_on_fork(begin_anew);
}
