/* SPDX-License-Identifier: MIT */
/* Asking and setting TM information [TM-QUERY, TM-SET]. */
#include "tests/nt/kit.h"

#define PATH_FIXED 4

static NTSTATUS
query(HANDLE tm, int class, void *into, ULONG length, ULONG *returned)
{
    return NtQueryInformationTransactionManager(tm, (TRANSACTIONMANAGER_INFORMATION_CLASS) class,
                                                into, length, returned);
}

TEST(basic_information) /* TM-QUERY-01 TM-QUERY-09 TM-QUERY-13 */
{
    TRANSACTIONMANAGER_BASIC_INFORMATION basic, same;
    HANDLE tm = new_volatile_tm(), other = duplicate(tm, TRANSACTIONMANAGER_QUERY_INFORMATION);
    ULONG length = 0;

    EXPECT_OK(query(tm, TransactionManagerBasicInformation, &basic, sizeof(basic), &length));
    EXPECT_EQ(24, length);
    EXPECT_EQ(1, basic.VirtualClock.QuadPart);
    EXPECT_OK(NtCommitTransaction(new_tx(tm), TRUE));
    EXPECT_OK(query(tm, TransactionManagerBasicInformation, &basic, sizeof(basic), NULL));
    EXPECT_OK(query(other, TransactionManagerBasicInformation, &same, sizeof(same), NULL));
    EXPECT_EQ(2, basic.VirtualClock.QuadPart);
    EXPECT_BYTES(&basic, &same, sizeof(basic));
}

TEST(fixed_classes_want_their_size) /* TM-QUERY-07 GEN-06 GEN-07 */
{
    static const struct {
        int class;
        ULONG size;
    } rows[] = {
        {TransactionManagerBasicInformation, 24},
        {TransactionManagerLogInformation, 16},
        {TransactionManagerRecoveryInformation, 8},
        {TransactionManagerOldestTransactionInformation, 16},
    };
    HANDLE tm = new_logged_tm("tm");

    EACH (row, rows) {
        unsigned char room[64];
        ULONG length = 0;

        memset(room, 0xaa, sizeof(room));
        for (ULONG size = 0; size < row->size; size++)
            EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH, query(tm, row->class, room, size, NULL));
        for (size_t i = 0; i < sizeof(room); i++)
            EXPECT_EQ(0xaa, room[i]);
        EXPECT_STATUS(STATUS_ACCESS_VIOLATION, query(tm, row->class, NULL, row->size, NULL));
        EXPECT_OK(query(tm, row->class, room, row->size, &length));
        EXPECT_EQ(row->size, length);
        EXPECT_EQ(0xaa, room[row->size]);
        EXPECT_OK(query(tm, row->class, room, sizeof(room), &length)); /* more is no harm */
        EXPECT_EQ(row->size, length);
        EXPECT_EQ(0xaa, room[row->size]);
    }
}

TEST(only_classes_that_can_be_asked) /* TM-QUERY-06 */
{
    static const int wrong[] = {TransactionManagerOnlineProbeInformation, 6, 7, 100, -1};
    HANDLE tm = new_volatile_tm();
    char room[100];

    EACH (class, wrong)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, query(tm, *class, room, sizeof(room), NULL));
}

TEST(a_volatile_tm_has_no_log_to_ask_about) /* TM-QUERY-02 TM-QUERY-03 TM-QUERY-04 TM-QUERY-05 */
{
    static const int classes[] = {TransactionManagerLogInformation,
                                  TransactionManagerRecoveryInformation,
                                  TransactionManagerOldestTransactionInformation};
    HANDLE tm = new_volatile_tm();
    ULONG room[16] = {77}, length;

    EACH (class, classes)
        EXPECT_STATUS(STATUS_TM_VOLATILE, query(tm, *class, room, sizeof(room), NULL));
    EXPECT_OK(query(tm, TransactionManagerLogPathInformation, room, sizeof(room), &length));
    EXPECT_EQ(0, room[0]);
    EXPECT_EQ(PATH_FIXED, length);
}

TEST(the_log_path_is_told_as_given) /* TM-QUERY-03 TM-QUERY-08 TM-QUERY-09 */
{
    char text[1000];
    UNICODE_STRING path;
    union {
        TRANSACTIONMANAGER_LOGPATH_INFORMATION info;
        unsigned char room[2100];
    } answer;
    ULONG full, length;
    HANDLE tm;

    snprintf(text, sizeof(text), "LOG:\\??\\%s/tm", test_directory());
    path = wide(text);
    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    full = PATH_FIXED + path.Length;
    for (ULONG room = 0; room <= full + 2; room++) {
        NTSTATUS wanted = room < PATH_FIXED ? STATUS_BUFFER_TOO_SMALL
                          : room < full     ? STATUS_BUFFER_OVERFLOW
                                            : STATUS_SUCCESS;
        ULONG fit = room < PATH_FIXED ? 0 : (room < full ? room - PATH_FIXED : path.Length) & ~1u;

        memset(&answer, 0xaa, sizeof(answer));
        length = 0;
        EXPECT_STATUS(wanted,
                      query(tm, TransactionManagerLogPathInformation, &answer, room, &length));
        EXPECT_EQ(full, length);
        if (room >= PATH_FIXED) {
            EXPECT_EQ(path.Length, answer.info.LogPathLength);
            EXPECT_BYTES(path.Buffer, answer.info.LogPath, fit);
        } else {
            EXPECT_EQ(0xaa, answer.room[0]);
        }
        EXPECT_EQ(0xaa, answer.room[room < PATH_FIXED ? 0 : PATH_FIXED + fit]);
    }
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL,
                  query(tm, TransactionManagerLogPathInformation, NULL, 0, &length));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  query(tm, TransactionManagerLogPathInformation, NULL, full, &length));
}

TEST(the_oldest_transaction_pins_the_log) /* TM-QUERY-05 */
{
    struct party party = PARTY(true, 0, MASK_FULL);
    GUID oldest, zero = {0}, uow = guid_of_tx(party.tx);

    EXPECT_OK(query(party.tm, TransactionManagerOldestTransactionInformation, &oldest, 16, NULL));
    EXPECT_GUID(zero, oldest);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_OK(query(party.tm, TransactionManagerOldestTransactionInformation, &oldest, 16, NULL));
    EXPECT_GUID(uow, oldest);
    party_completion(&party);
    EXPECT_OK(query(party.tm, TransactionManagerOldestTransactionInformation, &oldest, 16, NULL));
    EXPECT_GUID(zero, oldest);
}

TEST(the_lsn_of_the_last_recovery) /* TM-QUERY-04 */
{
    HANDLE tm = attach_tm("tm");
    ULONGLONG lsn = 1;

    EXPECT_OK(query(tm, TransactionManagerRecoveryInformation, &lsn, sizeof(lsn), NULL));
    EXPECT_EQ(0, lsn);
}

/* ---- set --------------------------------------------------------------------------------------
 */

static NTSTATUS
set(HANDLE tm, int class)
{
    return NtSetInformationTransactionManager(tm, (TRANSACTIONMANAGER_INFORMATION_CLASS) class,
                                              NULL, 0);
}

TEST(the_probe_says_whether_the_log_can_be_written) /* TM-SET-01 TM-SET-02 TM-SET-04 */
{
    HANDLE tm = attach_tm("tm");

    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                  set(tm, TransactionManagerOnlineProbeInformation));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_OK(set(tm, TransactionManagerOnlineProbeInformation));
    EXPECT_STATUS(STATUS_TM_VOLATILE,
                  set(new_volatile_tm(), TransactionManagerOnlineProbeInformation));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, set(NULL, TransactionManagerOnlineProbeInformation));
}

TEST(no_other_class_can_be_set) /* TM-SET-03 */
{
    static const int wrong[] = {TransactionManagerBasicInformation,
                                TransactionManagerLogInformation,
                                TransactionManagerLogPathInformation,
                                TransactionManagerRecoveryInformation,
                                TransactionManagerOldestTransactionInformation,
                                6,
                                -1};
    HANDLE tm = new_logged_tm("tm");

    EACH (class, wrong)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, set(tm, *class));
}
