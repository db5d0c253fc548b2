/* SPDX-License-Identifier: MIT */
/* Transactions: every row of the state table (section 9), their closing, their time-outs, what is
 * and is not logged. */
#include "tests/core/play.h"

struct row {
    const char *id;
    const char *before; /* commands that lead to the state */
    const char *on;     /* the event */
    NTSTATUS status;
    const char *state; /* afterwards */
    const char *trace;
};

static void
expect_rows(const struct row *rows, size_t count)
{
    for (const struct row *row = rows; row < rows + count; row++) {
        owned(play_destroy) struct play *p = play_create(false);
        char script[512];
        const char *trace;

        snprintf(script, sizeof(script), "%s%s%s", row->before, *row->before ? "; " : "", row->on);
        trace = play(p, script);
        if (p->status != row->status || strcmp(play_state(p, 't'), row->state) != 0 ||
            strcmp(trace, row->trace) != 0)
            test_fail(__FILE__, __LINE__,
                      "%s: %s\n    gives    %s, %s: %s\n    expected %s, %s: %s", row->id, script,
                      status_name(p->status), play_state(p, 't'), trace, status_name(row->status),
                      row->state, row->trace);
    }
}

/* A superior s that may ask for everything, one durable participant. */
#define SUP  "enlist s sup superior; enlist a full"
#define SUPR "enlist s sup+request superior; enlist a full"
/* How far the three steps have come. */
#define SUP_PREPREPARED SUP "; preprepare s; preprepared a"
#define SUP_PREPARING   SUP_PREPREPARED "; prepare s"
#define SUP_PREPARED    SUP_PREPARING "; prepared a"
#define SUP_INDOUBT     SUP_PREPARED "; close s"
/* Two ordinary ones. */
#define TWO           "enlist a full; enlist b full"
#define TWO_PREPARING TWO "; commit; preprepared a; preprepared b"
#define TWO_COMMITTED TWO_PREPARING "; prepared a; prepared b"

TEST(client_commit_out_of_active) /* PT-01..06 TX-COMMIT-02, -03, -10, -11, -14 */
{
    static const struct row rows[] = {
        {"PT-01", "", "commit", STATUS_SUCCESS, "Forgotten committed signalled", "clock 2"},
        {"PT-01", "enlist a full; readonly a", "commit", STATUS_SUCCESS,
         "Forgotten committed signalled", "clock 2"},
        {"PT-02", "enlist a full+spc", "commit", STATUS_SUCCESS, "Delegated", "clock 2; a SPC"},
        {"PT-02", "enlist a full; enlist b full+spc; readonly a", "commit", STATUS_SUCCESS,
         "Delegated", "clock 2; b SPC"},
        {"PT-02", "enlist a full+spc volatile", "commit", STATUS_SUCCESS, "Delegated",
         "clock 2; a SPC"},
        {"PT-03", "enlist a full", "commit", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE"},
        {"PT-03", "enlist a full+spc; enlist b full", "commit", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE; b PREPREPARE"},
        {"PT-03", "enlist a full+spc; enlist b full+spc", "commit", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE; b PREPREPARE"},
        {"PT-03 nobody asks for phase 0", "enlist a 2pc", "commit", STATUS_SUCCESS, "Preparing",
         "clock 2; a PREPARE"},
        {"PT-03 nobody asks for anything but the outcome", "enlist a cr", "commit", STATUS_SUCCESS,
         "Committed committed", "clock 2; force COMMIT; a COMMIT"},
        {"PT-03 the same, volatile", "enlist a cr volatile", "commit", STATUS_SUCCESS,
         "Committed committed", "clock 2; a COMMIT"},
        {"PT-04", SUPR, "commit", STATUS_SUCCESS, "Active", "s COMMIT_REQUEST"},
        {"PT-04 alone", "enlist s sup+request superior", "commit", STATUS_SUCCESS, "Active",
         "s COMMIT_REQUEST"},
        {"PT-05", SUP, "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS, "Active", ""},
        {"PT-05", SUP "; preprepare s", "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS,
         "PrePreparing", ""},
        {"PT-05", SUP_PREPREPARED, "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS, "PrePrepared", ""},
        {"PT-05", SUP_PREPARING, "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS, "Preparing", ""},
        {"PT-05", SUP_PREPARED, "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS, "Prepared", ""},
        {"PT-05", SUP_INDOUBT, "commit", STATUS_TRANSACTION_SUPERIOR_EXISTS, "InDoubt", ""},
        {"PT-06 asked already", SUPR "; commit", "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID,
         "Active", ""},
        {"PT-06", SUPR "; decide s", "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID, "PrePreparing",
         ""},
        {"PT-06", SUPR "; preprepare s; preprepared a", "commit",
         STATUS_TRANSACTION_REQUEST_NOT_VALID, "PrePrepared", ""},
        {"PT-06", SUPR "; prepare s; preprepared a; prepared a", "commit",
         STATUS_TRANSACTION_REQUEST_NOT_VALID, "Prepared", ""},
        {"PT-06", TWO "; commit", "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID, "PrePreparing",
         ""},
        {"PT-06", TWO_PREPARING, "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID, "Preparing", ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

/* PT-07 ROLL-01..06, -09, -12 TX-ROLLBACK-01, -09 CLOSE-TX-01, -04 */
TEST(abort_out_of_active)
{
    static const struct row rows[] = {
        {"PT-07 alone", "", "rollback", STATUS_SUCCESS, "Forgotten aborted signalled", ""},
        {"PT-07 ROLL-01", TWO, "rollback", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"ROLL-01 the superior hears of it", SUP, "rollback", STATUS_SUCCESS,
         "Aborted aborted signalled", "s ROLLBACK; a ROLLBACK"},
        {"PT-07 commit requested", SUPR "; commit", "rollback", STATUS_SUCCESS,
         "Aborted aborted signalled", "s ROLLBACK; a ROLLBACK"},
        {"ROLL-02", TWO, "veto b", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"ROLL-02 with a superior", SUP, "veto a", STATUS_SUCCESS, "Aborted aborted signalled",
         "s ROLLBACK; a ROLLBACK"},
        {"ROLL-03", SUP, "veto s", STATUS_SUCCESS, "Aborted aborted signalled", "a ROLLBACK"},
        {"ROLL-03 nobody else", "enlist s sup superior", "veto s", STATUS_SUCCESS,
         "Forgotten aborted signalled", "s ROLLBACK_COMPLETE"},
        {"ROLL-04", TWO, "timeout", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"ROLL-04 with a superior", SUP, "timeout", STATUS_SUCCESS, "Aborted aborted signalled",
         "s ROLLBACK; a ROLLBACK"},
        {"ROLL-05 CLOSE-TX-01", TWO, "close t", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"CLOSE-TX-04", SUP, "close t", STATUS_SUCCESS, "Aborted aborted signalled",
         "s ROLLBACK; a ROLLBACK"},
        {"ROLL-06 the closed one is told and owes nothing", TWO, "close b", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"ROLL-06 by its RM, which is not there to hear", TWO, "close B", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK"},
        {"ROLL-07", TWO, "shutdown", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"ROLL-09", SUP, "close s", STATUS_SUCCESS, "Aborted aborted signalled", "a ROLLBACK"},
        {"ROLL-09 by its RM", SUP, "close S", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK"},
        {"read-only ones are not told ROLL-14", TWO "; readonly a", "rollback", STATUS_SUCCESS,
         "Aborted aborted signalled", "b ROLLBACK"},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(a_superior_starts) /* PT-08 PT-09 ENL-PPE-01, -03, -07 ENL-PE-03, -07 ENL-CE-02 */
{
    static const struct row rows[] = {
        {"PT-08", SUP, "preprepare s", STATUS_SUCCESS, "PrePreparing", "clock 2; a PREPREPARE"},
        {"PT-08 after a request", SUPR "; commit", "preprepare s", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE"},
        {"PT-08 nobody to ask", "enlist s sup superior", "preprepare s", STATUS_SUCCESS,
         "PrePrepared", "clock 2; s PREPREPARE_COMPLETE"},
        {"PT-09", SUP, "prepare s", STATUS_SUCCESS, "PrePreparing", "clock 2; a PREPREPARE"},
        {"PT-09 after a request", SUPR "; commit", "prepare s", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE"},
        {"PT-09 nobody to ask", "enlist s sup superior", "prepare s", STATUS_SUCCESS, "Prepared",
         "clock 2; s PREPARE_COMPLETE"},
        {"PT-09 sup1", SUP, "decide s", STATUS_SUCCESS, "PrePreparing", "clock 2; a PREPREPARE"},
        {"PT-09 sup1 after a request", SUPR "; commit", "decide s", STATUS_SUCCESS, "PrePreparing",
         "clock 2; a PREPREPARE"},
        {"PT-09 sup1, nobody to ask", "enlist s sup superior", "decide s", STATUS_SUCCESS,
         "Forgotten committed signalled", "clock 2; s COMMIT_COMPLETE"},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(enlisting_by_state) /* PT-10 PT-21 PT-24 ENL-CREATE-10..13, -16 */
{
    static const struct row rows[] = {
        {"PT-10", "", "enlist a full", STATUS_SUCCESS, "Active", ""},
        {"PT-10 the same RM again", "enlist a full", "enlist b full by A", STATUS_SUCCESS, "Active",
         ""},
        {"PT-10 while commit is requested", SUPR "; commit", "enlist b full", STATUS_SUCCESS,
         "Active", ""},
        {"PT-21", "enlist a full; commit", "enlist b full", STATUS_SUCCESS, "PrePreparing",
         "b PREPREPARE"},
        {"PT-21 its answer is waited for", "enlist a full; commit; enlist b full", "preprepared a",
         STATUS_SUCCESS, "PrePreparing", ""},
        {"PT-21 it takes part from here on", "enlist a full; commit; enlist b full; preprepared a",
         "preprepared b", STATUS_SUCCESS, "Preparing", "a PREPARE; b PREPARE"},
        {"PT-21 without phase 0", "enlist a full; commit", "enlist b 2pc", STATUS_SUCCESS,
         "PrePreparing", ""},
        {"PT-21 the same, later", "enlist a full; commit; enlist b 2pc", "preprepared a",
         STATUS_SUCCESS, "Preparing", "a PREPARE; b PREPARE"},
        {"PT-24 with", SUP_PREPREPARED, "enlist b full", STATUS_TRANSACTION_MUST_WRITETHROUGH,
         "PrePrepared", ""},
        {"PT-24 without", SUP_PREPREPARED, "enlist b 2pc", STATUS_SUCCESS, "PrePrepared", ""},
        {"PT-24 it is asked to prepare", SUP_PREPREPARED "; enlist b 2pc", "prepare s",
         STATUS_SUCCESS, "Preparing", "a PREPARE; b PREPARE"},
        {"ENL-CREATE-10", TWO_PREPARING, "enlist c full", STATUS_TRANSACTION_NOT_ACTIVE,
         "Preparing", ""},
        {"ENL-CREATE-10", "enlist a full+spc; commit", "enlist c full",
         STATUS_TRANSACTION_NOT_ACTIVE, "Delegated", ""},
        {"ENL-CREATE-10", SUP_PREPARED, "enlist c full", STATUS_TRANSACTION_NOT_ACTIVE, "Prepared",
         ""},
        {"ENL-CREATE-10", SUP_INDOUBT, "enlist c full", STATUS_TRANSACTION_NOT_ACTIVE, "InDoubt",
         ""},
        {"ENL-CREATE-10", TWO_COMMITTED, "enlist c full", STATUS_TRANSACTION_NOT_ACTIVE,
         "Committed committed", ""},
        {"ENL-CREATE-10", TWO "; rollback", "enlist c full", STATUS_TRANSACTION_NOT_ACTIVE,
         "Aborted aborted signalled", ""},
        {"ENL-CREATE-13", SUP, "enlist z sup superior", STATUS_TRANSACTION_SUPERIOR_EXISTS,
         "Active", ""},
        {"ENL-CREATE-16", "enlist a full; commit", "enlist z sup superior",
         STATUS_TRANSACTION_NOT_ACTIVE, "PrePreparing", ""},
        {"ENL-CREATE-14", "enlist a full", "enlist z sup superior volatile", STATUS_TM_VOLATILE,
         "Active", ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(a_single_phase_commit) /* PT-11..17 LOG-04 ENL-SPR-02, -04 ENL-RO-09 ENL-CC-02 ENL-RB-14 */
{
#define DELEGATED "enlist d full+disc; enlist a full+spc+disc; readonly d; commit"
    static const struct row rows[] = {
        {"PT-11 and nothing is logged", DELEGATED, "committed a", STATUS_SUCCESS,
         "Forgotten committed signalled", ""},
        {"PT-12", DELEGATED, "reject a", STATUS_SUCCESS, "PrePreparing", "a PREPREPARE"},
        {"PT-12 goes on as any other", DELEGATED "; reject a; preprepared a", "prepared a",
         STATUS_SUCCESS, "Committed committed", "force COMMIT; a COMMIT"},
        {"PT-12 nobody asks for phase 0", "enlist a 2pc+spc; commit", "reject a", STATUS_SUCCESS,
         "Preparing", "a PREPARE"},
        {"PT-13", DELEGATED, "veto a", STATUS_SUCCESS, "Aborted aborted signalled", "a ROLLBACK"},
        {"PT-13 callback", DELEGATED, "fail a SPC", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK"},
        {"PT-14", DELEGATED, "readonly a", STATUS_SUCCESS, "Forgotten committed signalled", ""},
        {"PT-15 client", DELEGATED, "rollback", STATUS_TRANSACTION_REQUEST_NOT_VALID, "Delegated",
         ""},
        {"PT-15 timer", DELEGATED, "timeout", STATUS_SUCCESS, "Delegated", ""},
        {"PT-15 commit", DELEGATED, "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID, "Delegated",
         ""},
        {"PT-15 the last handle CLOSE-TX-02", DELEGATED, "close t", STATUS_SUCCESS, "Delegated",
         ""},
        {"PT-16", DELEGATED, "close a", STATUS_SUCCESS, "Delegated unavailable signalled",
         "d RM_DISCONNECTED"},
        {"PT-16 by its RM", DELEGATED, "close A", STATUS_SUCCESS, "Delegated unavailable signalled",
         "d RM_DISCONNECTED"},
        {"PT-16 the mask decides who hears", "enlist d full; enlist a full+spc; readonly d; commit",
         "close a", STATUS_SUCCESS, "Delegated unavailable signalled", ""},
        {"PT-17", DELEGATED "; close a", "commit", STATUS_TRANSACTION_REQUEST_NOT_VALID,
         "Delegated unavailable signalled", ""},
        {"PT-17", DELEGATED "; close a", "rollback", STATUS_TRANSACTION_REQUEST_NOT_VALID,
         "Delegated unavailable signalled", ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(phases_end_with_the_last_answer) /* PT-18..20, 22, 23, 25 INV-10 NOTIF-03 ROLL-TMO-03 */
{
    static const struct row rows[] = {
        {"PT-18", TWO "; commit", "preprepared a", STATUS_SUCCESS, "PrePreparing", ""},
        {"PT-18", TWO "; commit", "readonly a", STATUS_SUCCESS, "PrePreparing", ""},
        {"PT-19", TWO "; commit; preprepared a", "preprepared b", STATUS_SUCCESS, "Preparing",
         "a PREPARE; b PREPARE"},
        {"PT-19 read-only", TWO "; commit; preprepared a", "readonly b", STATUS_SUCCESS,
         "Preparing", "a PREPARE"},
        {"PT-19 sup1", SUP "; decide s", "preprepared a", STATUS_SUCCESS, "Preparing", "a PREPARE"},
        {"PT-19 prepare was called", SUP "; prepare s", "preprepared a", STATUS_SUCCESS,
         "Preparing", "a PREPARE"},
        {"PT-20", SUP "; preprepare s", "preprepared a", STATUS_SUCCESS, "PrePrepared",
         "s PREPREPARE_COMPLETE"},
        {"PT-22 client", TWO "; commit", "rollback", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"PT-22 client", SUP_PREPREPARED, "rollback", STATUS_SUCCESS, "Aborted aborted signalled",
         "s ROLLBACK; a ROLLBACK"},
        {"PT-22 client", TWO_PREPARING "; prepared a", "rollback", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"PT-22 veto in phase 0", TWO "; commit; preprepared a", "veto a", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"PT-22 veto in phase 1 ROLL-13", TWO_PREPARING "; prepared a", "veto b", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"PT-22 the superior", SUP_PREPARING, "veto s", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK"},
        {"PT-22 timer", TWO "; commit", "timeout", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"PT-22 timer", SUP_PREPREPARED, "timeout", STATUS_SUCCESS, "Aborted aborted signalled",
         "s ROLLBACK; a ROLLBACK"},
        {"PT-22 timer", TWO_PREPARING, "timeout", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"PT-22 callback ROLL-10", TWO "; commit", "fail a PREPREPARE", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"PT-22 callback ROLL-10", TWO_PREPARING, "fail b PREPARE", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK; b ROLLBACK"},
        {"PT-22 closed", TWO_PREPARING, "close a", STATUS_SUCCESS, "Aborted aborted signalled",
         "a ROLLBACK; b ROLLBACK"},
        {"PT-22 RM closed", TWO_PREPARING, "close A", STATUS_SUCCESS, "Aborted aborted signalled",
         "b ROLLBACK"},
        {"PT-22 the superior is lost", SUP_PREPARING, "close s", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK"},
        {"PT-23", SUP_PREPREPARED, "prepare s", STATUS_SUCCESS, "Preparing", "a PREPARE"},
        {"PT-25", TWO_PREPARING, "prepared a", STATUS_SUCCESS, "Preparing", ""},
        {"PT-25", TWO_PREPARING, "readonly a", STATUS_SUCCESS, "Preparing", ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(the_decision) /* PT-26..33 LOG-02..05 VOL-03, -04 */
{
    static const struct row rows[] = {
        {"PT-26 volatile VOL-04", "enlist a full volatile; commit; preprepared a", "prepared a",
         STATUS_SUCCESS, "Committed committed", "a COMMIT"},
        {"PT-26 all read-only", TWO_PREPARING "; readonly a", "readonly b", STATUS_SUCCESS,
         "Forgotten committed signalled", ""},
        {"PT-26 who does not ask for COMMIT needs no record", "enlist a pr; commit",
         "preprepared a", STATUS_SUCCESS, "Forgotten committed signalled", ""},
        {"PT-27", TWO_PREPARING "; prepared a", "prepared b", STATUS_SUCCESS, "Committed committed",
         "force COMMIT; a COMMIT; b COMMIT"},
        {"PT-27 one durable among volatile VOL-03",
         "enlist a full volatile; enlist b full; commit; preprepared a; preprepared b; prepared b",
         "prepared a", STATUS_SUCCESS, "Committed committed", "force COMMIT; a COMMIT; b COMMIT"},
        {"PT-27 the last is read-only", TWO_PREPARING "; prepared a", "readonly b", STATUS_SUCCESS,
         "Committed committed", "force COMMIT; a COMMIT"},
        {"PT-27 sup1", SUP "; decide s; preprepared a", "prepared a", STATUS_SUCCESS,
         "Committed committed", "force COMMIT; a COMMIT"},
        {"PT-28", TWO_PREPARING "; prepared a; log fails", "prepared b", STATUS_SUCCESS,
         "Aborted aborted signalled", "force COMMIT; a ROLLBACK; b ROLLBACK"},
        {"PT-28 sup1", SUP "; decide s; preprepared a; log fails", "prepared a", STATUS_SUCCESS,
         "Aborted aborted signalled", "force COMMIT; s ROLLBACK; a ROLLBACK"},
        {"PT-29", "enlist s sup superior; enlist a full volatile; prepare s; preprepared a",
         "prepared a", STATUS_SUCCESS, "Prepared", "s PREPARE_COMPLETE"},
        {"PT-30", SUP_PREPARING, "prepared a", STATUS_SUCCESS, "Prepared",
         "force PREPARE; s PREPARE_COMPLETE"},
        {"PT-31", SUP_PREPARING "; log fails", "prepared a", STATUS_SUCCESS,
         "Aborted aborted signalled", "force PREPARE; s ROLLBACK; a ROLLBACK"},
        {"PT-32", SUP_PREPARED, "decide s", STATUS_SUCCESS, "Committed committed",
         "force COMMIT; a COMMIT"},
        {"PT-32 no record needed",
         "enlist s sup superior; enlist a full volatile; prepare s; preprepared a; prepared a",
         "decide s", STATUS_SUCCESS, "Committed committed", "a COMMIT"},
        {"PT-33 LOG-05", SUP_PREPARED, "veto s", STATUS_SUCCESS, "Aborted aborted signalled",
         "append ABORT; a ROLLBACK"},
        {"PT-33 nothing was logged",
         "enlist s sup superior; enlist a full volatile; prepare s; preprepared a; prepared a",
         "veto s", STATUS_SUCCESS, "Aborted aborted signalled", "a ROLLBACK"},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(prepared_and_in_doubt) /* PT-34..39 CLOSE-EN-09 RECOV-45 ROLL-TMO-02 OP-30 */
{
    static const struct row rows[] = {
        {"PT-34", SUP_PREPARED, "close s", STATUS_SUCCESS, "InDoubt", ""},
        {"PT-34 by its RM", SUP_PREPARED, "close S", STATUS_SUCCESS, "InDoubt", ""},
        {"PT-35",
         "enlist s sup+outcome superior; enlist a full; prepare s; preprepared a; prepared a",
         "outcome a", STATUS_SUCCESS, "Prepared", "s REQUEST_OUTCOME"},
        {"PT-35 not asked for", SUP_PREPARED, "outcome a", STATUS_SUCCESS, "Prepared", ""},
        {"PT-36 unclear, from Preparing", TWO_PREPARING "; prepared a; log unclear", "prepared b",
         STATUS_SUCCESS, "InDoubt unavailable signalled", "force COMMIT"},
        {"PT-36 unclear, from Prepared", SUP_PREPARED "; log unclear", "decide s", STATUS_SUCCESS,
         "InDoubt unavailable signalled", "force COMMIT"},
        {"PT-36 failed, from Prepared", SUP_PREPARED "; log fails", "decide s", STATUS_SUCCESS,
         "InDoubt unavailable signalled", "force COMMIT"},
        {"PT-36 failed, from InDoubt", SUP_INDOUBT "; open S; recover S; log fails", "decide s",
         STATUS_SUCCESS, "InDoubt unavailable signalled", "force COMMIT"},
        {"PT-36 nothing can be decided any more", SUP_PREPARED "; log fails; decide s", "decide s",
         STATUS_TRANSACTIONMANAGER_NOT_ONLINE, "InDoubt unavailable signalled", ""},
        {"PT-36", SUP_PREPARED "; log fails; decide s", "veto s",
         STATUS_TRANSACTION_REQUEST_NOT_VALID, "InDoubt unavailable signalled", ""},
        {"PT-37 client", SUP_PREPARED, "rollback", STATUS_TRANSACTION_REQUEST_NOT_VALID, "Prepared",
         ""},
        {"PT-37 client", SUP_INDOUBT, "rollback", STATUS_TRANSACTION_REQUEST_NOT_VALID, "InDoubt",
         ""},
        {"PT-37 timer", SUP_PREPARED, "timeout", STATUS_SUCCESS, "Prepared", ""},
        {"PT-37 timer", SUP_INDOUBT, "timeout", STATUS_SUCCESS, "InDoubt", ""},
        {"PT-37 shutdown CLOSE-TM-02", SUP_PREPARED, "shutdown", STATUS_SUCCESS, "Prepared", ""},
        {"PT-37 the last handle CLOSE-TX-05", SUP_PREPARED, "close t", STATUS_SUCCESS, "Prepared",
         ""},
        {"PT-37 subordinate", SUP_PREPARED, "veto a", STATUS_TRANSACTION_REQUEST_NOT_VALID,
         "Prepared", ""},
        {"PT-37 one that was not asked to prepare", "enlist s sup superior; enlist a cr; prepare s",
         "veto a", STATUS_TRANSACTION_REQUEST_NOT_VALID, "Prepared", ""},
        {"PT-37 subordinate", SUP_INDOUBT, "veto a", STATUS_TRANSACTION_REQUEST_NOT_VALID,
         "InDoubt", ""},
        {"PT-38 to those that stayed", SUP_INDOUBT "; open S; recover S", "decide s",
         STATUS_SUCCESS, "Committed committed", "force COMMIT; a COMMIT"},
        {"PT-38 those that are lost hear later", SUP_INDOUBT "; close A; open S; recover S",
         "decide s", STATUS_SUCCESS, "Committed committed signalled", "force COMMIT"},
        {"PT-38 and those told INDOUBT at once",
         "enlist s sup superior; enlist a full+indoubt; prepare s; preprepared a; prepared a; "
         "close s; close A; open A; recover A; recover a; open S; recover S",
         "decide s", STATUS_SUCCESS, "Committed committed", "force COMMIT; a COMMIT"},
        {"PT-38 no record needed",
         "enlist s sup superior; enlist a full volatile; prepare s; preprepared a; prepared a; "
         "close s; recover S",
         "decide s", STATUS_SUCCESS, "Committed committed", "a COMMIT"},
        {"PT-39", SUP_INDOUBT "; open S; recover S", "veto s", STATUS_SUCCESS,
         "Aborted aborted signalled", "append ABORT; a ROLLBACK"},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(completion) /* PT-40..49 LOG-06 SIG-01, -02 ENL-CC-04 ENL-RC-03 RECOV-24, -25, -28 */
{
#define A_OFFLINE TWO_COMMITTED "; close A"
    static const struct row rows[] = {
        {"PT-40", TWO_COMMITTED, "committed a", STATUS_SUCCESS, "Committed committed", ""},
        {"PT-41", TWO_COMMITTED "; committed b", "committed a", STATUS_SUCCESS,
         "Forgotten committed signalled", "append FORGET"},
        {"PT-41 nothing to forget", "enlist a full volatile; commit; preprepared a; prepared a",
         "committed a", STATUS_SUCCESS, "Forgotten committed signalled", ""},
        {"PT-41 the superior is told", SUP_PREPARED "; decide s", "committed a", STATUS_SUCCESS,
         "Forgotten committed signalled", "append FORGET; s COMMIT_COMPLETE"},
        {"PT-42 one is offline", A_OFFLINE, "committed b", STATUS_SUCCESS,
         "Committed committed signalled", ""},
        {"PT-42 the last attached one goes", A_OFFLINE, "close b", STATUS_SUCCESS,
         "Committed committed signalled", ""},
        {"PT-43 and the end after it", A_OFFLINE "; committed b; open A; recover A", "recover a",
         STATUS_SUCCESS, "Committed committed signalled", "a COMMIT"},
        {"PT-41 late", A_OFFLINE "; committed b; open A; recover A; recover a", "committed a",
         STATUS_SUCCESS, "Forgotten committed signalled", "append FORGET"},
        {"PT-44", TWO_COMMITTED, "commit", STATUS_TRANSACTION_ALREADY_COMMITTED,
         "Committed committed", ""},
        {"PT-44", TWO_COMMITTED, "rollback", STATUS_TRANSACTION_ALREADY_COMMITTED,
         "Committed committed", ""},
        {"PT-44", "commit", "commit", STATUS_TRANSACTION_ALREADY_COMMITTED,
         "Forgotten committed signalled", ""},
        {"PT-44", "commit", "rollback", STATUS_TRANSACTION_ALREADY_COMMITTED,
         "Forgotten committed signalled", ""},
        {"PT-44 with a superior TX-COMMIT-23", SUP_PREPARED "; decide s", "commit",
         STATUS_TRANSACTION_ALREADY_COMMITTED, "Committed committed", ""},
        {"PT-44 nothing closes it CLOSE-TX-05", TWO_COMMITTED, "close t", STATUS_SUCCESS,
         "Committed committed", ""},
        {"PT-44 nor is time of any matter ROLL-TMO-02", TWO_COMMITTED, "timeout", STATUS_SUCCESS,
         "Committed committed", ""},
        {"PT-45", TWO "; rollback", "rolledback a", STATUS_SUCCESS, "Aborted aborted signalled",
         ""},
        {"PT-46", TWO "; rollback; rolledback a", "rolledback b", STATUS_SUCCESS,
         "Forgotten aborted signalled", ""},
        {"PT-46 ROLL-15 the superior is told", SUP "; veto s", "rolledback a", STATUS_SUCCESS,
         "Forgotten aborted signalled", "s ROLLBACK_COMPLETE"},
        {"PT-46 ROLL-15 but not before its own answer", SUP "; rollback", "rolledback a",
         STATUS_SUCCESS, "Aborted aborted signalled", ""},
        {"PT-46 ROLL-15 then", SUP "; rollback; rolledback a", "rolledback s", STATUS_SUCCESS,
         "Forgotten aborted signalled", "s ROLLBACK_COMPLETE"},
        {"PT-47", TWO "; rollback", "commit", STATUS_TRANSACTION_ALREADY_ABORTED,
         "Aborted aborted signalled", ""},
        {"PT-47", TWO "; rollback", "rollback", STATUS_SUCCESS, "Aborted aborted signalled", ""},
        {"PT-47", "rollback", "commit", STATUS_TRANSACTION_ALREADY_ABORTED,
         "Forgotten aborted signalled", ""},
        {"PT-47", "rollback", "rollback", STATUS_SUCCESS, "Forgotten aborted signalled", ""},
        {"PT-48", SUP_PREPARED "; close A; veto s; open A; recover A", "recover a", STATUS_SUCCESS,
         "Aborted aborted signalled", "a ROLLBACK"},
        {"PT-48 and the end after it",
         SUP_PREPARED "; close A; veto s; open A; recover A; recover a", "rolledback a",
         STATUS_SUCCESS, "Forgotten aborted signalled", "s ROLLBACK_COMPLETE"},
        {"PT-49 stale vote", TWO "; commit; rollback", "preprepared a",
         STATUS_TRANSACTION_NOT_REQUESTED, "Aborted aborted signalled", ""},
        {"PT-49 stale vote TX-ROLLBACK-08", TWO_PREPARING "; rollback", "prepared a",
         STATUS_TRANSACTION_NOT_REQUESTED, "Aborted aborted signalled", ""},
        {"PT-49 twice", TWO_COMMITTED "; committed a", "committed a",
         STATUS_TRANSACTION_NOT_REQUESTED, "Committed committed", ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(the_tm_goes_offline_with_its_log) /* PT-28 PT-31 PT-36 LOG-11 LOG-12 TM-STATE-03 ROLL-08 */
{
    static const struct {
        const char *script;
        bool is_offline;
        NTSTATUS commit_status;
    } cases[] = {
        {TWO_PREPARING "; prepared a; log fails; prepared b", true, 0},
        {SUP_PREPARING "; log fails; prepared a", true, 0},
        {SUP_PREPARING "; log unclear; prepared a", true, 0},
        {TWO_PREPARING "; prepared a; log unclear; prepared b", true,
         STATUS_TRANSACTIONMANAGER_NOT_ONLINE},
        {SUP_PREPARED "; log fails; decide s", true, STATUS_TRANSACTIONMANAGER_NOT_ONLINE},
        {DELEGATED "; close a", false, STATUS_RM_DISCONNECTED}, /* TX-COMMIT-15 */
        {TWO_PREPARING "; prepared a; log toolong; prepared b", false,
         STATUS_TRANSACTION_RECORD_TOO_LONG}, /* TX-COMMIT-24 */
        {TWO_PREPARING "; prepared a; prepared b", false, 0},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT_EQ(it->is_offline ? KTM_OFFLINE : KTM_ONLINE, p->ktm.state);
        EXPECT_EQ(it->commit_status, play_tx(p, 't')->commit_status);
    }
}

TEST(an_unclear_prepare_record_aborts) /* PT-31 */
{
    owned(play_destroy) struct play *p = play_create(false);

    EXPECT_TEXT("force PREPARE; append ABORT; s ROLLBACK; a ROLLBACK",
                play_ok(p, SUP_PREPARING "; log unclear; prepared a"));
    EXPECT_TEXT("Aborted aborted signalled", play_state(p, 't'));
}

/* While the log is asked nobody may change his mind, and what cannot wait is remembered. */
TEST(while_the_log_decides) /* LOG-02 CLOSE-EN-06 ROLL-TMO-02 INV-04 */
{
    static const char *const requests[] = {"commit",   "rollback",     "prepared a",   "readonly c",
                                           "veto c",   "committed a",  "rolledback a", "outcome a",
                                           "reject a", "preprepared a"};
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a full; enlist b full; enlist c cr; enlist d full volatile; log waits; "
               "commit; preprepared a; preprepared b; preprepared d; prepared a; prepared b");
    EXPECT_TEXT("force COMMIT", play_ok(p, "prepared d"));
    EXPECT_TEXT("Preparing", play_state(p, 't'));
    EACH (request, requests) {
        EXPECT_TEXT("", play(p, *request));
        EXPECT_STATUS(STATUS_DEVICE_BUSY, p->status);
    }
    EXPECT_TEXT("", play_ok(p, "timeout"));
    EXPECT_TEXT("", play_ok(p, "shutdown"));
    EXPECT_TEXT("", play_ok(p, "close t"));
    EXPECT_TEXT("", play_ok(p, "close a"));
    EXPECT_TEXT("", play_ok(p, "close D"));
    EXPECT_TEXT("", play_ok(p, "fail b PREPARE"));
    EXPECT_TEXT("Preparing", play_state(p, 't'));
    EXPECT_TEXT("b COMMIT; c COMMIT", play_ok(p, "forced"));
    EXPECT_TEXT("OFFLINE", play_enlistment_state(p, 'a'));
    EXPECT_TEXT("FINISHED", play_enlistment_state(p, 'd'));
}

TEST(a_superior_lost_while_the_log_is_asked) /* PT-34 CLOSE-EN-05 */
{
    static const struct {
        const char *lost, *state, *en_state, *trace;
    } cases[] = {
        {"close s", "InDoubt", "PREPARED", ""},
        {"close a", "Prepared", "OFFLINE", "s PREPARE_COMPLETE"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, SUP_PREPARING "; log waits; prepared a");
        EXPECT_TEXT("", play_ok(p, it->lost));
        EXPECT_TEXT("Preparing", play_state(p, 't'));
        EXPECT_TEXT(it->trace, play_ok(p, "forced"));
        EXPECT_TEXT(it->state, play_state(p, 't'));
        EXPECT_TEXT(it->en_state, play_enlistment_state(p, 'a'));
    }
}

TEST(closing_the_last_transaction_handle) /* CLOSE-TX-01..05 */
{
    static const struct row rows[] = {
        {"CLOSE-TX-01", "", "close t", STATUS_SUCCESS, "Forgotten aborted signalled", ""},
        {"CLOSE-TX-02", TWO "; commit", "close t", STATUS_SUCCESS, "PrePreparing", ""},
        {"CLOSE-TX-02", SUP_PREPREPARED, "close t", STATUS_SUCCESS, "PrePrepared", ""},
        {"CLOSE-TX-02", TWO_PREPARING, "close t", STATUS_SUCCESS, "Preparing", ""},
        {"CLOSE-TX-02 it goes on to its outcome", TWO_PREPARING "; close t; prepared a",
         "prepared b", STATUS_SUCCESS, "Committed committed", "force COMMIT; a COMMIT; b COMMIT"},
        {"CLOSE-TX-03", SUPR "; commit", "close t", STATUS_SUCCESS, "Active", ""},
        {"CLOSE-TX-03 the superior decides", SUPR "; commit; close t", "decide s", STATUS_SUCCESS,
         "PrePreparing", "clock 2; a PREPREPARE"},
        {"CLOSE-TX-05", SUP_INDOUBT, "close t", STATUS_SUCCESS, "InDoubt", ""},
        {"CLOSE-TX-05", TWO "; rollback", "close t", STATUS_SUCCESS, "Aborted aborted signalled",
         ""},
    };

    expect_rows(rows, ARRAY_SIZE(rows));
}

TEST(the_reason_of_an_abort_is_kept)
{
    static const struct {
        const char *script;
        enum abort_reason reason;
        char rm;
    } cases[] = {
        {TWO "; rollback", REASON_CLIENT, 0},
        {TWO "; veto b", REASON_RESOURCE_MANAGER, 'B'},
        {SUP "; veto s", REASON_SUPERIOR, 'S'},
        {TWO "; timeout", REASON_TIMEOUT, 0},
        {TWO "; close t", REASON_TX_CLOSED, 0},
        {TWO "; close b", REASON_EN_CLOSED, 'B'},
        {TWO "; shutdown", REASON_TM_CLOSED, 0},
        {TWO "; commit; fail a PREPREPARE", REASON_CALLBACK, 'A'},
        {TWO_PREPARING "; prepared a; log fails; prepared b", REASON_LOG, 0},
        {TWO_PREPARING "; prepared a; log toolong; prepared b", REASON_RECORD_TOO_LONG, 0},
        {TWO_PREPARING "; prepared a; outcome a", REASON_OUTCOME_REQUESTED, 'A'},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);
        struct transaction *tx;
        GUID none = {0}, rm = play_guid(it->rm);

        play_ok(p, it->script);
        tx = play_tx(p, 't');
        EXPECT_TEXT(abort_reason_text(it->reason), abort_reason_text(tx->reason));
        EXPECT_BYTES(it->rm ? &rm : &none, &tx->abort_rm, sizeof(GUID));
    }
}

TEST(a_transaction_is_active_until_commit_or_rollback_begins) /* TMR-14 */
{
    static const struct {
        const char *script;
        bool is_active;
    } cases[] = {
        {"enlist a full", true},
        {SUPR "; commit", true},
        {"enlist a full; commit", false},
        {"enlist a full+spc; commit", false},
        {SUP "; preprepare s", false},
        {"rollback", false},
        {"commit", false},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT_EQ(it->is_active, atomic_load(&play_tx(p, 't')->is_active));
    }
}

/* Armed in these states, stopped in those. */
TEST(which_states_a_time_out_still_concerns) /* ROLL-TMO-01..03 ENL-SPR-05 */
{
    static const struct {
        const char *script;
        bool wants;
    } cases[] = {
        {"enlist a full", true},
        {"enlist a full; commit", true},
        {SUP_PREPREPARED, true},
        {SUP_PREPARING, true},
        {SUP_PREPARED, false},
        {SUP_INDOUBT, false},
        {"enlist a full+spc; commit", false},
        {TWO_COMMITTED, false},
        {"commit", false},
        {"enlist a full; rollback", false},
        {"enlist a full; timeout", false},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT_EQ(it->wants, transaction_wants_timer(play_tx(p, 't')));
    }
}

TEST(the_history_is_a_ring_of_the_last_changes)
{
    owned(play_destroy) struct play *p = play_create(false);
    struct transaction *tx = play_tx(p, 't');

    transaction_note(tx, KTM_TX_COMMIT, 7);
    EXPECT_EQ(1, tx->history_count);
    EXPECT_EQ(KTM_TX_COMMIT, tx->history[0].event);
    EXPECT_EQ(TX_ACTIVE, tx->history[0].state);
    EXPECT_EQ(7, tx->history[0].at);
    for (uint64_t now = 8; now < 600; now++) {
        transaction_note(tx, KTM_TX_TIMEOUT, now);
        EXPECT(tx->history_count >=
               (now < 15 ? now - 6 : HISTORY_SIZE)); /* never seems empty again */
        EXPECT_EQ(now, tx->history[(tx->history_count - 1) % HISTORY_SIZE].at);
    }
}
