/* SPDX-License-Identifier: MIT */
/*
 * A bank over PostgreSQL, MariaDB, SQLite (twice) and files, whose client and servers are killed at
 * random moments, alone and together, also while what they left is being recovered. bank.h says
 * what has to be right after each recovery.
 *
 *     ./dev bank [KILLS]                    2000, with the table at the end
 *     KTM_SEED=7 ./dev bank 300             other choices
 *
 * The choices come from the seed; the moments come from the machine, so a seed shows a fault again
 * often and not always. INV-01 INV-04 RECOV-24 RECOV-27 RECOV-32 RECOV-40 RECOV-42.
 */
#include <inttypes.h>
#include <signal.h>
#include <time.h>

#include "tests/bank/play.h"

#include "tests/test.h"

enum { KILLS_SHORT = 12, KILLS = 50, KILLS_FULL = 2000, OPENING_MS = 60000, TRIES = 100 };

struct sums {
    struct findings findings;
    unsigned rounds, doubts, doubtful_rounds, recoveries, again;
};

static bool
chance(struct play *play, unsigned n)
{
    return play_draw(play, n) == 0;
}

static void
give_notice(struct play *play, const char *what)
{
    char command[2048];

    fflush(stdout);
    snprintf(command, sizeof(command), "grep BROKEN '%s/log'; tail -n 40 '%s/log'", play->directory,
             play->directory);
    if (system(command) != 0) /* NOLINT(cert-env33-c) */
        puts("no log");
    play_table(play);
    test_fail(__FILE__, __LINE__, "after %u kills, run %" PRIu64 ": %s", play->kills, play->run,
              what);
}

/* ---- what happens to them ---- */

static enum victim
any_server(struct play *play)
{
    static const enum victim servers[] = {POSTGRES_WHOLE, POSTGRES_HEAD,    POSTGRES_CHILD,
                                          POSTGRES_CHILD, POSTGRES_AT_ONCE, MARIADB_WHOLE,
                                          MARIADB_WHOLE,  MARIADB_WHOLE};

    return servers[play_draw(play, ARRAY_SIZE(servers))];
}

/* Some of its life passes. */
static void
live(struct play *play)
{
    if (chance(play, 8)) {
        client_listen(play, play_draw(play, 60), false);
        return;
    }
    client_listen(play, OPENING_MS, true);
    client_listen(play, play_draw(play, 80), false);
}

/* The client goes on without a server, and perhaps with it again. */
static void
lose_server(struct play *play)
{
    play_kill(play, any_server(play));
    client_listen(play, play_draw(play, 40), false);
    if (chance(play, 4))
        play_kill(play, any_server(play));
    if (chance(play, 3))
        return;
    play_launch(play);
    if (chance(play, 2))
        play_wait(play);
    client_listen(play, play_draw(play, 150), false);
}

static void
lose_everything(struct play *play)
{
    bool client_first = chance(play, 2);

    if (client_first)
        play_kill(play, CLIENT);
    play_kill(play, any_server(play));
    play_kill(play, any_server(play));
    if (!client_first)
        play_kill(play, CLIENT);
}

/* From the start of a client to the end of the last one. */
static void
live_and_die(struct play *play)
{
    client_start(play);
    live(play);
    if (chance(play, 4))
        lose_server(play);
    if (chance(play, 10))
        lose_everything(play);
    else if (chance(play, 16))
        client_end(play);
    play_kill(play, CLIENT);
}

/* ---- what comes after ---- */

/* Recoveries that nobody lets finish, also while the servers still start. */
static void
disturb_recovery(struct play *play)
{
    while (chance(play, 3)) {
        recovery_start(play, chance(play, 3));
        play_rest(play_draw(play, 40000));
        if (chance(play, 6))
            play_kill(play, any_server(play));
        if (chance(play, 6))
            (void)recovery_wait(play);
        else
            play_kill(play, RECOVERY);
        play_launch(play);
    }
}

static void
recover(struct play *play, struct sums *sums)
{
    int code = 1;

    sums->recoveries++;
    for (int i = 0; i < TRIES && code != 0; i++) {
        recovery_start(play, false);
        code = recovery_wait(play);
        sums->again += code != 0;
        if (code != 0 && code != 1 && code != 3)
            give_notice(play, "the recovery ended with a status that it does not have");
        if (code != 0)
            play_rest(20000);
    }
    if (code != 0)
        give_notice(play, "the recovery does not come to its end");
}

static void
check(struct play *play, struct sums *sums)
{
    const char *problem = auditor_audit(&play->auditor, &sums->findings);

    if (problem[0])
        give_notice(play, problem);
}

static void
make_round(struct play *play, struct sums *sums)
{
    unsigned doubts;

    sums->rounds++;
    do
        live_and_die(play);
    while (chance(play, 12) && play->is_postgres_up && play->is_mariadb_up);
    play_launch(play);
    if (chance(play, 3))
        disturb_recovery(play);
    play_wait(play);
    doubts = auditor_doubts(&play->auditor);
    sums->doubts += doubts;
    sums->doubtful_rounds += doubts > 0;
    if (chance(play, 2))
        disturb_recovery(play);
    play_wait(play);
    recover(play, sums);
    check(play, sums);
}

/* ---- all of it ---- */

static unsigned
kills_wanted(void)
{
    const char *text = getenv("KTM_BANK");

    if (text)
        return (unsigned)strtoul(text, NULL, 10);
    return test_sweep_is_full() ? KILLS_FULL : test_sweep_is_short() ? KILLS_SHORT : KILLS;
}

static void
progress(const struct play *play, const struct sums *sums, time_t began)
{
    printf(
        "%u kills in %u rounds, %ld s: %u in doubt; not answered: %u committed, %u rolled back\n",
        play->kills, sums->rounds, (long)(time(NULL) - began), sums->doubts,
        sums->findings.committed, sums->findings.rolled_back);
    fflush(stdout);
}

static void
summary(const struct play *play, const struct sums *sums)
{
    play_table(play);
    printf("%u rounds; in doubt before recovery: %u branches, in %u rounds\n", sums->rounds,
           sums->doubts, sums->doubtful_rounds);
    printf("transfers acknowledged %u, refused %u; not answered: committed %u, rolled back %u\n",
           sums->findings.granted, sums->findings.refused, sums->findings.committed,
           sums->findings.rolled_back);
    printf("recoveries %u, begun again because something was not possible yet %u; broken 0\n",
           sums->recoveries, sums->again);
}

TEST(the_bank_is_right_after_random_kills)
{
    const char *seed = getenv("KTM_SEED");
    struct play play = {.random = seed ? strtoull(seed, NULL, 10) : 1};
    unsigned wanted = kills_wanted(), told = 0;
    struct sums sums = {0};
    time_t began = time(NULL);
    const char *problem;

    printf("KTM_SEED=%" PRIu64 " KTM_BANK=%u\n", play.random, wanted);
    play_start(&play);
    while (play.kills < wanted) {
        make_round(&play, &sums);
        if (play.kills / 100 > told / 100)
            progress(&play, &sums, began);
        told = play.kills;
    }
    problem = auditor_audit_all(&play.auditor);
    if (problem[0])
        give_notice(&play, problem);
    summary(&play, &sums);
    play_end(&play);
}
