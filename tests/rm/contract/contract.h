/* SPDX-License-Identifier: MIT */
/*
 * What every resource manager must pass, written once (contract.c, crowd.c), run for each of them.
 *
 * To add one: write on_NAME.c with a 'const struct contract contract_NAME' of the functions below,
 * and its line in the list of play.c; tests/rm/CMakeLists.txt builds it when its library is built.
 * A test is then called rm/contract/<file>/<title>/<NAME>. A function that may be NULL stands for
 * something the resource does not have; there are no tests of it then that are about that.
 *
 * The resource keeps items, each a number, which are there or are not. The work of a transaction
 * makes an item be there. Whoever looks from outside sees what is committed.
 *
 * Beside the resource manager a witness takes part, a durable one in files of the play's own
 * directory, which remembers items in the same way. After every kill, and a recovery, both must
 * have the same items.
 */
#pragma once

#include "ktm_rm.h"
#include "tests/test.h"
#include "wdm.h"

struct contract {
    const char *name;
    unsigned at_once; /* so many transactions that change something can be under way, at most 200;
                         0: one waits for the other */
    /* The resource, empty, in this directory, of which it may do what it likes; a server is
     * started. NULL from 'create': it is not on this machine. */
    void *(*create)(const char *directory);
    void (*destroy)(void *resource);
    /* The resource manager, in this process; the same resource may be opened in a child. Its state
     * is in the home. */
    NTSTATUS(*open)
    (void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode, uint32_t patience_ms);
    void (*close)(void *resource);
    struct ktm_rm *(*kit)(void *resource);
    /* Takes part; with 'change' the item is there if the transaction commits, else it is only
     * looked at. Any thread. */
    NTSTATUS (*work)(void *resource, HANDLE transaction, unsigned item, bool change);
    /* From outside. */
    bool (*is_there)(void *resource, unsigned item);
    /* How many branches are prepared, as the resource itself sees it. May be NULL. */
    size_t (*prepared)(void *resource);
    /* SIGKILL to the server, from any process that has the resource; and its new start, by the
     * process that made it. May be NULL: there is no server. */
    void (*kill)(void *resource);
    void (*again)(void *resource);
    /* An administrator ends the one branch that is prepared, by a rollback; and whether the
     * resource manager has told of such a thing. May be NULL. */
    void (*interfere)(void *resource);
    bool (*was_told)(void *resource);
};

/* ---- the tests ---- */

/* What a resource must have for a test: many transactions at once; a server that can be killed, and
 * asked what is prepared; somebody who can end what is prepared. */
enum contract_needs { NEEDS_NOTHING, NEEDS_MANY, NEEDS_SERVER, NEEDS_INTERFERENCE };

typedef void contract_test(const struct contract *contract);
void contract_register(const char *title, const char *file, int line, contract_test *run,
                       enum contract_needs needs);

/* A test of every resource manager; a function body with 'contract' follows. The second one: of
 * those that have what it needs. */
#define CONTRACT(title) CONTRACT_WITH(NEEDS_NOTHING, title)
#define CONTRACT_WITH(needs, title)                                                                \
    static void contract_##title(const struct contract *contract);                                 \
    static void __attribute__((constructor)) register_##title(void)                                \
    {                                                                                              \
        contract_register(#title, __FILE__, __LINE__, contract_##title, needs);                    \
    }                                                                                              \
    static void contract_##title(const struct contract *contract)

/* ---- the play ---- */

enum victim { CLIENT = 1, SERVER = 2, BOTH = 3 };
enum moment { AT_BEGIN, AT_WORK, AT_PREPARE, AT_COMMIT, AT_END, MOMENTS, NEVER = MOMENTS };

struct play {
    const struct contract *contract;
    void *resource;
    char directory[512], home[600];
    HANDLE tm;
    struct ktm_rm *witness;
    uint64_t incarnation;
    enum ktm_rm_mode mode;
    uint32_t patience_ms;
    /* What happens in the transactions that follow. */
    _Atomic bool refuses; /* the witness votes no */
    bool witness_first;   /* it is asked and told before the resource manager */
    enum moment moment;   /* when somebody dies: at the vote and at the outcome of the witness */
    enum victim victim;
    void (*look)(struct play *play, enum moment moment); /* at every moment; may be NULL */
};

void play_create(struct play *play, const struct contract *contract);
void play_open(struct play *play);
void play_close(struct play *play);
void play_destroy(struct play *play);
/* Both take part in a transaction of the caller's; it has 512 of these. */
NTSTATUS play_join(struct play *play, HANDLE transaction, unsigned item);
/* One transaction over both, with this item. Answers: as NtCommitTransaction. */
NTSTATUS play_transaction(struct play *play, unsigned item);
/* The same in a process of its own, which opens, may die, and closes. */
void play_in_child(struct play *play, unsigned item);
bool play_witness_has(struct play *play, unsigned item);
/* After an open: both have it, or neither has; nothing is prepared and nothing unfinished. Whether
 * it is there. */
bool play_agrees(struct play *play, unsigned item);
