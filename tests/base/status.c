/* SPDX-License-Identifier: MIT */
/* Every status has its own name and its own sentence; unknown ones are answered all the same. */
#include "tests/test.h"

#define STATUS_ROW(name, win32_error, meaning) {name, #name, meaning},
static const struct row {
    NTSTATUS status;
    const char *name;
    const char *meaning;
} rows[] = {
#include "base/status_table.h"
};
#undef STATUS_ROW

TEST(every_status_has_its_name_and_meaning) /* CLFS-STAT-01 */
{
    EXPECT(ARRAY_SIZE(rows) >= 171); /* as many as the specification lists */
    EACH (row, rows) {
        EXPECT_TEXT(row->name, status_name(row->status));
        EXPECT_TEXT(row->meaning, status_meaning(row->status));
    }
}

TEST(two_statuses_are_never_explained_alike)
{
    EACH (row, rows) {
        EACH (other, rows) {
            if (row != other)
                EXPECT(strcmp(row->meaning, other->meaning) != 0);
        }
    }
}

TEST(another_name_of_a_value_gives_the_first)
{
    EXPECT_TEXT("STATUS_SUCCESS", status_name(STATUS_WAIT_0));
}

TEST(an_unknown_status_has_no_name_but_a_sentence)
{
    static const NTSTATUS unknown[] = {
        (NTSTATUS)0xC0ABCDEF, (NTSTATUS)0xFFFFFFFF, 0x3F,
        0x7FFFFFFF,           (NTSTATUS)0x80190001, (NTSTATUS)0x80000000,
    };

    EACH (status, unknown) {
        EXPECT(!status_name(*status));
        EXPECT(strstr(status_meaning(*status), NT_SUCCESS(*status) ? "succeeded" : "failed"));
    }
}

TEST(severities_that_surprise) /* GEN-03 CLFS-STAT-02 CLFS-STAT-03 */
{
    static const NTSTATUS passing[] = {STATUS_SUCCESS, STATUS_PENDING, STATUS_TIMEOUT,
                                       STATUS_OBJECT_NAME_EXISTS, STATUS_LOG_NO_RESTART};
    static const NTSTATUS failing[] = {STATUS_BUFFER_OVERFLOW, STATUS_NO_MORE_ENTRIES,
                                       STATUS_COULD_NOT_RESIZE_LOG, STATUS_UNSUCCESSFUL};

    EACH (status, passing)
        EXPECT(NT_SUCCESS(*status) && !NT_WARNING(*status) && !NT_ERROR(*status));
    EACH (status, failing)
        EXPECT(!NT_SUCCESS(*status) && NT_WARNING(*status) != NT_ERROR(*status));
}
