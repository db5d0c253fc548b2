/* SPDX-License-Identifier: MIT */
/* The superior: every request in every state (section 10), its closing, its recovery. */
#include "tests/core/play.h"

/* The superior s asks for everything; a is durable. */
#define READY "enlist s sup superior; enlist a full"

static const struct tx_state {
    const char *name;
    const char *script;
} states[] = {
    {"Active", READY},
    {"PrePreparing", READY "; preprepare s"},
    {"PrePreparing", READY "; decide s"}, /* sup1 */
    {"PrePrepared", READY "; preprepare s; preprepared a"},
    {"Preparing", READY "; prepare s; preprepared a"},
    {"Preparing", READY "; decide s; preprepared a"}, /* sup1 */
    {"Prepared", READY "; prepare s; preprepared a; prepared a"},
    {"InDoubt", READY "; prepare s; preprepared a; prepared a; close s; open S; recover S"},
    {"Committed committed", READY "; prepare s; preprepared a; prepared a; decide s"},
    {"Committed committed signalled", /* recovered */
     READY "; prepare s; preprepared a; prepared a; decide s; crash; open S; recover S; recover s"},
    {"Aborted aborted signalled", READY "; rollback"},
    {"Aborted aborted signalled", READY "; veto s"},
};
enum { STATES = ARRAY_SIZE(states) };

/* S legal, V REQUEST_NOT_VALID, A TRANSACTION_NOT_ACTIVE, B ALREADY_ABORTED, R NOT_REQUESTED, - S
 * without effect; in the order of 'states' */
static const struct {
    const char *command;
    const char *legal;
} matrix[] = {
    {"preprepare s", "SVVVVVVVVVVV"}, {"prepare s", "SVVSVVVVVVVV"},
    {"decide s", "SVAVVASSA-BB"},     {"veto s", "SSSSSSSSVVVV"},
    {"rolledback s", "RRRRRRRRRRSR"}, {"preprepared s", "RRRRRRRRRRRR"},
    {"prepared s", "RRRRRRRRRRRR"},   {"committed s", "RRRRRRRRRRRR"},
    {"readonly s", "RRRRRRRRRRRR"},   {"reject s", "RRRRRRRRRRRR"},
};

static NTSTATUS
wanted_for(char legal)
{
    switch (legal) {
    case 'V':
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    case 'A':
        return STATUS_TRANSACTION_NOT_ACTIVE;
    case 'B':
        return STATUS_TRANSACTION_ALREADY_ABORTED;
    case 'R':
        return STATUS_TRANSACTION_NOT_REQUESTED;
    default:
        return STATUS_SUCCESS;
    }
}

/* ENL-PPE-06 ENL-PE-06 ENL-CE-04, -07..09 ENL-RB-06, -07 ENL-RO-04 ENL-PPC-02 ENL-PC-02 PT-08, -09,
 * -23, -32, -33, -38, -39 CLOCK-05, -06 */
TEST(every_request_in_every_state)
{
    for (size_t s = 0; s < STATES; s++)
        EACH (call, matrix) {
            owned(play_destroy) struct play *p = play_create(false);
            char command[64], legal = call->legal[s];
            const char *trace;

            EXPECT_EQ(STATES, strlen(call->legal));
            play_ok(p, states[s].script);
            EXPECT_TEXT(states[s].name, play_state(p, 't'));
            snprintf(command, sizeof(command), "%s clock 1000", call->command);
            trace = play(p, command);
            if (p->status != wanted_for(legal))
                test_fail(__FILE__, __LINE__, "'%s' after '%s': %s", command, states[s].script,
                          status_name(p->status));
            if (legal == '-' || p->status != STATUS_SUCCESS) {
                EXPECT_TEXT("", trace);
                EXPECT_TEXT(states[s].name, play_state(p, 't'));
            }
            if (legal != '-') /* CLOCK-05, CLOCK-06 */
                EXPECT_EQ(legal == 'S', p->ktm.clock == 1000);
        }
}

TEST(the_mask_is_looked_at_first) /* MASK-11 ENL-PPE-05 ENL-PE-05 ENL-CE-06 CLOCK-06 */
{
    static const struct {
        const char *command, *mask;
    } cases[] = {
        {"preprepare s", "pc+cc+rc+r"}, {"prepare s", "ppc+cc+rc+r"}, {"decide s", "ppc+pc+rc+r"}};

    EACH (it, cases)
        for (int is_over = 0; is_over < 2; is_over++) {
            owned(play_destroy) struct play *p = play_create(false);
            char script[128];

            snprintf(script, sizeof(script), "enlist s %s superior; enlist a full%s", it->mask,
                     is_over ? "; rollback" : "");
            play_ok(p, script); /* accepted: checked at the calls only */
            snprintf(script, sizeof(script), "%s clock 1000", it->command);
            EXPECT_TEXT("", play(p, script));
            EXPECT_STATUS(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED, p->status);
            EXPECT_EQ(1, p->ktm.clock);
        }
}

TEST(three_steps) /* SCEN-11 INV-11 ENL-PPE-02 ENL-PE-01, -02, -11 ENL-CE-01, -13 CLOCK-02 */
{
    owned(play_destroy) struct play *p = play_create(false);

    EXPECT_TEXT("clock 2; a PREPREPARE; b PREPREPARE",
                play_ok(p, "enlist s sup superior; enlist a full; enlist b full; preprepare s"));
    EXPECT_TEXT("", play_ok(p, "preprepared a"));
    EXPECT_TEXT("s PREPREPARE_COMPLETE", play_ok(p, "preprepared b"));
    EXPECT_TEXT("a PREPARE; b PREPARE", play_ok(p, "prepare s"));
    EXPECT_TEXT("", play_ok(p, "prepared b"));
    EXPECT_TEXT("force PREPARE; s PREPARE_COMPLETE", play_ok(p, "prepared a"));
    EXPECT_TEXT("Prepared", play_state(p, 't'));
    EXPECT_TEXT("force COMMIT; a COMMIT; b COMMIT", play_ok(p, "decide s"));
    EXPECT_TEXT("", play_ok(p, "committed a"));
    EXPECT_TEXT("append FORGET; s COMMIT_COMPLETE", play_ok(p, "committed b"));
    EXPECT_EQ(2, p->forces);
    EXPECT_EQ(2, p->ktm.clock); /* once per transaction */
}

TEST(the_client_asks_and_the_superior_lets_ktm_do_it) /* SCEN-12 PT-04 TX-COMMIT-11 ENL-CE-02 */
{
    owned(play_destroy) struct play *p = play_create(false);

    EXPECT_TEXT("s COMMIT_REQUEST",
                play_ok(p, "enlist s sup+request superior; enlist a full; commit"));
    EXPECT(p->has_queued);      /* the client is told PENDING */
    EXPECT_EQ(1, p->ktm.clock); /* CLOCK-02 */
    EXPECT_TEXT("clock 2; a PREPREPARE", play_ok(p, "decide s"));
    EXPECT_TEXT("a PREPARE", play_ok(p, "preprepared a"));
    EXPECT_TEXT("force COMMIT; a COMMIT", play_ok(p, "prepared a"));
    EXPECT_TEXT("append FORGET; s COMMIT_COMPLETE", play_ok(p, "committed a"));
    EXPECT_EQ(1, p->forces);
}

TEST(the_superior_aborts_after_the_promise) /* SCEN-13 ROLL-03, -15 ENL-RB-08 OP-45 LOG-05 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, READY "; prepare s; preprepared a; prepared a");
    EXPECT_TEXT("append ABORT; a ROLLBACK", play_ok(p, "veto s"));
    EXPECT_TEXT("s ROLLBACK_COMPLETE", play_ok(p, "rolledback a"));
    EXPECT_EQ(1, p->forces); /* the PREPARE record; ABORT is lazy */
}

TEST(a_failed_prepare_reaches_the_superior_as_rollback) /* ENL-PE-12 ROLL-02 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, READY "; prepare s; preprepared a");
    EXPECT_TEXT("s ROLLBACK; a ROLLBACK", play_ok(p, "veto a"));
}

TEST(closing_the_superior) /* CLOSE-EN-08..10 ROLL-09 PT-34 */
{
    static const struct {
        const char *script, *en_state, *tx_state, *trace;
    } rows[] = {
        {READY, "FINISHED", "Aborted aborted signalled", "a ROLLBACK"},
        {READY "; preprepare s", "FINISHED", "Aborted aborted signalled", "a ROLLBACK"},
        {READY "; preprepare s; preprepared a", "FINISHED", "Aborted aborted signalled",
         "a ROLLBACK"},
        {READY "; prepare s; preprepared a", "FINISHED", "Aborted aborted signalled", "a ROLLBACK"},
        {READY "; prepare s; preprepared a; prepared a", "OFFLINE", "InDoubt", ""},
        {READY "; decide s; preprepared a; prepared a", "OFFLINE", "Committed committed", ""},
        {READY "; rollback", "FINISHED", "Aborted aborted signalled", ""},
        {READY "; rollback; rolledback a", "FINISHED", "Forgotten aborted signalled", ""},
        {READY "; veto s", "OFFLINE", "Aborted aborted signalled", ""},
        {READY "; decide s; preprepared a; prepared a; committed a", "FINISHED",
         "Forgotten committed signalled", ""},
    };
    static const char *const closes[] = {"close s", "close S"};

    EACH (row, rows)
        EACH (close, closes) {
            owned(play_destroy) struct play *p = play_create(false);

            play_ok(p, row->script);
            EXPECT_TEXT(row->trace, play_ok(p, *close));
            EXPECT_TEXT(row->en_state, play_enlistment_state(p, 's'));
            EXPECT_TEXT(row->tx_state, play_state(p, 't'));
        }
}

TEST(phase_2_goes_on_without_the_superior) /* CLOSE-EN-10 RECOV-42, -43 ENL-RECOVER-09 */
{
    static const struct {
        const char *script, *answer, *trace, *wanted;
    } cases[] = {
        {READY "; decide s; preprepared a; prepared a; close S", "committed a", "append FORGET",
         "s COMMIT_COMPLETE"},
        {READY "; veto s; close S", "rolledback a", "", "s ROLLBACK_COMPLETE"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT_TEXT(it->trace, play_ok(p, it->answer));               /* nothing is delivered now */
        EXPECT_TEXT("LAST_RECOVER", play_ok(p, "open S; recover S")); /* decided: no question */
        EXPECT_TEXT(it->wanted, play_ok(p, "recover s"));
        EXPECT_TEXT("FINISHED", play_enlistment_state(p, 's'));
    }
}

TEST(a_superior_comes_back_and_decides) /* RECOV-21, -26, -40, -41, -45, -46 PE-18 PT-38, -39 */
{
    static const char *const order[] = {
        "open S; recover S; recover s; open A; recover A; recover a",
        "open A; recover A; recover a; open S; recover S; recover s"};
    static const struct {
        const char *decision, *trace, *answer, *end;
    } decisions[] = {
        {"decide s", "force COMMIT; a COMMIT", "committed a", "append FORGET; s COMMIT_COMPLETE"},
        {"veto s", "append ABORT; a ROLLBACK", "rolledback a", "s ROLLBACK_COMPLETE"},
    };

    EACH (script, order)
        EACH (it, decisions) {
            owned(play_destroy) struct play *p = play_create(false);

            play_ok(p, READY "; prepare s; preprepared a; prepared a; crash");
            EXPECT_TEXT("InDoubt", play_state(p, 't'));
            play_ok(p, *script);
            EXPECT_TEXT("InDoubt", play_state(p, 't')); /* never by itself */
            EXPECT_TEXT(it->trace, play_ok(p, it->decision));
            EXPECT_TEXT(it->end, play_ok(p, it->answer));
        }
}

TEST(the_superior_tells_its_outcome_again) /* ENL-CE-04, -08 RECOV-42 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, READY "; prepare s; preprepared a; prepared a; decide s; crash");
    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "open S; recover S"));
    EXPECT_TEXT("", play_ok(p, "recover s; decide s"));
    EXPECT_TEXT("", play_ok(p, "decide s"));
    EXPECT_TEXT("a COMMIT", play_ok(p, "open A; recover A; recover a"));
    EXPECT_TEXT("append FORGET; s COMMIT_COMPLETE", play_ok(p, "committed a"));
}

TEST(what_was_decided_in_this_session_is_not_decided_again) /* ENL-CE-08 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, READY "; prepare s; preprepared a; prepared a; crash; open S; recover S; decide s");
    EXPECT_TEXT("", play(p, "decide s"));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, p->status);
}

TEST(a_question_asked_stays_asked) /* ENL-RECOVER-09 RM-RECOVER-11 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, READY "; prepare s; preprepared a; prepared a; close S; open S");
    EXPECT_TEXT("RECOVER_QUERY s; LAST_RECOVER", play_ok(p, "recover S"));
    EXPECT_TEXT("RECOVER_QUERY s; LAST_RECOVER", play_ok(p, "recover S"));
    EXPECT_TEXT("", play_ok(p, "recover s"));
    EXPECT_TEXT("RECOVERING", play_enlistment_state(p, 's'));
    EXPECT_TEXT("force COMMIT; a COMMIT", play_ok(p, "decide s"));
}
