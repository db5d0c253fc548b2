/* SPDX-License-Identifier: MIT */
/* A crowd that lends, takes, sets ports and closes, all at once: each buffer comes back once. */
#include "tests/nt/loan_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#define CROWD 6
#define TURNS 2000

/* One thread of it: its own buffers, everybody's handles. */
struct rioter {
    pthread_t thread;
    uint64_t seed;
    struct slot slots[8];
    unsigned lent, packets;
};

static HANDLE riot_tm, riot_ports[2];
static _Atomic(HANDLE) riot_rms[2];

static unsigned
draw(struct rioter *self, unsigned n)
{
    self->seed ^= self->seed << 13;
    self->seed ^= self->seed >> 7;
    self->seed ^= self->seed << 17;
    return (unsigned)(self->seed % n);
}

static void
riot_lend(struct rioter *self, HANDLE rm)
{
    struct slot *slot = &self->slots[draw(self, ARRAY_SIZE(self->slots))];
    _Atomic uint32_t *word = (_Atomic uint32_t *)(void *)&slot->overlapped.Internal;

    if (*word != (uint32_t)STATUS_PENDING)
        self->lent += NT_SUCCESS(lend(rm, slot, draw(self, 8) ? 64 : 16));
}

/* A notification for whoever has lent or asks. */
static void
riot_notify(HANDLE rm)
{
    HANDLE tx = new_tx(riot_tm), en = NULL;

    if (NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, 0, MASK_LATE, NULL) ==
        STATUS_SUCCESS)
        EXPECT(NT_SUCCESS(NtRollbackTransaction(tx, FALSE)));
    if (en)
        (void)NtClose(en);
    close_handle(tx);
}

static void
riot_take(struct rioter *self, HANDLE port)
{
    struct taken taken;

    self->packets += take(port, 0, &taken) == STATUS_SUCCESS;
}

static void *
riot(void *context)
{
    struct rioter *self = context;
    TRANSACTION_NOTIFICATION note;
    LARGE_INTEGER now = {.QuadPart = 0};

    for (int turn = 0; turn < TURNS; turn++) {
        HANDLE rm = riot_rms[draw(self, 2)], port = riot_ports[draw(self, 2)];

        switch (draw(self, 16)) {
        case 0:
            (void)NtClose(atomic_exchange(&riot_rms[draw(self, 2)], new_volatile_rm(riot_tm)));
            break;
        case 1:
            (void)set_port(rm, NULL);
            break;
        case 2:
        case 3:
        case 4:
            (void)set_port(rm, port);
            break;
        case 5:
            (void)NtGetNotificationResourceManager(rm, &note, sizeof(note), &now, NULL, 0, 0);
            break;
        case 6:
        case 7:
        case 8:
            riot_notify(rm);
            break;
        case 9:
        case 10:
            riot_take(self, port);
            break;
        default:
            riot_lend(self, rm);
            break;
        }
    }
    return NULL;
}

TEST(a_crowd_gets_every_buffer_back_once) /* NOTIF-ASYNC-04 NOTIF-ASYNC-05 NOTIF-ASYNC-06 GEN-11 */
{
    static struct rioter crowd[CROWD];
    unsigned lent = 0, packets = 0;
    struct taken taken;

    riot_tm = new_volatile_tm();
    for (int i = 0; i < 2; i++) {
        riot_ports[i] = new_port();
        riot_rms[i] = new_volatile_rm(riot_tm);
    }
    EACH (rioter, crowd) {
        rioter->seed = 0x9e3779b97f4a7c15u * (uint64_t)(rioter - crowd + 1);
        EXPECT_EQ(0, pthread_create(&rioter->thread, NULL, riot, rioter));
    }
    EACH (rioter, crowd)
        EXPECT_EQ(0, pthread_join(rioter->thread, NULL));
    for (int i = 0; i < 2; i++)
        close_handle(riot_rms[i]);
    EACH (port, riot_ports)
        while (take(*port, 0, &taken) == STATUS_SUCCESS)
            packets++;
    EACH (rioter, crowd) {
        lent += rioter->lent;
        packets += rioter->packets;
        EACH (slot, rioter->slots)
            EXPECT(HasOverlappedIoCompleted(&slot->overlapped));
    }
    EXPECT(lent > CROWD * 10);
    EXPECT_EQ(lent, packets);
}
