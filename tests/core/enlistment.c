/* SPDX-License-Identifier: MIT */
/* Enlistments: every row of their table, every call in every state (section 10), their closing. */
#include "tests/core/play.h"

/* How enlistment a gets into each state, and what is true of it there. */
static const struct en_state {
    const char *name;
    const char *script;
} states[] = {
    {"ACTIVE", "enlist a full; enlist b full"},
    {"PREPREPARING", "enlist a full; enlist b full; commit"},
    {"PREPREPARED", "enlist a full; enlist b full; commit; preprepared a"},
    {"PREPARING", "enlist a full; enlist b full; commit; preprepared a; preprepared b"},
    {"PREPARED", "enlist a full; enlist b full; commit; preprepared a; preprepared b; prepared a"},
    {"DELEGATED", "enlist a full+spc; commit"},
    {"COMMITTED_NOTIFY", "enlist a full; enlist b full; commit; preprepared a; preprepared b; "
                         "prepared a; prepared b"},
    {"ABORTING", "enlist a full; enlist b full; rollback"},
    {"FINISHED", "enlist a full; enlist b full; readonly a"},
    {"INDOUBT", "enlist s sup superior; enlist a full+indoubt; enlist b full; prepare s; "
                "preprepared a; preprepared b; prepared a; prepared b; close A; open A; recover A; "
                "recover a"},
    {"RECOVERING", "enlist s sup superior; enlist a full+indoubt; enlist b full; prepare s; "
                   "preprepared a; preprepared b; prepared a; prepared b; close A; open A; "
                   "recover A"},
    {"OFFLINE", "enlist s sup superior; enlist a full+indoubt; enlist b full; prepare s; "
                "preprepared a; preprepared b; prepared a; prepared b; close A; open A"},
};
enum { STATES = ARRAY_SIZE(states) };

static const struct {
    const char *command;
    /* one letter per state: S legal, R NOT_REQUESTED, V REQUEST_NOT_VALID, - S without effect */
    const char *legal;
} matrix[] = {
    {"preprepared a", "RSRRRRRRRRRR"}, {"prepared a", "RRRSRRRRRRRR"},
    {"committed a", "RRRRRSSRRRRR"},   {"rolledback a", "RRRRRRRSRRRR"},
    {"reject a", "RRRRRSRRRRRR"},      {"readonly a", "SSSSRSRRRRRR"},
    {"veto a", "SSSSVSVVVVVV"},        {"recover a", "VVVVVVVVVSSV"},
    {"outcome a", "VVVVSV--V-VV"},
};

static struct play *
play_in(const struct en_state *state)
{
    struct play *p = play_create(false);

    play_ok(p, state->script);
    EXPECT_TEXT(state->name, play_enlistment_state(p, 'a'));
    return p;
}

/* PT-49 ENL-PPC-01, -02 ENL-PC-01, -02 ENL-CC-01, -03 ENL-RC-01, -02 ENL-SPR-01, -03 ENL-RO-02, -05
 * ENL-RB-03..06 ENL-RECOVER-05, -10 TMR-22, -25 MASK-11 CLOCK-04..06 INV-07 */
TEST(every_call_in_every_state)
{
    for (size_t s = 0; s < STATES; s++)
        EACH (call, matrix) {
            owned(play_destroy) struct play *p = play_in(&states[s]);
            char command[64], legal = call->legal[s];
            bool has_clock = strncmp(call->command, "recover", 7) != 0;
            char tx_before[80];
            NTSTATUS wanted = legal == 'R'   ? STATUS_TRANSACTION_NOT_REQUESTED
                              : legal == 'V' ? STATUS_TRANSACTION_REQUEST_NOT_VALID
                                             : STATUS_SUCCESS;
            const char *trace;

            EXPECT_EQ(STATES, strlen(call->legal));
            snprintf(command, sizeof(command), "%s%s", call->command,
                     has_clock ? " clock 1000" : "");
            snprintf(tx_before, sizeof(tx_before), "%s", play_state(p, 't'));
            trace = play(p, command);
            if (p->status != wanted)
                test_fail(__FILE__, __LINE__, "'%s' in %s: %s", command, states[s].name,
                          status_name(p->status));
            if (legal == 'R' || legal == 'V') {
                EXPECT_TEXT("", trace);
                EXPECT_TEXT(states[s].name, play_enlistment_state(p, 'a'));
                EXPECT_TEXT(tx_before, play_state(p, 't'));
                EXPECT(p->ktm.clock < 1000); /* CLOCK-06 */
            } else {
                EXPECT_EQ(has_clock, p->ktm.clock == 1000); /* CLOCK-05 */
            }
            if (legal == '-') {
                EXPECT_TEXT("clock 1000", trace);
                EXPECT_TEXT(states[s].name, play_enlistment_state(p, 'a'));
            }
        }
}

TEST(only_a_superior_may_drive) /* ENL-PPE-04 ENL-PE-04 ENL-CE-05 CLOCK-06 */
{
    static const char *const calls[] = {"preprepare a clock 1000", "prepare a clock 1000",
                                        "decide a clock 1000"};

    EACH (state, states)
        EACH (call, calls) {
            owned(play_destroy) struct play *p = play_in(state);

            EXPECT_TEXT("", play(p, *call));
            EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, p->status);
            EXPECT_TEXT(state->name, play_enlistment_state(p, 'a'));
            EXPECT(p->ktm.clock < 1000);
        }
}

TEST(how_states_follow_each_other) /* PE-01..17, -19 RECOV-20, -24..26 ENL-RECOVER-01..03, -12 */
{
#define SUP_READY                                                                                  \
    "enlist s sup+request superior; enlist a full+indoubt; prepare s; preprepared a; prepared a"
    static const struct {
        const char *id, *script, *on, *state, *trace;
        char en;
    } rows[] = {
        {"PE-01", "", "enlist a full", "ACTIVE", "", 'a'},
        {"PE-01 superior", "", "enlist s sup superior", "ACTIVE", "", 's'},
        {"PE-02", "enlist a full", "commit", "PREPREPARING", "clock 2; a PREPREPARE", 'a'},
        {"PE-03", "enlist a full; enlist b full; commit", "preprepared a", "PREPREPARED", "", 'a'},
        {"PE-04 out of Active", "enlist a 2pc", "commit", "PREPARING", "clock 2; a PREPARE", 'a'},
        {"PE-04 out of PrePrepared", "enlist a full; commit", "preprepared a", "PREPARING",
         "a PREPARE", 'a'},
        {"PE-05", "enlist a full; enlist b full; commit; preprepared a; preprepared b",
         "prepared a", "PREPARED", "", 'a'},
        {"PE-06 out of Active", "enlist a cr", "commit", "COMMITTED_NOTIFY",
         "clock 2; force COMMIT; a COMMIT", 'a'},
        {"PE-06 out of PrePrepared", "enlist a pcr; commit", "preprepared a", "COMMITTED_NOTIFY",
         "force COMMIT; a COMMIT", 'a'},
        {"PE-06 out of Prepared", "enlist a 2pc; commit", "prepared a", "COMMITTED_NOTIFY",
         "force COMMIT; a COMMIT", 'a'},
        {"PE-06 PE-16 out of InDoubt", SUP_READY "; close A; open A; recover A; recover a",
         "decide s", "COMMITTED_NOTIFY", "force COMMIT; a COMMIT", 'a'},
        {"PE-06 PE-15 out of Recovering", SUP_READY "; decide s; close A; open A; recover A",
         "recover a", "COMMITTED_NOTIFY", "a COMMIT", 'a'},
        {"PE-07", "enlist a cr; commit", "committed a", "FINISHED", "append FORGET", 'a'},
        {"PE-08", "enlist a full+spc", "commit", "DELEGATED", "clock 2; a SPC", 'a'},
        {"PE-09", "enlist a full+spc; commit", "committed a", "FINISHED", "", 'a'},
        {"PE-09 reject", "enlist a 2pc+spc; enlist b full; readonly b; commit", "reject a",
         "PREPARING", "a PREPARE", 'a'},
        {"PE-09 closed", "enlist a full+spc; commit", "close a", "FINISHED", "", 'a'},
        {"PE-10 out of Active", "enlist a full", "rollback", "ABORTING", "a ROLLBACK", 'a'},
        {"PE-10 out of Prepared",
         "enlist a full; enlist b full; commit; preprepared a; preprepared b; prepared a",
         "rollback", "ABORTING", "a ROLLBACK; b ROLLBACK", 'a'},
        {"PE-10 out of Delegated", "enlist a full+spc; commit", "veto a", "ABORTING", "a ROLLBACK",
         'a'},
        {"PE-10 PE-16 out of InDoubt", SUP_READY "; close A; open A; recover A; recover a",
         "veto s", "ABORTING", "append ABORT; a ROLLBACK", 'a'},
        {"PE-10 PE-15 out of Recovering", SUP_READY "; close A; veto s; open A; recover A",
         "recover a", "ABORTING", "a ROLLBACK", 'a'},
        {"PE-11", "enlist a full; rollback", "rolledback a", "FINISHED", "", 'a'},
        {"PE-11 closed", "enlist a full; rollback", "close a", "FINISHED", "", 'a'},
        {"PE-12", "enlist a full; enlist b full", "readonly a", "FINISHED", "", 'a'},
        {"PE-13 Prepared", SUP_READY, "close a", "OFFLINE", "", 'a'},
        {"PE-13 CommittedNotify", "enlist a cr; commit", "close a", "OFFLINE", "", 'a'},
        {"PE-13 by its RM", "enlist a cr; commit", "close A", "OFFLINE", "", 'a'},
        {"PE-13 restart", "enlist a cr; commit", "crash", "OFFLINE", "", 'a'},
        {"PE-13 once more", SUP_READY "; close A; open A; recover A; recover a", "close a",
         "OFFLINE", "", 'a'},
        {"PE-13 once more", SUP_READY "; close A; open A; recover A; recover a", "close A",
         "OFFLINE", "", 'a'},
        {"PE-14", SUP_READY "; close A; open A", "recover A", "RECOVERING",
         "RECOVER a; LAST_RECOVER", 'a'},
        {"PE-15 undecided", SUP_READY "; close A; open A; recover A", "recover a", "INDOUBT",
         "a INDOUBT", 'a'},
        {"PE-17 asked, nothing changes", "enlist s sup+request superior; enlist a full", "commit",
         "ACTIVE", "s COMMIT_REQUEST", 's'},
        {"PE-17 and back", "enlist s sup+request superior; enlist a full; commit", "preprepare s",
         "ACTIVE", "clock 2; a PREPREPARE", 's'},
        {"PE-18 restart", SUP_READY "; crash; open S", "recover S", "RECOVERING",
         "RECOVER_QUERY s; LAST_RECOVER", 's'},
        {"PE-18 lost", SUP_READY "; close s; open S", "recover S", "RECOVERING",
         "RECOVER_QUERY s; LAST_RECOVER", 's'},
        {"PE-19", SUP_READY "; decide s", "committed a", "FINISHED",
         "append FORGET; s COMMIT_COMPLETE", 's'},
        {"PE-19 not asked",
         "enlist s cc+pc+r superior; enlist a full; prepare s; preprepared a; prepared a; veto s",
         "rolledback a", "FINISHED", "", 's'},
    };

    EACH (row, rows) {
        owned(play_destroy) struct play *p = play_create(false);
        const char *trace;

        play_ok(p, row->script);
        trace = play_ok(p, row->on);
        if (strcmp(trace, row->trace) || strcmp(row->state, play_enlistment_state(p, row->en)))
            test_fail(__FILE__, __LINE__, "%s: %s; %s\n    gives    %s: %s\n    expected %s: %s",
                      row->id, row->script, row->on, play_enlistment_state(p, row->en), trace,
                      row->state, row->trace);
    }
}

/* CLOSE-EN-01..07; for the superior see superior.c */
/* CLOSE-EN-01..07 CLOSE-RM-01 ENL-CC-05 ENL-RO-06 OP-14 */
TEST(closing_the_last_enlistment_handle)
{
    static const struct {
        const char *id, *script, *en_state, *tx_state, *trace;
    } rows[] = {
        {"CLOSE-EN-01 Active", "enlist a full; enlist b full", "FINISHED",
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"CLOSE-EN-01 PrePreparing", "enlist a full; enlist b full; commit", "FINISHED",
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"CLOSE-EN-01 PrePrepared",
         "enlist s sup superior; enlist a full; enlist b full; preprepare s; preprepared a; "
         "preprepared b",
         "FINISHED", "Aborted aborted signalled", "s ROLLBACK; a ROLLBACK; b ROLLBACK"},
        {"CLOSE-EN-01 Preparing",
         "enlist a full; enlist b full; commit; preprepared a; preprepared b", "FINISHED",
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"CLOSE-EN-02 read-only", "enlist a full; enlist b full; readonly a", "FINISHED", "Active",
         ""},
        {"CLOSE-EN-02 committed", "enlist a cr; enlist b cr; commit; committed a", "FINISHED",
         "Committed committed", ""},
        {"CLOSE-EN-02 rolled back", "enlist a full; enlist b full; rollback; rolledback a",
         "FINISHED", "Aborted aborted signalled", ""},
        {"CLOSE-EN-03", "enlist d full+disc; enlist a full+spc; readonly d; commit", "FINISHED",
         "Delegated unavailable signalled", "d RM_DISCONNECTED"},
        {"CLOSE-EN-04",
         "enlist a full; enlist b full; commit; preprepared a; preprepared b; prepared a",
         "FINISHED", "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"CLOSE-EN-05 Prepared",
         "enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a", "OFFLINE",
         "Prepared", ""},
        {"CLOSE-EN-05 InDoubt",
         "enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a; close s",
         "OFFLINE", "InDoubt", ""},
        {"CLOSE-EN-05 volatile",
         "enlist s sup superior; enlist a full volatile; enlist b full; prepare s; preprepared a; "
         "preprepared b; prepared a; prepared b",
         "FINISHED", "Prepared", ""},
        {"CLOSE-EN-06", "enlist a cr; enlist b cr; commit", "OFFLINE", "Committed committed", ""},
        {"CLOSE-EN-06 volatile", "enlist a cr volatile; enlist b cr; commit", "FINISHED",
         "Committed committed", ""},
        {"CLOSE-EN-06 the wait ends", "enlist a cr; commit", "OFFLINE",
         "Committed committed signalled", ""},
        {"CLOSE-EN-06 it counts as the answer", "enlist a cr volatile; commit", "FINISHED",
         "Forgotten committed signalled", ""},
        {"CLOSE-EN-07", "enlist a full; enlist b full; rollback; rolledback b", "FINISHED",
         "Forgotten aborted signalled", ""},
    };

    EACH (row, rows) {
        static const char *const closes[] = {"close a", "close A"};

        EACH (close, closes) {
            owned(play_destroy) struct play *p = play_create(false);
            bool rm_lives = strcmp(*close, "close a") == 0;
            char wanted[200];
            const char *own;

            play_ok(p, row->script);
            /* what would go to the RM that is gone does not go [CLOSE-RM-02] */
            snprintf(wanted, sizeof(wanted), "%s", row->trace);
            own = rm_lives ? NULL : strstr(wanted, "a ROLLBACK; ");
            if (own)
                memmove(wanted + (own - wanted), own + 12, strlen(own + 12) + 1);
            EXPECT_TEXT(wanted, play_ok(p, *close));
            if (strcmp(row->tx_state, play_state(p, 't')) ||
                strcmp(row->en_state, play_enlistment_state(p, 'a')))
                test_fail(__FILE__, __LINE__, "%s, %s: %s, %s", row->id, *close, play_state(p, 't'),
                          play_enlistment_state(p, 'a'));
        }
    }
}

TEST(a_closed_one_owes_no_answer) /* CLOSE-EN-01 INV-07 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a full; enlist b full; close a; rolledback b");
    EXPECT_TEXT("Forgotten aborted signalled", play_state(p, 't'));
}

TEST(who_is_not_asked_has_answered) /* MASK-05, -06, -13, -14 SCEN-09 */
{
    static const struct {
        const char *mask, *after_commit, *after_preprepared;
    } cases[] = {
        {"cr", "clock 2; force COMMIT; a COMMIT", NULL},
        {"2pc", "clock 2; a PREPARE", NULL},
        {"pcr", "clock 2; a PREPREPARE", "force COMMIT; a COMMIT"},
        {"pr", "clock 2; a PREPREPARE", ""},
        {"full", "clock 2; a PREPREPARE", "a PREPARE"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);
        char script[64];

        snprintf(script, sizeof(script), "enlist a %s; commit", it->mask);
        EXPECT_TEXT(it->after_commit, play_ok(p, script));
        if (it->after_preprepared)
            EXPECT_TEXT(it->after_preprepared, play_ok(p, "preprepared a"));
    }
}

TEST(without_prepare_in_its_mask_it_may_veto_until_the_decision) /* MASK-13 */
{
    static const char *const masks[] = {"cr", "pcr", "pr"};

    EACH (mask, masks) {
        owned(play_destroy) struct play *p = play_create(false);
        char script[128];

        snprintf(script, sizeof(script), "enlist a %s; enlist b full; commit; preprepared b%s",
                 *mask, **mask == 'p' ? "; preprepared a" : "");
        play_ok(p, script);
        EXPECT_TEXT("Preparing", play_state(p, 't'));
        EXPECT_TEXT("a ROLLBACK; b ROLLBACK", play_ok(p, "veto a"));
    }
}

TEST(without_commit_in_its_mask_it_is_finished_at_the_decision) /* MASK-14 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a pr; enlist b full; commit; preprepared a; preprepared b");
    EXPECT_TEXT("force COMMIT; b COMMIT", play_ok(p, "prepared b"));
    EXPECT_TEXT("FINISHED", play_enlistment_state(p, 'a'));
    play(p, "committed a");
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, p->status);
}

TEST(read_only_counts_as_the_answer_and_ends_the_part) /* ENL-RO-01, -03, -07 INV-09 SCEN-07, -08 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a full; enlist b full; commit; readonly a");
    EXPECT_TEXT("b PREPARE", play_ok(p, "preprepared b"));
    EXPECT_TEXT("", play_ok(p, "readonly b"));
    EXPECT_TEXT("Forgotten committed signalled", play_state(p, 't'));
    EXPECT_EQ(0, p->forces);
    EXPECT_EQ(0, p->record_count);
}

/* The PREPARE record names it: after a restart it would be asked to recover [INV-09]. */
TEST(read_only_comes_too_late_when_all_have_promised) /* ENL-RO-02, -05 INV-09 */
{
    static const char *const masks[] = {"cr", "pcr", "pr"};

    EACH (mask, masks)
        for (int in_doubt = 0; in_doubt < 2; in_doubt++) {
            owned(play_destroy) struct play *p = play_create(false);
            char script[200];

            snprintf(script, sizeof(script),
                     "enlist s sup superior; enlist a %s; enlist b full; prepare s; preprepared b; "
                     "%sprepared b%s",
                     *mask, (*mask)[0] == 'p' ? "preprepared a; " : "",
                     in_doubt ? "; close s" : "");
            play_ok(p, script);
            EXPECT_TEXT(in_doubt ? "InDoubt" : "Prepared", play_state(p, 't'));
            EXPECT_TEXT("", play(p, "readonly a clock 1000"));
            EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, p->status);
            EXPECT(p->ktm.clock < 1000);
        }
}

TEST(asking_for_an_early_outcome) /* ROLL-11 TMR-22..25 PT-35 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist s sup+outcome superior; enlist a full; enlist b full; prepare s; "
               "preprepared a; preprepared b; prepared a");
    play(p, "outcome s");
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, p->status);
    play(p, "outcome b");
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, p->status);
    EXPECT_TEXT("s ROLLBACK; a ROLLBACK; b ROLLBACK", play_ok(p, "outcome a"));
    EXPECT_EQ(REASON_OUTCOME_REQUESTED, play_tx(p, 't')->reason);
}

TEST(keys_are_set_and_counted_anew_by_recovery) /* ENL-RECOVER-03 TMR-20, -21 RECOV-08 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct enlistment *en;

    play_ok(p, "enlist a cr; commit; crash");
    en = play_en(p, 'a');
    EXPECT(atomic_load(&en->key) == NULL);
    atomic_store(&en->key_references, 7);
    EXPECT_TEXT("a COMMIT", play_ok(p, "open A; recover A; recover a"));
    EXPECT_EQ('a', (uintptr_t)atomic_load(&en->key));
    EXPECT_EQ(1, atomic_load(&en->key_references));
}

TEST(enlisting_needs_tm_and_rm_online) /* ENL-CREATE-09 TM-STATE-01 OP-18 RECOV-30 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play(p, "open A; enlist a full");
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, p->status);
    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "recover A"));
    play_ok(p, "enlist a full");
    p->ktm.state = KTM_OFFLINE;
    play(p, "enlist b full by A");
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, p->status);
    EXPECT_EQ(1, play_tx(p, 't')->en_count);
}

TEST(recovery_information_is_replaced_as_a_whole) /* ENL-SET-01 RECOV-31 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct enlistment *en;

    play_ok(p, "enlist a full; info a long-information; info a short");
    en = play_en(p, 'a');
    EXPECT_EQ(5, en->recovery_info_size);
    EXPECT_BYTES("short", en->recovery_info, 5);
    EXPECT_OK(enlistment_set_recovery_info(en, bytes_of(NULL, 0)));
    EXPECT_EQ(0, en->recovery_info_size);
}
