/* SPDX-License-Identifier: MIT */
/* KTM_TRACE: each call is a line with its arguments and its status, as the table of services has
 * them (design D16). */
#include <unistd.h>

#include "tests/nt/kit.h"

#include "nt/services.h"

static char path[300];

static void
trace_to_file(void)
{
    snprintf(path, sizeof(path), "%s/trace", test_directory());
    EXPECT_EQ(0, setenv("KTM_TRACE", path, 1));
}

/* The line of the last call of this name, without time and thread in front and duration behind;
 * NULL: there is none. */
static const char *
line_of(const char *name)
{
    static char found[1100];
    char line[1100], *call, *end;
    FILE *file = fopen(path, "r");
    bool is_found = false;

    EXPECT(file);
    while (fgets(line, sizeof(line), file)) {
        call = strstr(line, "] ");
        EXPECT(call && strchr(line, '\n'));
        call += 2;
        if (strncmp(call, name, strlen(name)) != 0 || call[strlen(name)] != '(')
            continue;
        end = strrchr(call, '<');
        EXPECT(end && end > call && end[-1] == ' ');
        end[-1] = 0;
        snprintf(found, sizeof(found), "%s", call);
        is_found = true;
    }
    EXPECT_EQ(0, fclose(file));
    return is_found ? found : NULL;
}

#define EXPECT_LINE(name, ...)                                                                     \
    do {                                                                                           \
        char wanted_[1100];                                                                        \
        const char *got_ = line_of(name);                                                          \
                                                                                                   \
        snprintf(wanted_, sizeof(wanted_), __VA_ARGS__);                                           \
        EXPECT(got_);                                                                              \
        EXPECT_TEXT(wanted_, got_);                                                                \
    } while (0)

TEST(calls_are_lines_with_their_arguments)
{
    UNICODE_STRING name = wide("\\pay"), text = wide("salaries");
    OBJECT_ATTRIBUTES named = attributes(&name, OBJ_OPENIF);
    GUID uow = guid_number(1);
    LARGE_INTEGER hour = milliseconds(3600000), clock = {.QuadPart = 7};
    HANDLE tm, rm, tx, en;
    TRANSACTION_NOTIFICATION note;
    ULONG length;

    trace_to_file();
    tm = new_volatile_tm();
    EXPECT_LINE("NtCreateTransactionManager",
                "NtCreateTransactionManager([%p], 0xf003f, NULL, NULL, 1, 0) = STATUS_SUCCESS", tm);
    EXPECT_OK(NtCreateTransaction(&tx, 0x12003f, &named, &uow, tm, 0, 0, 3, &hour, &text));
    EXPECT_LINE("NtCreateTransaction",
                "NtCreateTransaction([%p], 0x12003f, {\"\\pay\", 0x80}, "
                "{7e570001-4b54-4d4d-8001-020304050601}, %p, 0, 0, 3, -36000000000, \"salaries\") "
                "= STATUS_SUCCESS",
                tx, tm);
    rm = new_volatile_rm(tm);
    en = new_en(rm, tx, MASK_TWO, key_number(1));
    EXPECT_LINE("NtCreateEnlistment",
                "NtCreateEnlistment([%p], 0xf001f, %p, %p, NULL, 0, PREPARE|COMMIT|ROLLBACK, %p) = "
                "STATUS_SUCCESS",
                en, rm, tx, key_number(1));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_LINE("NtCommitTransaction", "NtCommitTransaction(%p, FALSE) = STATUS_PENDING", tx);
    EXPECT_OK(NtGetNotificationResourceManager(rm, &note, sizeof(note), &clock, &length, 0, 0));
    EXPECT_LINE("NtGetNotificationResourceManager",
                "NtGetNotificationResourceManager(%p, [PREPARE key %p clock 2], 32, 7, [32], 0, 0) "
                "= STATUS_SUCCESS",
                rm, key_number(1));
    EXPECT_STATUS(STATUS_PENDING, ZwPrepareComplete(en, &clock)); /* a twin is the same call */
    EXPECT_LINE("NtPrepareComplete", "NtPrepareComplete(%p, 7) = STATUS_PENDING", en);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtRollbackComplete(en, NULL));
    EXPECT_LINE("NtRollbackComplete",
                "NtRollbackComplete(%p, NULL) = STATUS_TRANSACTION_NOT_REQUESTED", en);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtPropagationFailed(rm, 9, STATUS_NOT_FOUND));
    EXPECT_LINE("NtPropagationFailed",
                "NtPropagationFailed(%p, 9, STATUS_NOT_FOUND) = STATUS_TRANSACTION_NOT_REQUESTED",
                rm);
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, NtThawTransactions());
    EXPECT_LINE("NtThawTransactions", "NtThawTransactions() = STATUS_TRANSACTIONS_NOT_FROZEN");
    EXPECT_EQ(0, unlink(path));
}

/* What a call did not give back is the pointer it would have gone to. */
TEST(refused_calls_and_odd_texts)
{
    static WCHAR lone[] = {'\\', 0xd800, 'x'}, many[200];
    UNICODE_STRING odd = {.Length = sizeof(lone), .Buffer = lone},
                   longer = {.Length = sizeof(many), .Buffer = many}, none = {.Length = 4};
    HANDLE tm, out = NULL;

    trace_to_file();
    tm = new_volatile_tm();
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateTransaction(&out, 0, NULL, NULL, tm, 0, 0, 0, NULL, &odd));
    EXPECT_LINE("NtCreateTransaction",
                "NtCreateTransaction(%p, 0x0, NULL, NULL, %p, 0, 0, 0, NULL, (6 bytes that are no "
                "text)) = STATUS_INVALID_PARAMETER",
                (void *)&out, tm);
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = 'a';
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateTransaction(&out, 1, NULL, NULL, tm, 0, 0, 0, NULL, &longer));
    EXPECT(strstr(line_of("NtCreateTransaction"), "aaaa\"...) = STATUS_INVALID_PARAMETER"));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateTransaction(&out, 1, NULL, NULL, tm, 0, 0, 0, NULL, &none));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateTransaction(NULL, 1, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    EXPECT_LINE("NtCreateTransaction",
                "NtCreateTransaction(NULL, 0x1, NULL, NULL, %p, 0, 0, 0, NULL, NULL) = "
                "STATUS_ACCESS_VIOLATION",
                tm);
}

/* Each with as many arguments as the table has for it. */
TEST(every_service_can_be_a_line)
{
    trace_to_file();
    close_handle(new_volatile_tm()); /* begins the trace */
    for (enum service_number service = 0; service < SERVICES; service++) {
        const uintptr_t nothing[10] = {0};
        char name[80], wanted[80];
        const char *line;
        unsigned commas = 0, expected = 0;

        service_trace(service, nothing, STATUS_UNSUCCESSFUL, 0);
        snprintf(name, sizeof(name), "Nt%s", services[service].name);
        snprintf(wanted, sizeof(wanted), ") = STATUS_UNSUCCESSFUL");
        line = line_of(name);
        EXPECT(line && strstr(line, wanted));
        for (; *line; line++)
            commas += *line == ',';
        for (line = services[service].arguments; *line; line++)
            expected += *line == ',';
        EXPECT_EQ(expected, commas);
    }
}

TEST(without_the_variable_there_is_no_trace)
{
    trace_to_file();
    EXPECT_EQ(0, unsetenv("KTM_TRACE"));
    close_handle(new_volatile_tm());
    EXPECT(access(path, F_OK) != 0);
}
