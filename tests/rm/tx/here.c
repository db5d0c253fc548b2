/* SPDX-License-Identifier: MIT */
/* Branches of the application's own threads, without TX. */
#include <pthread.h>

#include "ktm_rm.h"
#include "tests/rm/tx/scene.h"

static struct ktm_xa_rm *
open_here(struct scene *scene, enum ktm_rm_mode mode)
{
    struct ktm_xa_options options = {.mode = mode,
                                     .patience_ms = UINT32_MAX,
                                     .timeout_ms = 5000,
                                     .is_unchecked = TRUE,
                                     .rmid = 1};
    struct ktm_xa_rm *rm;
    char spec[512], why[1024];

    scene_set(scene, "toy_xa_switch");
    snprintf(spec, sizeof(spec), "%s/tests/xa-toy.so:toy_xa_switch", test_build());
    EXPECT_OK(ktm_xa_open(NULL, scene->home, spec, scene->store, &options, why, sizeof(why), &rm));
    EXPECT_EQ(1, ktm_xa_rmid(rm));
    return rm;
}

TEST(who_has_not_entered_begins_nothing)
{
    struct scene scene;
    struct ktm_xa_rm *rm = open_here(&scene, KTM_RM_CALLBACKS);
    struct ktm_xa_tx *tx;

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_xa_begin_here(rm, NULL, &tx));
    EXPECT_OK(ktm_xa_enter(rm));
    EXPECT_OK(ktm_xa_begin_here(rm, NULL, &tx));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, ktm_xa_leave(rm)); /* it is in a branch */
    EXPECT_EQ(0, scene_work(1));
    EXPECT_OK(ktm_xa_commit(tx));
    ktm_xa_close(tx);
    EXPECT(scene_has(&scene, 1));
    EXPECT_OK(ktm_xa_leave(rm));
    ktm_xa_shut(rm);
}

/* The kit's thread commits: it can only what the specification lets another process do. */
TEST(another_thread_can_prepare_what_was_ended_and_nothing_else)
{
    struct scene scene;
    struct ktm_xa_rm *rm = open_here(&scene, KTM_RM_THREAD);
    struct ktm_xa_tx *tx;
    char why[1024];

    EXPECT_OK(ktm_xa_enter(rm));
    EXPECT_OK(ktm_xa_begin_here(rm, NULL, &tx));
    EXPECT_EQ(0, scene_work(1));
    EXPECT_OK(ktm_xa_end(tx));
    EXPECT_OK(ktm_xa_commit(tx));
    EXPECT_EQ(KTM_XA_COMMITTED, ktm_xa_state(tx));
    EXPECT(scene_has(&scene, 1));
    EXPECT_EQ(0, scene_count(&scene, "prepare")); /* a helper has said it */
    ktm_xa_close(tx);

    EXPECT_OK(ktm_xa_begin_here(rm, NULL, &tx));
    EXPECT_EQ(0, scene_work(2));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_xa_commit(tx));
    ktm_xa_error(tx, why, sizeof(why));
    EXPECT(strstr(why, "ktm_xa_end") != NULL);
    EXPECT_EQ(0, scene_count(&scene, "rollback"));
    ktm_xa_close(tx); /* here this thread says it */
    EXPECT_EQ(1, scene_count(&scene, "rollback"));
    EXPECT(!scene_has(&scene, 2));
    EXPECT_OK(ktm_xa_leave(rm));
    ktm_xa_shut(rm);
}

static void *
end_elsewhere(void *tx)
{
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_xa_end(tx));
    return NULL;
}

TEST(a_branch_is_of_one_thread)
{
    struct scene scene;
    struct ktm_xa_rm *rm = open_here(&scene, KTM_RM_CALLBACKS);
    struct ktm_xa_tx *tx, *other;
    pthread_t thread;

    EXPECT_OK(ktm_xa_enter(rm));
    EXPECT_OK(ktm_xa_begin_here(rm, NULL, &tx));
    EXPECT_EQ(0, pthread_create(&thread, NULL, end_elsewhere, tx));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    /* One at a time in a thread, and not in a helper as well. */
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_xa_begin_here(rm, NULL, &other));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_xa_begin(rm, ktm_xa_transaction(tx), &other));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_xa_call(tx, "a.so:f", NULL, 0, NULL, 0, NULL));
    EXPECT_OK(ktm_xa_rollback(tx));
    ktm_xa_close(tx);
    EXPECT_OK(ktm_xa_leave(rm));
    ktm_xa_shut(rm);
}
