/* SPDX-License-Identifier: MIT */
/* What the files of the world share. */
#pragma once

#include "tests/engine/world.h"

#define EACH_EN_OF(en, world, whose, member)                                                       \
    for (struct world_en *en = (world)->ens; en < (world)->ens + WORLD_ENS; en++)                  \
        if (!en->exists || en->member != (whose))                                                  \
            continue;                                                                              \
        else

/* ---- world_judge.c ---- */

/* Somebody has said so; it must not be the opposite of what was said before. */
void become_committed(struct world *world, struct world_tx *tx, const char *who);
void become_aborted(struct world *world, struct world_tx *tx, const char *who);
/* An enlistment that owed the answer to 'owed' has sent 'event', and was answered 'status'
 * [INV-07]. */
void judge_answer(struct world *world, const struct world_en *en, int event, uint32_t owed,
                  NTSTATUS status);
/* One notification has arrived. */
void hear(struct world *world, struct world_rm *rm, void *key, uint32_t what, int64_t clock,
          const void *argument);

/* ---- world.c ---- */

/* Those RMs that answer everything say yes now. */
void answer_at_once(struct world *world);
