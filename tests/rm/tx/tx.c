/* SPDX-License-Identifier: MIT */
/* X/Open TX: the order of calls, what becomes of transactions, chains, time-outs, threads. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rm/tx/scene.h"

static void
expect_words(const char *words)
{
    char why[1024];

    EXPECT(ktm_tx_error(why, sizeof(why)) > 0);
    if (!strstr(why, words))
        test_fail(__FILE__, __LINE__, "'%s' has no '%s'", why, words);
}

TEST(calls_out_of_order_are_refused)
{
    struct scene scene;
    TXINFO info;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_begin());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_commit());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_rollback());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_info(&info));
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_set_transaction_control(TX_CHAINED));
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_set_transaction_timeout(1));
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_set_commit_return(TX_COMMIT_COMPLETED));
    EXPECT_EQ(TX_OK, tx_close());
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_commit());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_rollback());
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_begin());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_close());
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_commit());
    EXPECT_EQ(TX_EINVAL, tx_set_transaction_control(2));
    EXPECT_EQ(TX_EINVAL, tx_set_transaction_timeout(-1));
    EXPECT_EQ(TX_EINVAL, tx_set_commit_return(2));
    EXPECT_EQ(TX_NOT_SUPPORTED, tx_set_commit_return(TX_COMMIT_DECISION_LOGGED));
    EXPECT_EQ(TX_OK, tx_set_commit_return(TX_COMMIT_COMPLETED));
    EXPECT_EQ(TX_OK, tx_close());
    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_begin());
}

TEST(work_is_committed_or_rolled_back)
{
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT(ktm_tx_transaction() != NULL);
    EXPECT_EQ(0, scene_work(1));
    EXPECT(!scene_has(&scene, 1));
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT(scene_has(&scene, 1));
    EXPECT(ktm_tx_transaction() == NULL);
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(2));
    EXPECT_EQ(TX_OK, tx_rollback());
    EXPECT(!scene_has(&scene, 2));
    EXPECT_EQ(0, scene_names(&scene, 'p') + scene_names(&scene, 'e'));
    EXPECT_EQ(TX_OK, tx_begin()); /* nothing is done in it */
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT_EQ(3, scene_count(&scene, "start")); /* all by this process, none by a helper */
    EXPECT_EQ(2, scene_count(&scene, "prepare"));
    EXPECT_EQ(1, scene_count(&scene, "commit"));
    EXPECT_EQ(TX_OK, tx_close());
    EXPECT_EQ(1, scene_count(&scene, "close"));
}

TEST(info_tells_the_transaction)
{
    struct scene scene;
    TXINFO info;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(0, tx_info(&info));
    EXPECT_EQ(-1, info.xid.formatID);
    EXPECT_EQ(TX_OK, tx_set_transaction_timeout(77));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(1, tx_info(NULL));
    EXPECT_EQ(1, tx_info(&info));
    EXPECT_EQ(16, info.xid.gtrid_length);
    EXPECT_EQ(TX_ACTIVE, info.transaction_state);
    EXPECT_EQ(77, info.transaction_timeout);
    EXPECT_EQ(TX_UNCHAINED, info.transaction_control);
    EXPECT_EQ(TX_OK, tx_rollback());
    EXPECT_EQ(TX_OK, tx_close());
}

TEST(what_the_switch_says_becomes_what_tx_says)
{
    static const struct {
        const char *order;
        int outcome;
        bool is_there;
    } rows[] = {
        {"prepare 103 1", TX_ROLLBACK, false}, /* XA_RBINTEGRITY */
        {"end 100 1", TX_ROLLBACK, false},     {"prepare -3 1", TX_ROLLBACK, false},
        {"commit 4 2", TX_OK, true},  /* XA_RETRY, and it is tried again */
        {"commit 7 1", TX_OK, false}, /* XA_HEURCOM: the toy forgets who has done it */
        {"commit 6 1", TX_MIXED, false},       {"commit 5 1", TX_MIXED, false},
        {"commit 8 1", TX_HAZARD, false},      {"commit 101 1", TX_MIXED, false},
    };
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EACH (row, rows) {
        unsigned item = (unsigned)(row - rows) + 1;

        EXPECT_EQ(TX_OK, tx_begin());
        EXPECT_EQ(0, scene_work(item));
        scene_order(&scene, row->order);
        EXPECT_EQ(row->outcome, tx_commit());
        EXPECT_EQ(row->is_there, scene_has(&scene, item));
        EXPECT_EQ(0, scene_names(&scene, 'p'));
        if (row->outcome == TX_ROLLBACK)
            expect_words("XA");
    }
    EXPECT_EQ(TX_OK, tx_close());
}

TEST(a_chain_goes_on_until_it_cannot)
{
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_set_transaction_control(TX_CHAINED));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(1));
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT_EQ(1, tx_info(NULL));
    EXPECT_EQ(0, scene_work(2));
    EXPECT_EQ(TX_OK, tx_rollback());
    EXPECT_EQ(1, tx_info(NULL));
    EXPECT_EQ(0, scene_work(3));
    scene_order(&scene, "start -3 1");
    EXPECT_EQ(TX_NO_BEGIN, tx_commit());
    EXPECT_EQ(0, tx_info(NULL));
    EXPECT(scene_has(&scene, 1) && !scene_has(&scene, 2) && scene_has(&scene, 3));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(4));
    scene_order(&scene, "prepare 100 1");
    scene_order(&scene, "start -3 1");
    EXPECT_EQ(TX_ROLLBACK_NO_BEGIN, tx_commit());
    EXPECT_EQ(TX_OK, tx_set_transaction_control(TX_UNCHAINED));
    EXPECT_EQ(TX_OK, tx_close());
}

/* The time-out comes on a thread of the manager, which must not say anything to the switch: this
 * thread has the branch, and says it at the end. */
TEST(a_time_out_rolls_back_and_the_thread_with_the_branch_says_so)
{
    struct scene scene;
    TXINFO info;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_set_transaction_timeout(1));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(1));
    do
        EXPECT_EQ(1, tx_info(&info));
    while (info.transaction_state == TX_ACTIVE);
    EXPECT_EQ(TX_TIMEOUT_ROLLBACK_ONLY, info.transaction_state);
    EXPECT_EQ(0, scene_count(&scene, "rollback"));
    EXPECT_EQ(TX_ROLLBACK, tx_commit());
    EXPECT_EQ(1, scene_count(&scene, "rollback"));
    EXPECT(!scene_has(&scene, 1));
    EXPECT_EQ(TX_OK, tx_set_transaction_timeout(0));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(2));
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT_EQ(TX_OK, tx_close());
}

/* ---- threads ---- */

static void *
work_alone(void *argument)
{
    unsigned first = *(unsigned *)argument;

    EXPECT_EQ(TX_PROTOCOL_ERROR, tx_begin()); /* each thread opens */
    EXPECT_EQ(TX_OK, tx_open());
    for (unsigned item = first; item < first + 10; item++) {
        EXPECT_EQ(TX_OK, tx_begin());
        EXPECT_EQ(0, scene_work(item));
        EXPECT_EQ(TX_OK, item % 2 ? tx_commit() : tx_rollback());
    }
    EXPECT_EQ(TX_OK, tx_close());
    return NULL;
}

TEST(each_thread_has_its_own_transaction)
{
    struct scene scene;
    pthread_t threads[4];
    unsigned firsts[4];

    scene_set(&scene, "toy_xa_switch");
    for (unsigned i = 0; i < 4; i++) {
        firsts[i] = 1 + i * 10;
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, work_alone, &firsts[i]));
    }
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(0, pthread_join(threads[i], NULL));
    for (unsigned item = 1; item <= 40; item++)
        EXPECT_EQ(item % 2, scene_has(&scene, item));
}

/* ---- switches that register ---- */

TEST(a_switch_registers_with_ax_reg_when_it_works)
{
    struct scene scene;

    scene_set(&scene, "toy_register_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(TX_OK, tx_commit()); /* it has nothing to do with it */
    EXPECT_EQ(0, scene_count(&scene, "end") + scene_count(&scene, "prepare"));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(1));
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT(scene_has(&scene, 1));
    EXPECT_EQ(0, scene_count(&scene, "start"));
    EXPECT_EQ(TX_OK, tx_close());
}

TEST(work_outside_of_transactions_keeps_one_from_beginning)
{
    struct scene scene;
    XID xid;

    scene_set(&scene, "toy_register_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(2, scene_work(1)); /* the toy was given no branch */
    EXPECT_EQ(TX_OUTSIDE, tx_begin());
    EXPECT_EQ(TMER_PROTO, ax_reg(1, &xid, TMNOFLAGS));
    EXPECT_EQ(TMER_INVAL, ax_reg(5, &xid, TMNOFLAGS));
    EXPECT_EQ(TM_OK, ax_unreg(1, TMNOFLAGS));
    EXPECT_EQ(TMER_PROTO, ax_unreg(1, TMNOFLAGS));
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT_EQ(TX_OK, tx_close());
}

/* ---- the table ---- */

TEST(a_table_that_cannot_be_read_is_told_by_its_line)
{
    static const char *const tables[] = {
        "switch=",
        "nonsense",
        "switch=a.so rmid=x",
        "switch=a.so rmid=3\nswitch=b.so rmid=3",
        "switch=a.so colour=red",
        "info=x",
    };
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    EACH (table, tables) {
        scene_write_table(&scene, *table);
        EXPECT_EQ(TX_ERROR, tx_open());
        expect_words("");
    }
    scene_write_table(&scene, "home=/tmp/x\nswitch=a.so colour=red\n");
    EXPECT_EQ(TX_ERROR, tx_open());
    expect_words("line 2");
    setenv("KTM_TX", "/nonexistent/table", 1);
    EXPECT_EQ(TX_ERROR, tx_open());
    expect_words("/nonexistent/table");
}

TEST(a_switch_that_has_not_passed_the_gate_is_not_opened)
{
    struct scene scene;
    char lines[2048];

    scene_set(&scene, "toy_xa_switch");
    snprintf(lines, sizeof(lines), "home=%s\nswitch=%s/tests/xa-toy.so:toy_xa_switch info=%s\n",
             scene.home, test_build(), scene.store);
    scene_write_table(&scene, lines);
    EXPECT_EQ(TX_ERROR, tx_open());
    expect_words("ktm xa check");
    EXPECT(ktm_tx_manager() == NULL);
}

TEST(a_forked_child_begins_anew)
{
    struct scene scene;
    pid_t child;
    int status;

    scene_set(&scene, "toy_xa_switch");
    EXPECT_EQ(TX_OK, tx_open());
    EXPECT_EQ(TX_OK, tx_begin());
    EXPECT_EQ(0, scene_work(1));
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        EXPECT_EQ(TX_PROTOCOL_ERROR, tx_commit());
        EXPECT_EQ(TX_PROTOCOL_ERROR, tx_info(NULL));
        EXPECT(ktm_tx_transaction() == NULL);
        EXPECT_EQ(TX_OK, tx_close());
        EXPECT_EQ(TX_ERROR, tx_open()); /* the home is its parent's */
        _exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_EQ(TX_OK, tx_commit());
    EXPECT(scene_has(&scene, 1));
    EXPECT_EQ(TX_OK, tx_close());
}

/* ---- deaths ---- */

/* In a child that dies in a function of the switch. */
static void
die_in_child(unsigned item)
{
    pid_t child = fork();
    int status;

    EXPECT(child >= 0);
    if (child == 0) {
        if (tx_open() != TX_OK || tx_begin() != TX_OK || scene_work(item) != 0)
            _exit(1);
        (void)!tx_commit();
        _exit(2);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status));
    EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST(what_a_death_leaves_the_next_open_finishes)
{
    static const struct {
        const char *order;
        bool is_there;
    } rows[] = {
        {"end die 1", false},   {"prepare die 1", false},  {"prepared die 1", false},
        {"commit die 1", true}, {"committed die 1", true},
    };
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    EACH (row, rows) {
        unsigned item = (unsigned)(row - rows) + 1;

        scene_order(&scene, row->order);
        die_in_child(item);
        EXPECT_EQ(TX_OK, tx_open());
        EXPECT_EQ(row->is_there, scene_has(&scene, item));
        EXPECT_EQ(0, scene_names(&scene, 'p'));
        EXPECT_EQ(0, ktm_tx_unfinished());
        EXPECT_EQ(TX_OK, tx_close());
    }
}
