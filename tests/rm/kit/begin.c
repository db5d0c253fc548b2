/* SPDX-License-Identifier: MIT */
/* Several managers begin before the first of them is waited for. */
#include <string.h>

#include "ktm_rm.h"
#include "tests/test.h"
#include "wdm.h"

/* What was said, in order: a letter and the manager's number each. b, B: begin to prepare, to
 * commit; p, c, r: prepare, commit, rollback. */
static char said[128];

struct player {
    char number;
    enum ktm_rm_answer vote;
    HANDLE tm;
    struct ktm_rm *rm;
    bool commits_another; /* when it begins to prepare */
};

static void
say(const struct player *player, char what)
{
    size_t size = strlen(said);

    EXPECT(size + 3 < sizeof(said));
    said[size] = what;
    said[size + 1] = player->number;
    said[size + 2] = '\0';
}

static HANDLE
tx_open(HANDLE tm)
{
    HANDLE tx;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    return tx;
}

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

static void
join(struct player *player, HANDLE tx)
{
    void *work;

    EXPECT_OK(ktm_rm_enlist(player->rm, tx, make, player, &work));
}

static void
begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit)
{
    struct player *player = context;

    (void)work, (void)key;
    say(player, commit ? 'B' : 'b');
    if (player->commits_another && !commit) {
        HANDLE other = tx_open(player->tm);

        player->commits_another = false;
        join(player, other);
        EXPECT_OK(NtCommitTransaction(other, TRUE));
        NtClose(other);
    }
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct player *player = context;

    (void)work, (void)key;
    say(player, 'p');
    return player->vote;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)work, (void)key;
    say(context, 'c');
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)work, (void)key;
    say(context, 'r');
    return KTM_RM_DONE;
}

static const struct ktm_rm_author sends = {
    .prepare = prepare, .commit = commit, .rollback = rollback, .begin = begin};
static const struct ktm_rm_author works = {
    .prepare = prepare, .commit = commit, .rollback = rollback};

static void
player_open(struct player *player, HANDLE tm, char number, const struct ktm_rm_author *author,
            enum ktm_rm_mode mode)
{
    GUID identity = {.Data1 = (unsigned char)number};
    struct ktm_rm_options options = {.identity = &identity,
                                     .incarnation = 1,
                                     .author = author,
                                     .context = player,
                                     .mode = mode,
                                     .is_volatile = TRUE};

    *player = (struct player){.number = number, .vote = KTM_RM_DONE, .tm = tm};
    EXPECT_OK(ktm_rm_open(tm, &options, &player->rm));
}

static HANDLE
tm_open(void)
{
    HANDLE tm;

    said[0] = '\0';
    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, NULL,
                                         TRANSACTION_MANAGER_VOLATILE, 0));
    return tm;
}

static const struct {
    const struct ktm_rm_author *first, *second;
    enum ktm_rm_answer votes[2];
    NTSTATUS status;
    const char *said;
} rounds[] = {
    {&sends, &sends, {KTM_RM_DONE, KTM_RM_DONE}, STATUS_SUCCESS, "b1b2p1p2B1B2c1c2"},
    /* Who has sent nothing works while the other's server does. */
    {&sends, &works, {KTM_RM_DONE, KTM_RM_DONE}, STATUS_SUCCESS, "b1p2p1B1c2c1"},
    {&works, &sends, {KTM_RM_DONE, KTM_RM_DONE}, STATUS_SUCCESS, "b2p1p2B2c1c2"},
    {&works, &works, {KTM_RM_DONE, KTM_RM_DONE}, STATUS_SUCCESS, "p2p1c2c1"},
    {&sends, &sends, {KTM_RM_READ_ONLY, KTM_RM_DONE}, STATUS_SUCCESS, "b1b2p1p2B2c2"},
    /* Who has begun is asked how it went, and then told. */
    {&sends, &sends, {KTM_RM_NO, KTM_RM_DONE}, STATUS_TRANSACTION_ALREADY_ABORTED, "b1b2p1p2r2"},
    {&sends, &sends, {KTM_RM_NO, KTM_RM_NO}, STATUS_TRANSACTION_ALREADY_ABORTED, "b1b2p1p2"},
    {&sends, &sends, {KTM_RM_DONE, KTM_RM_NO}, STATUS_TRANSACTION_ALREADY_ABORTED, "b1b2p1p2r1"},
    {&works, &sends, {KTM_RM_NO, KTM_RM_DONE}, STATUS_TRANSACTION_ALREADY_ABORTED, "b2p1p2r2"},
    /* Who has not is told at once. */
    {&works, &works, {KTM_RM_DONE, KTM_RM_NO}, STATUS_TRANSACTION_ALREADY_ABORTED, "p2r1"},
};

TEST(all_begin_before_the_first_is_waited_for)
{
    static const enum ktm_rm_mode modes[] = {KTM_RM_CALLBACKS, KTM_RM_HELPED};

    EACH (mode, modes)
        EACH (round, rounds) {
            HANDLE tm = tm_open(), tx = tx_open(tm);
            struct player players[2];

            player_open(&players[0], tm, '1', round->first, *mode);
            player_open(&players[1], tm, '2', round->second, *mode);
            players[0].vote = round->votes[0];
            players[1].vote = round->votes[1];
            join(&players[0], tx);
            join(&players[1], tx);
            EXPECT_STATUS(round->status, NtCommitTransaction(tx, TRUE));
            EXPECT_TEXT(round->said, said);
            NtClose(tx);
            ktm_rm_close(players[0].rm);
            ktm_rm_close(players[1].rm);
            EXPECT_TEXT(round->said, said);
            NtClose(tm);
        }
}

TEST(who_does_not_wait_makes_nobody_begin)
{
    HANDLE tm = tm_open(), tx = tx_open(tm);
    struct player player;

    player_open(&player, tm, '1', &sends, KTM_RM_CALLBACKS);
    join(&player, tx);
    EXPECT_OK(NtCommitTransaction(tx, FALSE));
    EXPECT_TEXT("p1c1", said);
    NtClose(tx);
    ktm_rm_close(player.rm);
    NtClose(tm);
}

TEST(all_that_is_in_the_queue_begins_before_the_first_is_waited_for)
{
    HANDLE tm = tm_open(), transactions[] = {tx_open(tm), tx_open(tm)};
    struct player player;

    player_open(&player, tm, '1', &sends, KTM_RM_PUMP);
    EACH (tx, transactions) {
        join(&player, *tx);
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(*tx, FALSE));
    }
    EXPECT_OK(ktm_rm_run(player.rm, 0));
    EXPECT_TEXT("b1b1p1B1p1B1c1c1", said);
    EACH (tx, transactions)
        NtClose(*tx);
    ktm_rm_close(player.rm);
    NtClose(tm);
}

TEST(a_commit_within_a_commit_leaves_the_outer_one_alone)
{
    HANDLE tm = tm_open(), tx = tx_open(tm);
    struct player players[2];

    player_open(&players[0], tm, '1', &sends, KTM_RM_CALLBACKS);
    player_open(&players[1], tm, '2', &sends, KTM_RM_CALLBACKS);
    players[1].commits_another = true;
    join(&players[0], tx);
    join(&players[1], tx);
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    EXPECT_TEXT("b1b2b2p2B2c2p1p2B1B2c1c2", said);
    NtClose(tx);
    ktm_rm_close(players[0].rm);
    ktm_rm_close(players[1].rm);
    NtClose(tm);
}
