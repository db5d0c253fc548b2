/* SPDX-License-Identifier: MIT */
/*
 * Transactions over several TMs [BR-01..06].
 *
 *          TM A, the root                              TM B
 *    transaction ── link ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ superior ── branch ── enlistments of B's RMs
 *
 * The branch is a transaction of B with the same UOW. Its superior is an enlistment, in B, of an
 * internal RM whose GUID is A's identity; the link is an enlistment, in the root, of an internal RM
 * whose GUID is B's. Both have the UOW as their GUID, so each finds the other by what the logs of
 * both TMs say, in this life and the next. To the core they are a superior and a participant like
 * any other: the internal RMs are callbacks that request in one TM what they are told in the other.
 *
 * So B forces PREPARE before the link answers PREPARE, A forces COMMIT before the link is told, and
 * B its COMMIT before the link answers that [BR-03]. After a crash the root's log decides: a branch
 * in doubt whose root knows no link to it was never committed [BR-04]. A TM that is closed is, to
 * all others, a resource manager that is closed.
 *
 * Locks: no two TMs are ever locked together; between looking and asking anything may happen, and
 * every request may come too late. Then the other side has been told, or will be, what to do.
 */
#pragma once

#include "engine/inner.h"

/* ---- span.c ---- */

enum half { HALF_LINK, HALF_SUPERIOR };

/* The internal RM that stands, in 'tm', for the TM of that identity; or NULL. Under the TM's lock.
 */
struct resource_manager *span_rm(const struct engine_tm *tm, const GUID *identity);
/* The half of the transaction of that UOW, in 'tm', that belongs to a half in the TM of the
 * identity 'other'; or NULL. Under the TM's lock. */
struct enlistment *span_half(const struct engine_tm *tm, const GUID *other, const GUID *uow,
                             enum half half);

struct peer {
    enum {
        PEER_AWAY, /* its TM is not there, or not recovered: nobody knows */
        PEER_OVER, /* its TM knows it no more, or has nothing to do for it any more */
        PEER_HERE,
    } where;
    struct enlistment *en; /* held; NULL: there is none */
};

/* The other half of 'en', wherever it is. With no lock held. */
struct peer span_peer(const struct enlistment *en);

static inline void
owned_peer_release(struct peer *peer)
{
    if (peer->en)
        engine_release(&peer->en->object);
}
