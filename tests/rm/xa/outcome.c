/* SPDX-License-Identifier: MIT */
/* What becomes of branches, whatever the switch answers; and of helpers that die or hang. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/rm/xa/scene.h"

TEST(committed_work_is_there_and_rolled_back_work_is_not)
{
    struct scene scene;
    struct ktm_xa_tx *tx;

    scene_set(&scene);
    scene_open(&scene);
    EXPECT_OK(scene_commit(&scene, 1));
    EXPECT(scene_has(&scene, 1));
    tx = scene_work(&scene, 2);
    EXPECT_OK(ktm_xa_rollback(tx));
    EXPECT_EQ(KTM_XA_ROLLED_BACK, ktm_xa_state(tx));
    ktm_xa_close(tx);
    EXPECT(!scene_has(&scene, 2));
    ktm_xa_close(scene_work(&scene, 3)); /* dropped */
    EXPECT(!scene_has(&scene, 3));
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(3, scene_count(&scene, "start"));
    scene_close(&scene);
}

TEST(the_name_of_a_branch_tells_transaction_manager_and_enlistment)
{
    struct scene scene;
    struct ktm_xa_tx *tx;
    TRANSACTION_BASIC_INFORMATION info;
    XID xid;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene);
    ktm_xa_xid(tx, &xid);
    EXPECT_EQ(0x4b544d31, xid.formatID);
    EXPECT_EQ(16, xid.gtrid_length);
    EXPECT_EQ(40, xid.bqual_length);
    EXPECT_OK(NtQueryInformationTransaction(ktm_xa_transaction(tx), TransactionBasicInformation,
                                            &info, sizeof(info), NULL));
    EXPECT_BYTES(&info.TransactionId, xid.data, 16);
    EXPECT(memcmp(xid.data + 32, &(GUID){.Data1 = 0}, 16) != 0); /* the enlistment's */
    ktm_xa_close(tx);
    scene_close(&scene);
}

TEST(an_empty_branch_votes_read_only)
{
    struct scene scene;
    struct ktm_xa_tx *tx;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene);
    EXPECT_OK(ktm_xa_commit(tx));
    EXPECT_EQ(KTM_XA_READ_ONLY, ktm_xa_state(tx));
    EXPECT_EQ(1, scene_count(&scene, "prepare"));
    EXPECT_EQ(0, scene_count(&scene, "commit"));
    ktm_xa_close(tx);
    scene_close(&scene);
}

/* With TMREGISTER, what was never registered is not even prepared. */
TEST(a_switch_may_register_its_branches)
{
    struct scene scene;
    struct ktm_xa_tx *tx;

    scene_set(&scene);
    scene_library(scene.spec, "tests/xa-toy.so:toy_register_xa_switch");
    scene_open(&scene);
    EXPECT_OK(scene_commit(&scene, 1));
    EXPECT(scene_has(&scene, 1));
    EXPECT_EQ(0, scene_count(&scene, "start"));
    EXPECT_EQ(1, scene_count(&scene, "end"));
    tx = scene_begin(&scene);
    EXPECT_OK(ktm_xa_commit(tx));
    EXPECT_EQ(KTM_XA_READ_ONLY, ktm_xa_state(tx));
    ktm_xa_close(tx);
    tx = scene_begin(&scene);
    EXPECT_OK(ktm_xa_rollback(tx));
    ktm_xa_close(tx);
    EXPECT_EQ(1, scene_count(&scene, "prepare"));
    EXPECT_EQ(1, scene_count(&scene, "end"));
    EXPECT_EQ(0, scene_count(&scene, "rollback"));
    scene_close(&scene);
}

/* ---- answers to the vote ---- */

TEST(a_switch_that_rolls_back_says_why)
{
    static const struct {
        const char *order, *words;
    } rows[] = {
        {"prepare 102 1", "XA_RBDEADLOCK"}, {"prepare 103 1", "XA_RBINTEGRITY"},
        {"prepare -3 1", "XAER_RMERR"},     {"prepare -6 1", "XAER_PROTO"},
        {"end 106 1", "XA_RBTIMEOUT"},      {"end -7 1", "XAER_RMFAIL"},
        {"prepare exit 1", "exit(7)"},      {"end exit 1", "exit(7)"},
        {"prepared exit 1", "exit(7)"},     {"prepare -7 1", "XAER_RMFAIL"},
    };
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    EACH (row, rows) {
        struct ktm_xa_tx *tx = scene_work(&scene, 7);
        char why[1024];

        scene_order(&scene, row->order);
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_xa_commit(tx));
        EXPECT_EQ(KTM_XA_ROLLED_BACK, ktm_xa_state(tx));
        ktm_xa_error(tx, why, sizeof(why));
        if (!strstr(why, row->words))
            test_fail(__FILE__, __LINE__, "'%s' has no '%s'", why, row->words);
        ktm_xa_close(tx);
        EXPECT_EQ(0, scene_prepared(&scene)); /* also what died when it was prepared already */
        EXPECT(!scene_has(&scene, 7));
    }
    EXPECT_OK(scene_commit(&scene, 8)); /* and it goes on */
    EXPECT(scene_has(&scene, 8));
    scene_close(&scene);
}

TEST(what_cannot_begin_leaves_a_sentence)
{
    struct scene scene;
    struct ktm_xa_tx *tx;
    char why[1024];

    scene_set(&scene);
    scene_open(&scene);
    scene_order(&scene, "start 4 1");
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, ktm_xa_begin(scene.rm, NULL, &tx));
    ktm_xa_why(scene.rm, why, sizeof(why));
    EXPECT(strstr(why, "XA_RETRY") != NULL);
    scene_order(&scene, "start -9 1");
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_xa_begin(scene.rm, NULL, &tx));
    /* A helper that dies or finds its resource gone is tried once more by a new one. */
    scene_order(&scene, "start exit 1");
    EXPECT_OK(scene_commit(&scene, 1));
    scene_order(&scene, "start -7 1");
    EXPECT_OK(scene_commit(&scene, 2));
    scene_order(&scene, "start exit 2");
    EXPECT_STATUS(STATUS_RM_DISCONNECTED, ktm_xa_begin(scene.rm, NULL, &tx));
    scene_close(&scene);
}

/* ---- answers to the outcome ---- */

TEST(every_answer_to_commit_has_its_meaning)
{
    static const struct {
        const char *order;
        bool is_there;         /* in the end */
        enum ktm_xa_kind kind; /* 0: nothing is said */
        int code;
        bool is_forgotten;
    } rows[] = {
        {"commit 4 3", true, KTM_XA_UNFINISHED, XA_RETRY, false},
        {"commit -7 2", true, KTM_XA_UNFINISHED, XAER_RMFAIL, false},
        {"commit -6 2", true, KTM_XA_UNFINISHED, XAER_PROTO, false},
        {"commit -4 1", true, KTM_XA_UNFINISHED, XAER_NOTA, false}, /* and it is listed */
        {"commit 55 1", true, KTM_XA_UNFINISHED, 55, false},        /* no code of XA */
        {"commit exit 1", true, 0, 0, false},
        {"committed exit 1", true, 0, 0, false}, /* it was done, and the answer was lost */
        {"commit 7 1", false, KTM_XA_HEURISTIC, XA_HEURCOM, true},
        {"commit 6 1", false, KTM_XA_DAMAGED, XA_HEURRB, true},
        {"commit 5 1", false, KTM_XA_DAMAGED, XA_HEURMIX, true},
        {"commit 8 1", false, KTM_XA_DAMAGED, XA_HEURHAZ, true},
        {"commit 100 1", false, KTM_XA_DAMAGED, XA_RBROLLBACK, false},
        {"commit -3 1", false, KTM_XA_DAMAGED, XAER_RMERR, false},
    };

    EACH (row, rows) {
        unsigned item = (unsigned)(row - rows) + 1, said = 0;
        static struct scene scene;

        if (item == 1)
            scene_set(&scene);
        scene_open(&scene);
        memset(scene.reports, 0, sizeof(scene.reports));
        unsigned forgotten = scene_count(&scene, "forget");
        scene_order(&scene, row->order);
        EXPECT_OK(scene_commit(&scene, item));
        EXPECT_EQ(row->is_there, scene_has(&scene, item));
        EXPECT_EQ(0, scene_prepared(&scene));
        EXPECT_EQ(0, scene_remembered(&scene));
        for (size_t i = 0; i < ARRAY_SIZE(scene.reports); i++)
            said += scene.reports[i];
        EXPECT_EQ(row->kind ? 1 : 0, said);
        if (row->kind) {
            EXPECT_EQ(1, scene.reports[row->kind]);
            EXPECT_EQ(row->code, scene.code);
        }
        EXPECT_EQ(forgotten + row->is_forgotten, scene_count(&scene, "forget"));
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_xa_kit(scene.rm)));
        scene_close(&scene);
    }
}

/* An administrator has removed it: nobody can say that it was committed. */
TEST(a_branch_that_is_gone_at_the_first_commit_is_damage)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    scene_order(&scene, "commit lose 1");
    scene_order(&scene, "prepare lose 1");
    EXPECT_OK(scene_commit(&scene, 1)); /* lost twice: nobody has noticed */
    scene_order(&scene, "prepare lose 1");
    EXPECT_OK(scene_commit(&scene, 2));
    EXPECT_EQ(1, scene.reports[KTM_XA_DAMAGED]);
    EXPECT_EQ(XAER_NOTA, scene.code);
    scene_close(&scene);
}

TEST(a_helper_that_hangs_stops_nobody)
{
    struct scene scene;
    struct ktm_xa_tx *tx;
    char why[1024];

    scene_set(&scene);
    scene.options.timeout_ms = 300;
    scene_open(&scene);
    scene_order(&scene, "commit hang 1");
    EXPECT_OK(scene_commit(&scene, 1));
    EXPECT(scene_has(&scene, 1));
    tx = scene_work(&scene, 2);
    scene_order(&scene, "prepare hang 1");
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_xa_commit(tx));
    ktm_xa_error(tx, why, sizeof(why));
    EXPECT(strstr(why, "did not answer") != NULL);
    ktm_xa_close(tx);
    EXPECT_OK(scene_commit(&scene, 3));
    scene_close(&scene);
}

/* ---- work ---- */

static void
function(char into[512], const char *name)
{
    char file[100];

    snprintf(file, sizeof(file), "tests/xa-toy.so:%s", name);
    scene_library(into, file);
}

TEST(work_in_the_helper_gets_and_gives_bytes)
{
    static const char in[] = "some\0bytes";
    struct scene scene;
    struct ktm_xa_tx *tx;
    char name[512], out[32], *large = calloc(1, KTM_XA_CALL_SIZE);
    size_t got;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene);
    function(name, "toy_echo");
    EXPECT_OK(ktm_xa_call(tx, name, in, sizeof(in), out, sizeof(out), &got));
    EXPECT_EQ(sizeof(in), got);
    EXPECT_BYTES(in, out, sizeof(in));
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, ktm_xa_call(tx, name, in, sizeof(in), out, 3, &got));
    EXPECT_EQ(sizeof(in), got);
    EXPECT_OK(ktm_xa_call(tx, name, large, KTM_XA_CALL_SIZE, large, KTM_XA_CALL_SIZE, &got));
    EXPECT_EQ(KTM_XA_CALL_SIZE, got);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_xa_call(tx, name, large, KTM_XA_CALL_SIZE + 1, NULL, 0, NULL));
    free(large);
    function(name, "toy_refuse");
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, ktm_xa_call(tx, name, NULL, 0, NULL, 0, NULL));
    function(name, "no_such");
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, ktm_xa_call(tx, name, NULL, 0, NULL, 0, NULL));
    EXPECT_OK(ktm_xa_commit(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE,
                  ktm_xa_call(tx, scene.work, "1", 1, NULL, 0, NULL));
    ktm_xa_close(tx);
    scene_close(&scene);
}

TEST(work_that_ends_the_process_loses_the_branch_only)
{
    struct scene scene;
    struct ktm_xa_tx *tx;
    char name[512], why[1024];

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_work(&scene, 1);
    function(name, "toy_exit");
    EXPECT_STATUS(STATUS_RM_DISCONNECTED, ktm_xa_call(tx, name, NULL, 0, NULL, 0, NULL));
    ktm_xa_error(tx, why, sizeof(why));
    EXPECT(strstr(why, "exit(3)") != NULL);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_xa_commit(tx));
    ktm_xa_close(tx);
    EXPECT(!scene_has(&scene, 1));
    EXPECT_OK(scene_commit(&scene, 2));
    scene_close(&scene);
}

static void *
sleep_in_branch(void *argument)
{
    char name[512];

    function(name, "toy_sleep");
    EXPECT_STATUS(STATUS_RM_DISCONNECTED, ktm_xa_call(argument, name, NULL, 0, NULL, 0, NULL));
    return NULL;
}

/* The rollback does not wait for the time-out of the helper, which is long. */
TEST(a_rollback_ends_work_that_does_not_end)
{
    struct scene scene;
    struct ktm_xa_tx *tx;
    pthread_t thread;

    scene_set(&scene);
    scene.options.timeout_ms = 600000;
    scene_open(&scene);
    tx = scene_work(&scene, 1);
    EXPECT_EQ(0, pthread_create(&thread, NULL, sleep_in_branch, tx));
    while (scene_count(&scene, "sleep") == 0)
        sched_yield();
    EXPECT_OK(ktm_xa_rollback(tx));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(KTM_XA_ROLLED_BACK, ktm_xa_state(tx));
    ktm_xa_close(tx);
    EXPECT_OK(scene_commit(&scene, 2));
    scene_close(&scene);
}

/* ---- who it is for ---- */

TEST(two_begins_in_a_transaction_give_one_branch)
{
    struct scene scene;
    struct ktm_xa_tx *tx, *again;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_work(&scene, 1);
    EXPECT_OK(ktm_xa_begin(scene.rm, ktm_xa_transaction(tx), &again));
    EXPECT(again == tx);
    EXPECT_OK(ktm_xa_commit(tx));
    ktm_xa_close(again);
    ktm_xa_close(tx);
    EXPECT_EQ(1, scene_count(&scene, "start"));
    scene_close(&scene);
}

TEST(helpers_are_used_again)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    for (unsigned item = 1; item <= 20; item++)
        EXPECT_OK(scene_commit(&scene, item));
    EXPECT_EQ(1, scene_count(&scene, "open"));
    scene_close(&scene);
    EXPECT_EQ(1, scene_count(&scene, "close"));
}
