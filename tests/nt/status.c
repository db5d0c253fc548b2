/* SPDX-License-Identifier: MIT */
/* What ktm.h says about statuses. */
#include "tests/test.h"
#include "ktm.h"

TEST(programs_can_ask_for_the_name_and_the_meaning_of_a_status)
{
    EXPECT_TEXT("STATUS_TM_VOLATILE", ktm_status_name(STATUS_TM_VOLATILE));
    EXPECT_TEXT("The transaction manager has no log, and this needs one.",
                ktm_status_text(STATUS_TM_VOLATILE));
    EXPECT(!ktm_status_name((NTSTATUS)0xC0ABCDEF));
    EXPECT(ktm_status_text((NTSTATUS)0xC0ABCDEF));
}
