/* SPDX-License-Identifier: MIT */
/* Masks, and notifications: to whom, in which order, with which clock; reserved in advance. */
#include "tests/core/play.h"

#include "tests/alloc.h"
#include "tests/core/words.h"

/* Section 6.1 said once more, in the other direction: why a mask is refused. */
static bool
is_refused(uint32_t mask, bool is_superior)
{
    bool prepare = mask & TRANSACTION_NOTIFY_PREPARE, commit = mask & TRANSACTION_NOTIFY_COMMIT;

    if (!(mask & TRANSACTION_NOTIFY_ROLLBACK)) /* MASK-01, MASK-12 */
        return true;
    if (mask >> 30) /* MASK-07 */
        return true;
    if (is_superior)
        return mask & TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT; /* MASK-09 */
    if (mask & 0x060000F0) /* MASK-08: COMMIT_REQUEST, TM_ONLINE, *_COMPLETE */
        return true;
    if (prepare && !commit) /* MASK-02 */
        return true;
    if ((mask & TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT) && !(prepare && commit)) /* MASK-03 */
        return true;
    return !commit && !(mask & TRANSACTION_NOTIFY_PREPREPARE); /* MASK-04 */
}

TEST(masks) /* MASK-01..04, -07..10, -12 */
{
    /* every set of the bits a rule speaks of, with each other bit, with none and with all */
    static const uint32_t ruled[] = {0x1,  0x2,  0x4,   0x8,       0x10,      0x20,
                                     0x40, 0x80, 0x200, 0x4000000, 0x2000000, 0x40000000};
    uint32_t all_ruled = 0, others[34];
    unsigned other_count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ruled); i++)
        all_ruled |= ruled[i];
    others[other_count++] = 0;
    others[other_count++] = ~all_ruled & TRANSACTION_NOTIFY_MASK;
    for (unsigned bit = 0; bit < 32; bit++)
        if (!(all_ruled & UINT32_C(1) << bit))
            others[other_count++] = UINT32_C(1) << bit;

    for (uint32_t set = 0; set < UINT32_C(1) << ARRAY_SIZE(ruled); set++)
        for (unsigned o = 0; o < other_count; o++)
            for (int is_superior = 0; is_superior < 2; is_superior++) {
                uint32_t mask = others[o];

                for (size_t i = 0; i < ARRAY_SIZE(ruled); i++)
                    if (set >> i & 1)
                        mask |= ruled[i];
                if ((notification_mask_check(mask, is_superior) != STATUS_SUCCESS) !=
                    is_refused(mask, is_superior))
                    test_fail(__FILE__, __LINE__, "mask 0x%08x, superior %d: %s", mask, is_superior,
                              is_refused(mask, is_superior) ? "accepted" : "refused");
            }
}

TEST(masks_that_the_specification_names) /* MASK-01..10, -12 OP-01, -02 */
{
    static const struct {
        uint32_t mask;
        bool subordinate, superior;
    } cases[] = {
        {0, false, false},          /* MASK-12 */
        {0x7, false, false},        /* MASK-01 */
        {0xA, false, true},         /* MASK-02; MASK-09 it does not apply to a superior */
        {0x208, false, false},      /* MASK-03 */
        {0x20C, false, false},      /* MASK-03 */
        {0x8, false, true},         /* MASK-04 */
        {0xC, true, true},          /* MASK-05 */
        {0x9, true, true},          /* MASK-06 */
        {0xD, true, true},          /* MASK-06 */
        {0xF, true, true},          /* MASK-06 */
        {0x20F, true, false},       /* MASK-06, MASK-09 */
        {0x39FFFF0F, true, false},  /* MASK-08: the largest */
        {0x3FFFFFFF, false, false}, /* MASK-08, MASK-09 */
        {0x3FFFFDFF, false, true},  /* all but SPC */
        {0x4000000F, false, false}, /* MASK-07: COMMIT_FINALIZE */
        {0x8000000F, false, false}, /* MASK-07 */
        {0x1807940F, true, true},   /* MASK-10 */
    };

    EACH (it, cases) {
        EXPECT_STATUS(it->subordinate ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER,
                      notification_mask_check(it->mask, false));
        EXPECT_STATUS(it->superior ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER,
                      notification_mask_check(it->mask, true));
    }
}

/* Everything a mask may hold, and what comes of it. */
TEST(bits_that_are_tolerated_are_never_delivered) /* MASK-08..10 NOTIF-14 OP-47 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist s 0x3FFFFDFF superior; enlist a 0x39FFFF0F; enlist b full");
    EXPECT_TEXT("s COMMIT_REQUEST", play_ok(p, "commit"));
    EXPECT_TEXT("clock 2; a PREPREPARE; b PREPREPARE", play_ok(p, "preprepare s"));
    EXPECT_TEXT("s PREPREPARE_COMPLETE", play_ok(p, "preprepared a; preprepared b"));
    EXPECT_TEXT("a PREPARE; b PREPARE", play_ok(p, "prepare s"));
    EXPECT_TEXT("force PREPARE; s PREPARE_COMPLETE", play_ok(p, "prepared a; prepared b"));
    EXPECT_TEXT("s REQUEST_OUTCOME", play_ok(p, "outcome a"));
    EXPECT_TEXT("force COMMIT; a COMMIT; b COMMIT", play_ok(p, "decide s"));
    EXPECT_TEXT("append FORGET; s COMMIT_COMPLETE", play_ok(p, "committed a; committed b"));
}

TEST(every_phase_is_sent_to_those_who_ask) /* MASK-15 NOTIF-14 */
{
    static const struct {
        const char *masks[3];
        const char *phase_0, *phase_1, *phase_2, *rollback;
    } cases[] = {
        {{"full", "2pc", "cr"},
         "a PREPREPARE",
         "a PREPARE; b PREPARE",
         "force COMMIT; a COMMIT; b COMMIT; c COMMIT",
         "a ROLLBACK; b ROLLBACK; c ROLLBACK"},
        {{"pcr", "pr", "full"},
         "a PREPREPARE; b PREPREPARE; c PREPREPARE",
         "c PREPARE",
         "force COMMIT; a COMMIT; c COMMIT",
         "a ROLLBACK; b ROLLBACK; c ROLLBACK"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);
        owned(play_destroy) struct play *other = play_create(false);
        char script[128], wanted[128];

        snprintf(script, sizeof(script), "enlist a %s; enlist b %s; enlist c %s", it->masks[0],
                 it->masks[1], it->masks[2]);
        play_ok(p, script);
        snprintf(wanted, sizeof(wanted), "clock 2; %s", it->phase_0);
        EXPECT_TEXT(wanted, play_ok(p, "commit"));
        for (const char *end = "abc"; *end; end++) {
            snprintf(script, sizeof(script), "preprepared %c", *end);
            if (strstr(it->phase_0, (char[]){*end, ' ', 0}))
                snprintf(wanted, sizeof(wanted), "%s", play_ok(p, script));
        }
        EXPECT_TEXT(it->phase_1, wanted);
        for (const char *end = "abc"; *end; end++) {
            snprintf(script, sizeof(script), "prepared %c", *end);
            if (strstr(it->phase_1, (char[]){*end, ' ', 0}))
                snprintf(wanted, sizeof(wanted), "%s", play_ok(p, script));
        }
        EXPECT_TEXT(it->phase_2, wanted);

        snprintf(script, sizeof(script), "enlist a %s; enlist b %s; enlist c %s", it->masks[0],
                 it->masks[1], it->masks[2]);
        play_ok(other, script);
        EXPECT_TEXT(it->rollback, play_ok(other, "rollback"));
    }
}

TEST(enlistments_are_told_in_their_order) /* NOTIF-01, -03, -04 */
{
    static const char *const modes[] = {"", "callbacks R; "};

    EACH (mode, modes) { /* one queue for all, or callbacks, which run one after the other */
        owned(play_destroy) struct play *p = play_create(false);
        char script[128];

        snprintf(script, sizeof(script),
                 "%senlist b full by R; enlist c full by R; enlist a full by R", *mode);
        play_ok(p, script);
        EXPECT_TEXT("clock 2; b PREPREPARE; c PREPREPARE; a PREPREPARE", play_ok(p, "commit"));
        EXPECT_TEXT("b PREPARE; c PREPARE; a PREPARE",
                    play_ok(p, "preprepared a; preprepared b; preprepared c"));
        EXPECT_TEXT("force COMMIT; b COMMIT; c COMMIT; a COMMIT",
                    play_ok(p, "prepared c; prepared b; prepared a"));
        snprintf(script, sizeof(script),
                 "begin u; enlist f full by R in u; enlist d full by R in u; enlist e full by R in "
                 "u; rollback u");
        EXPECT_TEXT("f ROLLBACK; d ROLLBACK; e ROLLBACK", play_ok(p, script));
    }
}

TEST(a_notification_keeps_the_clock_of_its_making) /* NOTIF-05 CLOCK-08 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct ktm_effects effects;
    struct notification *note;
    struct ktm_event commit = {.type = KTM_TX_COMMIT};
    int64_t later = 99;

    play_ok(p, "enlist a full");
    commit.tx = play_tx(p, 't');
    EXPECT_OK(ktm_step(&p->ktm, &commit, &effects));
    ktm_raise_clock(&p->ktm, &later);
    note = resource_manager_take(play_rm(p, 'A'));
    EXPECT_EQ(2, note->clock);
    EXPECT_EQ('a', (uintptr_t)note->key);
    free(note);
    EXPECT(resource_manager_take(play_rm(p, 'A')) == NULL);
}

TEST(what_is_in_a_queue_is_not_withdrawn) /* NOTIF-11 ENL-RO-10 */
{
    static const struct ktm_event afterwards[] = {
        {.type = KTM_TX_ROLLBACK}, {.type = KTM_EN_READ_ONLY}, {.type = KTM_EN_CLOSE}};

    EACH (it, afterwards) {
        owned(play_destroy) struct play *p = play_create(false);
        struct ktm_event event = {.type = KTM_TX_COMMIT};
        struct ktm_effects effects;
        struct notification *note;

        play_ok(p, "enlist a full; enlist b full");
        event.tx = play_tx(p, 't');
        EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
        event = *it;
        event.tx = play_tx(p, 't');
        event.en = event.type == KTM_TX_ROLLBACK ? NULL : play_en(p, 'a');
        EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
        note = resource_manager_take(play_rm(p, 'A'));
        EXPECT_EQ(TRANSACTION_NOTIFY_PREPREPARE, note->what);
        free(note);
        play(p, "preprepared a"); /* a stale one is answered in vain */
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, p->status);
    }
}

TEST(a_callback_that_has_not_run_is_overtaken_by_the_abort) /* INV-08 INV-09 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct ktm_event event = {.type = KTM_TX_COMMIT};
    struct ktm_effects effects;
    struct enlistment *en;
    uint32_t what;
    int64_t clock;

    play_ok(p, "callbacks R; enlist a full by R; enlist b full by R; enlist c full by R");
    event.tx = play_tx(p, 't');
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    en = transaction_take_delivery(event.tx, &what, &clock); /* a is being asked … */
    EXPECT(en == play_en(p, 'a') && what == TRANSACTION_NOTIFY_PREPREPARE);
    event = (struct ktm_event){.type = KTM_EN_READ_ONLY, .en = play_en(p, 'b')};
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    event = (struct ktm_event){.type = KTM_EN_ROLLBACK, .en = en}; /* … and says no */
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    en = transaction_take_delivery(play_tx(p, 't'), &what, &clock);
    EXPECT(en == play_en(p, 'a') && what == TRANSACTION_NOTIFY_ROLLBACK);
    en = transaction_take_delivery(play_tx(p, 't'), &what, &clock);
    EXPECT(en == play_en(p, 'c') && what == TRANSACTION_NOTIFY_ROLLBACK);
    EXPECT(transaction_take_delivery(play_tx(p, 't'), &what, &clock) == NULL);
}

TEST(a_read_only_one_is_not_called_any_more) /* INV-09 ENL-RO-01 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct ktm_event event = {.type = KTM_TX_COMMIT};
    struct ktm_effects effects;
    struct enlistment *en;
    uint32_t what;
    int64_t clock;

    play_ok(p, "callbacks R; enlist a full by R; enlist b full by R; enlist c full by R");
    event.tx = play_tx(p, 't');
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    EXPECT(transaction_take_delivery(event.tx, &what, &clock) == play_en(p, 'a'));
    event = (struct ktm_event){.type = KTM_EN_READ_ONLY, .en = play_en(p, 'b')};
    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
    en = transaction_take_delivery(play_tx(p, 't'), &what, &clock);
    EXPECT(en == play_en(p, 'c') && what == TRANSACTION_NOTIFY_PREPREPARE);
    EXPECT(transaction_take_delivery(play_tx(p, 't'), &what, &clock) == NULL);
}

TEST(which_callback_failures_matter) /* NOTIF-07, -09 OP-34 ROLL-10 PT-13 */
{
    static const struct {
        const char *before, *failing, *state;
    } cases[] = {
        {"commit", "fail a PREPREPARE", "Aborted aborted signalled"},
        {"commit; preprepared a; preprepared b", "fail a PREPARE", "Aborted aborted signalled"},
        {"commit; preprepared a; preprepared b; prepared a; prepared b", "fail a COMMIT",
         "Committed committed"},
        {"rollback", "fail a ROLLBACK", "Aborted aborted signalled"},
        {"readonly b; commit", "fail a SPC", "Aborted aborted signalled"},
        {"readonly b; commit; reject a", "fail a SPC", "PrePreparing"}, /* it has said so already */
        {"commit; preprepared a; preprepared b; prepared a; prepared b", "fail a PREPARE",
         "Committed committed"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, "callbacks R; enlist a full+spc by R; enlist b full by R");
        play_ok(p, it->before);
        play_ok(p, it->failing);
        EXPECT_TEXT(it->state, play_state(p, 't'));
        if (strstr(it->failing, "COMMIT")) /* the answer stays owed */
            play_ok(p, "committed a");
        else if (strstr(it->failing, "ROLLBACK"))
            play_ok(p, "rolledback a");
    }
}

TEST(a_superior_s_callback_cannot_veto_by_failing) /* NOTIF-09 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "callbacks S; enlist s sup+request superior; enlist a full; commit");
    EXPECT(p->has_queued); /* pending, however the superior is told [TX-COMMIT-11] */
    EXPECT_TEXT("", play_ok(p, "fail s COMMIT_REQUEST"));
    EXPECT_TEXT("Active", play_state(p, 't'));
}

/* With all memory gone from the moment of enlistment on. */
TEST(an_outcome_can_always_be_queued) /* NOTIF-13 GEN-06 */
{
    static const struct {
        const char *before;
        struct ktm_event event;
        char en;
        uint32_t wanted;
    } cases[] = {
        {"enlist a full volatile", {.type = KTM_TX_COMMIT}, 0, TRANSACTION_NOTIFY_PREPREPARE},
        {"enlist a full volatile", {.type = KTM_TX_ROLLBACK}, 0, TRANSACTION_NOTIFY_ROLLBACK},
        {"enlist a full+spc volatile",
         {.type = KTM_TX_COMMIT},
         0,
         TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT},
        {"enlist a full+spc volatile; commit",
         {.type = KTM_EN_SINGLE_PHASE_REJECT},
         'a',
         TRANSACTION_NOTIFY_PREPREPARE},
        {"enlist a full volatile; commit; preprepared a",
         {.type = KTM_EN_PREPARE_COMPLETE},
         'a',
         TRANSACTION_NOTIFY_COMMIT},
        {"enlist a full volatile; commit; preprepared a", /* a veto after every question */
         {.type = KTM_EN_ROLLBACK},
         'a',
         TRANSACTION_NOTIFY_ROLLBACK},
        {"enlist a full volatile; commit; preprepared a",
         {.type = KTM_TX_TIMEOUT},
         0,
         TRANSACTION_NOTIFY_ROLLBACK},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);
        struct ktm_event event = it->event;
        struct ktm_effects effects;
        struct notification *note;

        play_ok(p, it->before);
        event.tx = it->en ? NULL : play_tx(p, 't');
        event.en = it->en ? play_en(p, it->en) : NULL;
        alloc_fail_from(1);
        EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
        EXPECT(!alloc_fail_stop()); /* nothing was even asked for */
        note = resource_manager_take(play_rm(p, 'A'));
        EXPECT(note);
        EXPECT_EQ(it->wanted, note->what);
        free(note);
    }
}

/* Each allocation of a step fails once: refused, and nothing has changed. */
TEST(no_memory_is_a_clean_refusal) /* GEN-06 ENL-CREATE-08 NOTIF-13 */
{
    static const struct {
        const char *before, *after; /* 'after': it works when tried again */
        enum ktm_event_type type;
        char object;
    } cases[] = {
        {"enlist b full", NULL, KTM_EN_CREATE, 'a'},
        {"enlist a cr; commit; close A; open A", "committed a", KTM_RM_RECOVER, 'A'},
        {"enlist a cr; commit; close A; open A; recover A", "committed a", KTM_EN_RECOVER, 'a'},
        {"enlist s sup superior; enlist a full volatile; prepare s; preprepared a; prepared a; "
         "close s; recover S",
         "committed a", KTM_EN_COMMIT, 's'},
        {"enlist s sup superior; enlist a full volatile; prepare s; preprepared a; prepared a; "
         "close s; recover S",
         "rolledback a", KTM_EN_ROLLBACK, 's'},
    };

    EACH (it, cases)
        for (uint64_t n = 1;; n++) {
            owned(play_destroy) struct play *p = play_create(false);
            struct ktm_event event = {.type = it->type};
            GUID guid = play_guid('a');
            struct ktm_effects effects;
            char state[80];
            bool has_failed;
            NTSTATUS status;
            int64_t clock;

            play_ok(p, it->before);
            if (it->type == KTM_EN_CREATE) {
                event.tx = play_tx(p, 't');
                event.rm = play_rm(p, 'B');
                event.en = enlistment_create(&guid, 0xF, false, NULL);
                atomic_store(&event.en->object.holds, 1);
            } else if (it->type == KTM_RM_RECOVER) {
                event.rm = play_rm(p, it->object);
            } else {
                event.en = play_en(p, it->object);
            }
            snprintf(state, sizeof(state), "%s", play_state(p, 't'));
            clock = p->ktm.clock;
            alloc_fail_at(n);
            status = ktm_step(&p->ktm, &event, &effects);
            has_failed = alloc_fail_stop();
            if (!has_failed) {
                EXPECT_STATUS(STATUS_SUCCESS, status);
                break;
            }
            if (status != STATUS_SUCCESS) { /* a table may also do without growing */
                EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
                EXPECT_TEXT(state, play_state(p, 't'));
                EXPECT_EQ(clock, p->ktm.clock);
                if (event.rm && it->type == KTM_RM_RECOVER) {
                    EXPECT(!event.rm->is_online && event.rm->queue == NULL);
                }
                if (it->type == KTM_EN_CREATE) {
                    EXPECT_EQ(1, event.tx->en_count);
                    enlistment_destroy(event.en);
                    play_ok(p, "enlist a full by B");
                } else {
                    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
                }
            }
            if (it->after && it->type == KTM_EN_RECOVER)
                play_ok(p, it->after);
        }
}
