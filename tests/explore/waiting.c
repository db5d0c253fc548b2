/* SPDX-License-Identifier: MIT */
/* Queues and waits: who sleeps is woken, each notification reaches exactly one, and closing ends
 * every wait. */
#include "tests/explore/cast.h"

#include <poll.h>

static bool is_volatile;

static void
begin(void)
{
    cast_begin(is_volatile);
    for (unsigned i = 0; i < 2; i++)
        cast_rm_queue(i);
    for (unsigned i = 0; i < 2; i++) {
        struct act *act = cast_act(i, 0);

        cast_enlist(act, &cast.rms[i], CAST_TWO);
        cast_enlist(act, &cast.rms[0], CAST_FULL);
    }
    cast_crash_somewhere();
}

static void
serves(void *argument)
{
    cast_rm_serve(&cast.rms[argument ? 1 : 0]);
}

static unsigned clients;

/* The last client closes the resource managers: only then do the servers end. */
static void
client_ends(void)
{
    if (++clients < 2)
        return;
    for (unsigned i = 0; i < 2; i++) {
        struct cast_rm *rm = &cast.rms[i];

        rm->has_handle = false;
        engine_handle_close(rm->rm);
    }
}

static bool
is_over(const struct act *act)
{
    for (unsigned i = 0; i < act->part_count; i++)
        if (act->parts[i].memory != MEMORY_COMMITTED && act->parts[i].memory != MEMORY_ABORTED)
            return false;
    return true;
}

static void
commits(void *argument)
{
    struct act *act = argument;
    NTSTATUS status = cast_commit(act, true);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED);
    if (status != STATUS_SUCCESS)
        EXPECT_OK(cast_rollback(act, true)); /* SIG-06: all answers are in */
    EXPECT(is_over(act));
    client_ends();
}

static void
rolls_back(void *argument)
{
    struct act *act = argument;

    EXPECT_OK(cast_rollback(act, true));
    EXPECT(is_over(act)); /* TX-ROLLBACK-02 */
    client_ends();
}

static void
begin_clients(void)
{
    clients = 0;
    begin();
}

TEST(servers_of_queues_and_clients_that_wait) /* SIG-05 SIG-06 NOTIF-GET-03 NOTIF-GET-15 INV-15 */
{
    static const struct explore_program program = {.begin = begin_clients,
                                                   .threads = {{serves, NULL},
                                                               {serves, NULL},
                                                               {serves, &cast},
                                                               {commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]}},
                                                   .end = cast_end};

    for (int i = 0; i < 2; i++) {
        is_volatile = i;
        explore(&program);
    }
}

TEST(servers_of_queues_and_rollbacks_that_wait) /* SIG-06 TX-ROLLBACK-02 NOTIF-GET-13 INV-15 */
{
    static const struct explore_program program = {.begin = begin_clients,
                                                   .threads = {{serves, NULL},
                                                               {serves, &cast},
                                                               {commits, &cast.acts[0]},
                                                               {rolls_back, &cast.acts[1]}},
                                                   .end = cast_end};

    for (int i = 0; i < 2; i++) {
        is_volatile = i;
        explore(&program);
    }
}

/* ---- descriptors ---- */

static void
begin_descriptor(void)
{
    is_volatile = true;
    begin_clients();
    clients = 1;
}

/* Serves RM 0 by its descriptor: it says when there is something, and when the end has come. */
static void
serves_by_descriptor(void *argument)
{
    struct cast_rm *rm = &cast.rms[0];
    NTSTATUS status = STATUS_SUCCESS;
    int fd;

    (void)argument;
    EXPECT_OK(engine_wait_fd(rm->rm, &fd));
    while (status != STATUS_TRANSACTION_OBJECT_EXPIRED) {
        TRANSACTION_NOTIFICATION note[3];
        uint32_t length;

        EXPECT(sys_event_wait(&fd, 1, SYS_FOREVER)); /* INV-15 */
        status = engine_rm_get_notification(rm->rm, note, sizeof(note), 0, &length);
        EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_TRANSACTION_OBJECT_EXPIRED);
        if (status == STATUS_SUCCESS && note->TransactionKey) {
            struct part *part = note->TransactionKey;

            cast_hear(part, part->en, note->TransactionNotification);
        }
    }
}

TEST(a_queue_that_is_served_by_its_descriptor) /* OBJ-19 SIG-01 NOTIF-GET-15 */
{
    static const struct explore_program program = {
        .begin = begin_descriptor,
        .threads = {{serves_by_descriptor, NULL}, {serves, NULL}, {commits, &cast.acts[0]}},
        .end = cast_end};

    explore(&program);
}

/* ---- an end to all waiting ---- */

static void
waits_for_tx(void *argument)
{
    NTSTATUS status = engine_wait(cast.acts[argument ? 1 : 0].tx, SYS_FOREVER);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
waits_for_rm(void *argument)
{
    NTSTATUS status = engine_wait(cast.rms[0].rm, SYS_FOREVER);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
waits_in_time(void *argument)
{
    NTSTATUS status = engine_wait(cast.acts[1].tx, sys_now() + 1000000000);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

static void
commits_in_vain(void *argument)
{
    NTSTATUS status = cast_commit(argument, true);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

static void
begin_closing(void)
{
    is_volatile = explore_draw(2);
    begin();
    cast.rms_may_close = true;
}

TEST(closing_the_tm_ends_every_wait) /* CLOSE-TM-01 CLOSE-TM-03 NOTIF-GET-15 INV-15 */
{
    static const struct explore_program program = {.begin = begin_closing,
                                                   .threads = {{waits_for_tx, &cast},
                                                               {serves, NULL},
                                                               {serves, &cast},
                                                               {commits_in_vain, &cast.acts[0]},
                                                               {closes_tm, NULL},
                                                               {waits_in_time, NULL}},
                                                   .end = cast_end};

    explore(&program);
}

/* ---- opened again while somebody waits for what was closed ---- */

static void
closes_and_opens_rm(void *argument)
{
    struct object *again = NULL;

    (void)argument;
    cast_rm_close(&cast.rms[0]);
    if (cast_try_rm(0, &again) == STATUS_SUCCESS)
        engine_handle_close(again);
}

static void
begin_adopted(void)
{
    is_volatile = false;
    begin();
    cast.rms_may_close = true;
}

TEST(who_waits_for_an_rm_does_not_wait_for_its_successor) /* NOTIF-GET-15 CLOSE-RM-02 INV-15 */
{
    static const struct explore_program program = {.begin = begin_adopted,
                                                   .threads = {{serves, NULL},
                                                               {waits_for_rm, NULL},
                                                               {commits_in_vain, &cast.acts[1]},
                                                               {closes_and_opens_rm, NULL},
                                                               {serves, &cast},
                                                               {closes_tm, NULL}},
                                                   .end = cast_end};

    explore(&program);
}
