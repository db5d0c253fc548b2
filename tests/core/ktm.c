/* SPDX-License-Identifier: MIT */
/* The transaction manager's sets, its clock, the closing of resource managers, the end of lives. */
#include "tests/core/play.h"

TEST(a_new_tm) /* CLOCK-01 TM-CREATE-09, -10 */
{
    for (int is_volatile = 0; is_volatile < 2; is_volatile++) {
        struct ktm ktm;

        ktm_init(&ktm, is_volatile);
        EXPECT_EQ(1, ktm.clock);
        EXPECT_EQ(is_volatile ? KTM_ONLINE : KTM_INITIALIZED, ktm.state);
        ktm_deinit(&ktm);
    }
}

TEST(the_clock_only_rises) /* CLOCK-04 CLOCK-10 */
{
    static const struct {
        int64_t given, wanted;
    } cases[] = {{5, 10},
                 {10, 10},
                 {11, 11},
                 {0, 11},
                 {-1, 11},
                 {INT64_MIN, 11},
                 {INT64_MAX, INT64_MAX},
                 {3, INT64_MAX}};
    struct ktm ktm;

    ktm_init(&ktm, true);
    ktm.clock = 10;
    ktm_raise_clock(&ktm, NULL);
    EXPECT_EQ(10, ktm.clock);
    EACH (it, cases) {
        ktm_raise_clock(&ktm, &it->given);
        EXPECT_EQ(it->wanted, ktm.clock);
    }
    ktm_deinit(&ktm);
}

TEST(the_clock_by_example) /* CLOCK-02, -08, -12 TX-COMMIT-05 NOTIF-05 */
{
    owned(play_destroy) struct play *p = play_create(false);

    EXPECT_EQ(1, p->ktm.clock);
    play_ok(p, "enlist a full");
    EXPECT_TEXT("clock 2; a PREPREPARE", play_ok(p, "commit")); /* the trace checks each record's */
    EXPECT_TEXT("a PREPARE", play_ok(p, "preprepared a"));
    EXPECT_TEXT("force COMMIT; a COMMIT", play_ok(p, "prepared a"));
    EXPECT_TEXT("b ROLLBACK", play_ok(p, "begin u; enlist b full in u; rollback u"));
    EXPECT_EQ(2, p->ktm.clock);
    EXPECT_TEXT("clock 3; c SPC", play_ok(p, "begin v; enlist c full+spc in v; commit v"));
    EXPECT_TEXT("c PREPREPARE", play_ok(p, "reject c")); /* ENL-SPR-04 */
    EXPECT_TEXT("clock 4", play_ok(p, "begin w; commit w"));
}

TEST(an_answer_s_clock_comes_before_its_effect) /* CLOCK-03, -04 */
{
    owned(play_destroy) struct play *p = play_create(false);
    int64_t clock = 0;

    play_ok(p, "enlist a full; commit t clock 7"); /* a client has none to give */
    EXPECT_EQ(2, p->ktm.clock);
    EXPECT_TEXT("clock 50; a PREPARE", play_ok(p, "preprepared a clock 50"));
    EXPECT_TEXT("clock 60; force COMMIT; a COMMIT", play_ok(p, "prepared a clock 60"));
    EXPECT_OK(record_clock(bytes_of(p->records[0].data, p->records[0].size), &clock));
    EXPECT_EQ(60, clock);
    EXPECT_TEXT("append FORGET", play_ok(p, "committed a clock 60"));
    EXPECT_OK(record_clock(bytes_of(p->records[1].data, p->records[1].size), &clock));
    EXPECT_EQ(60, clock);
}

TEST(a_superior_s_clock_is_compared_after_the_increment) /* CLOCK-04 */
{
    static const struct {
        const char *on;
        int64_t clock;
    } cases[] = {{"preprepare s clock 2", 2}, {"preprepare s clock 3", 3}, {"decide s clock 1", 2}};

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, "enlist s sup superior; enlist a full");
        play_ok(p, it->on);
        EXPECT_EQ(it->clock, p->ktm.clock);
    }
}

TEST(one_that_is_not_bound_has_no_clock) /* CLOCK-02 */
{
    owned(play_destroy) struct play *p = play_create(true);

    p->ktm.is_nursery = true;
    EXPECT_TEXT("", play_ok(p, "commit"));
    EXPECT_EQ(1, p->ktm.clock);
}

/* ---- resource managers ---- */

TEST(closing_the_last_rm_handle) /* CLOSE-RM-01..03 ROLL-06 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct resource_manager *rm;
    struct ktm_effects effects;
    struct ktm_event event = {.type = KTM_TX_COMMIT};
    uint32_t epoch;

    play_ok(p, "enlist a full by R; enlist b full; begin u; enlist c cr by R in u; enlist d cr in "
               "u; begin v; enlist e full by R in v; enlist f full in v; commit u");
    rm = play_rm(p, 'R');
    event.tx = play_tx(p, 'v');
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    EXPECT(rm->queue != NULL);
    epoch = rm->object.epoch;
    play_ok(p, "close R");
    EXPECT(rm->queue == NULL && list_is_empty(&rm->in_news)); /* CLOSE-RM-02 */
    EXPECT(!rm->is_open && !rm->is_online);
    EXPECT_TEXT("Aborted aborted signalled", play_state(p, 't')); /* CLOSE-RM-01 */
    EXPECT_TEXT("Aborted aborted signalled", play_state(p, 'v'));
    EXPECT_TEXT("Committed committed", play_state(p, 'u'));
    EXPECT_TEXT("OFFLINE", play_enlistment_state(p, 'c'));
    EXPECT(rm->object.epoch > epoch); /* CLOSE-RM-03 */
    EXPECT_EQ(rm->object.epoch, play_en(p, 'a')->object.epoch);
}

TEST(the_callback_goes_with_the_last_handle) /* CLOSE-RM-02 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "callbacks A; enlist a cr; commit; close A");
    EXPECT(play_rm(p, 'A')->callback == NULL);
}

TEST(an_rm_with_unresolved_enlistments_stays_known) /* CLOSE-RM-04 CLOSE-EN-06 RECOV-29 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct resource_manager *rm;
    GUID resolved = play_guid('B'), unresolved = play_guid('A');

    play_ok(p, "enlist a cr; enlist b cr; commit; committed b; close A; close B");
    rm = play_rm(p, 'B');
    atomic_store(&play_en(p, 'b')->object.holds, 0);
    atomic_store(&rm->object.holds, 0);
    ktm_reap(&rm->object);
    EXPECT(ktm_find_resource_manager(&p->ktm, &resolved) == NULL);
    rm = play_rm(p, 'A');
    atomic_store(&play_en(p, 'a')->object.holds, 0);
    atomic_store(&rm->object.holds, 0);
    ktm_reap(&rm->object);
    EXPECT(ktm_find_resource_manager(&p->ktm, &unresolved) == rm);
    EXPECT_TEXT("RECOVER a; LAST_RECOVER", play_ok(p, "open A; recover A"));
    EXPECT_TEXT("a COMMIT", play_ok(p, "recover a"));
    EXPECT_TEXT("append FORGET", play_ok(p, "committed a"));
}

/* ---- the end of lives ---- */

static unsigned farewells;

static void
count_farewell(struct object *object)
{
    (void)object;
    farewells++;
}

static void
let_go(struct object *object)
{
    atomic_store(&object->holds, 0);
    ktm_reap(object);
}

TEST(objects_end_when_nobody_holds_them_and_all_is_over)
{
    static const struct {
        const char *script;
        bool is_gone;
    } cases[] = {
        {"enlist a cr; commit; committed a; close t; close a", true},
        {"enlist a cr; commit; close t; close a", false}, /* an outcome is owed */
        {"enlist a full; rollback; close t; close a", true},
        {"enlist a full; commit; close t", false},             /* goes on */
        {"enlist a full+spc; commit; close t; close a", true}, /* only the RM knows */
        {"commit; close t", true},
        {"commit", false}, /* a handle is open */
        {"enlist a cr; enlist b cr; log unclear; commit; close t; close a; close b", false},
        {"enlist s sup superior; enlist a full; veto s; close S; close t; close a", false},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);
        struct enlistment *en;

        play_ok(p, it->script);
        p->ktm.farewell = count_farewell;
        farewells = 0;
        en = play_en(p, 'a');
        if (en)
            let_go(&en->object);
        if (play_tx(p, 't'))
            let_go(&play_tx(p, 't')->object);
        EXPECT_EQ(it->is_gone, play_tx(p, 't') == NULL);
        EXPECT_EQ(it->is_gone, farewells == 1);
        EXPECT(!it->is_gone || !play_en(p, 'a'));
    }
}

TEST(a_held_one_stays_until_let_go)
{
    owned(play_destroy) struct play *p = play_create(false);
    GUID uow = play_guid('t');

    play_ok(p, "commit; close t");
    ktm_reap(&play_tx(p, 't')->object);
    EXPECT(play_tx(p, 't') != NULL);                     /* somebody has a pointer … */
    EXPECT(ktm_find_transaction(&p->ktm, &uow) == NULL); /* … but nobody finds it any more */
    let_go(&play_tx(p, 't')->object);
    EXPECT(play_tx(p, 't') == NULL);
}

TEST(a_closed_rm_ends_with_its_last_enlistment) /* CLOSE-RM-04 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; commit; committed a; close t; close A");
    let_go(&play_rm(p, 'A')->object);
    EXPECT(play_rm(p, 'A') != NULL); /* its enlistment is held */
    let_go(&play_en(p, 'a')->object);
    EXPECT(play_en(p, 'a') == NULL && play_rm(p, 'A') == NULL);
}

TEST(a_superior_ends_with_its_transaction)
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist s sup superior; enlist a full; decide s; preprepared a; prepared a; "
               "committed a");
    let_go(&play_en(p, 's')->object);
    EXPECT(play_en(p, 's') == NULL && play_tx(p, 't')->superior == NULL);
    EXPECT_EQ(1, play_tx(p, 't')->en_count);
    transaction_check(play_tx(p, 't'));
}

TEST(shutdown_finds_all_that_is_not_decided) /* CLOSE-TM-01, -02, -05 ROLL-07 */
{
    static const struct {
        const char *script;
        bool is_found;
    } cases[] = {
        {"enlist a full", true},
        {"enlist a full; commit", true},
        {"enlist a full; commit; preprepared a", true},
        {"enlist s sup superior; enlist a full; preprepare s; preprepared a", true},
        {"enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a", false},
        {"enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a; close s",
         false},
        {"enlist a cr; commit", false},
        {"enlist a full+spc; commit", false},
        {"rollback", false},
        {"log waits; enlist a cr; commit", false}, /* the log is deciding */
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT((ktm_next_undecided(&p->ktm, NULL) != NULL) == it->is_found);
        if (it->is_found) {
            play_ok(p, "shutdown");
            EXPECT_EQ(OUTCOME_ABORTED, atomic_load(&play_tx(p, 't')->outcome));
            EXPECT(ktm_next_undecided(&p->ktm, NULL) == NULL);
        }
    }
}

TEST(a_transaction_moves_out_of_the_nursery_once)
{
    owned(play_destroy) struct play *from = play_create(true), *to = play_create(true);
    struct transaction *tx = play_tx(from, 't');
    GUID uow = play_guid('z');

    /* 'to' has a t too: under another UOW it can come */
    guid_map_remove(&from->ktm.txs, &tx->link);
    tx->link.guid = uow;
    EXPECT_OK(guid_map_add(&from->ktm.txs, &tx->link));
    EXPECT_OK(ktm_move_transaction(&from->ktm, &to->ktm, tx));
    EXPECT(ktm_find_transaction(&from->ktm, &uow) == NULL);
    EXPECT(ktm_find_transaction(&to->ktm, &uow) == tx);
    EXPECT(atomic_load(&tx->ktm) == &to->ktm);
}

TEST(a_uow_is_in_a_manager_once) /* TX-CREATE-04 GEN-10 */
{
    owned(play_destroy) struct play *from = play_create(true), *to = play_create(true);
    struct transaction *tx = play_tx(from, 't'), *other = play_tx(to, 't');
    struct transaction *twin = transaction_create(&tx->link.guid);

    EXPECT_EQ(STATUS_OBJECT_NAME_COLLISION, ktm_move_transaction(&from->ktm, &to->ktm, tx));
    EXPECT_EQ(STATUS_OBJECT_NAME_COLLISION, ktm_add_transaction(&from->ktm, twin));
    EXPECT(ktm_find_transaction(&from->ktm, &tx->link.guid) == tx);
    EXPECT(ktm_find_transaction(&to->ktm, &tx->link.guid) == other);
    EXPECT(atomic_load(&tx->ktm) == &from->ktm);
    transaction_destroy(twin);
}

TEST(descriptions_are_replaced) /* TX-CREATE-18 */
{
    static const uint16_t text[] = {'a', 'b', 'c'};
    owned(play_destroy) struct play *p = play_create(false);
    struct transaction *tx = play_tx(p, 't');

    EXPECT_OK(transaction_set_description(tx, text, 3));
    EXPECT_EQ(3, tx->description_units);
    EXPECT_BYTES(text, tx->description, sizeof(text));
    EXPECT_OK(transaction_set_description(tx, NULL, 0));
    EXPECT_EQ(0, tx->description_units);
    EXPECT(tx->description == NULL);
}
