/* SPDX-License-Identifier: MIT */
/* Every event, state and reason has a word of its own. */
#include "tests/test.h"

#include "core/ktm.h"

TEST(every_event_has_a_name)
{
    for (int event = 1; event < KTM_EVENTS; event++) {
        EXPECT(strcmp(ktm_event_name(event), "?") != 0);
        for (int other = 1; other < event; other++)
            EXPECT(strcmp(ktm_event_name(event), ktm_event_name(other)) != 0);
    }
    EXPECT_TEXT("?", ktm_event_name(0));
    EXPECT_TEXT("?", ktm_event_name(KTM_EVENTS));
    EXPECT_TEXT("?", ktm_event_name(-1));
}

TEST(every_state_has_a_name)
{
    static const int states[] = {TX_ACTIVE,    TX_PREPARING,  TX_PREPARED,  TX_INDOUBT,
                                 TX_COMMITTED, TX_ABORTED,    TX_DELEGATED, TX_PREPREPARING,
                                 TX_FORGOTTEN, TX_PREPREPARED};

    EACH (state, states)
        EXPECT(strcmp(transaction_state_name(*state), "?") != 0);
    EXPECT_TEXT("?", transaction_state_name(0));
    EXPECT_TEXT("?", transaction_state_name(10));
    EXPECT_TEXT("?", transaction_state_name(99));
}

TEST(every_reason_has_a_sentence)
{
    for (int reason = 0; reason < REASONS; reason++)
        EXPECT(strlen(abort_reason_text((enum abort_reason)reason)) > 5);
    EXPECT_TEXT("?", abort_reason_text(REASONS));
}
