/* SPDX-License-Identifier: MIT */
/* Records: what they hold, byte by byte; what comes back; and that nothing read is believed. */
#include "tests/core/play.h"

#include "tests/alloc.h"

static const uint16_t wide_text[] = {'o', 'r', 'd', 'e', 'r'};

/* A transaction with everything a record may hold, and with what it must not hold: a volatile RM's,
 * a read-only one, one that does not ask for COMMIT. */
static struct play *
play_full(void)
{
    struct play *p = play_create(false);
    struct resource_manager *rm;

    play_ok(p, "enlist s sup+request superior; enlist a full+indoubt; enlist b full volatile; "
               "enlist c full; enlist d pr; enlist e cr; info a remember-this; info e x");
    EXPECT_OK(transaction_set_description(play_tx(p, 't'), wide_text, 5));
    rm = play_rm(p, 'A');
    rm->description[0] = 0x20AC;
    rm->description[1] = 'm';
    rm->description_units = 2;
    play_ok(p, "prepare s; readonly c; preprepared a; preprepared b; preprepared d; prepared a");
    play_ok(p, "prepared b clock 77");
    EXPECT_EQ(1, p->record_count);
    return p;
}

static struct bytes
record_of(const struct play *p, unsigned index)
{
    return bytes_of(p->records[index].data, p->records[index].size);
}

/* A TM that recovers. */
static struct play *
play_empty(void)
{
    struct play *p = play_create(false);

    ktm_abandon(&p->ktm);
    ktm_deinit(&p->ktm);
    ktm_init(&p->ktm, false);
    p->ktm.state = KTM_RECOVERING;
    return p;
}

static unsigned
count_of(const struct list *list)
{
    const struct list *member;
    unsigned count = 0;

    for (member = list->next; member != list; member = member->next)
        count++;
    return count;
}

TEST(what_a_record_holds) /* LOG-01 LOG-07 LOG-10 CLOCK-03 NAME-05 VOL-03 ENL-PC-07 */
{
    owned(play_destroy) struct play *from = play_full(), *to = play_empty();
    struct enlistment *a, *e, *s;
    struct transaction *tx;

    EXPECT_OK(ktm_replay(&to->ktm, record_of(from, 0), 5));
    tx = play_tx(to, 't');
    EXPECT(tx && tx->is_recovered && !atomic_load(&tx->is_active));
    EXPECT_EQ(3, tx->en_count); /* s, a, e */
    EXPECT_EQ(2, tx->participants);
    EXPECT_EQ(5, tx->description_units);
    EXPECT_BYTES(wide_text, tx->description, sizeof(wide_text));
    EXPECT_EQ(RECORD_PREPARE, tx->logged_as);
    EXPECT_EQ(5, tx->lsn);
    EXPECT_EQ(77, to->ktm.clock); /* CLOCK-09 */
    s = play_en(to, 's');
    EXPECT(s && s->is_superior && tx->superior == s && s->mask == play_en(from, 's')->mask);
    a = play_en(to, 'a');
    EXPECT(a && a->mask == play_en(from, 'a')->mask && atomic_load(&a->key) == NULL);
    EXPECT_EQ(13, a->recovery_info_size);
    EXPECT_BYTES("remember-this", a->recovery_info, 13);
    EXPECT(a->rm == play_rm(to, 'A') && !a->rm->is_volatile && !a->rm->is_open &&
           !a->rm->is_online);
    EXPECT_EQ(2, a->rm->description_units);
    EXPECT_EQ(0x20AC, a->rm->description[0]);
    e = play_en(to, 'e');
    EXPECT(e && e->rm == play_rm(to, 'E') && e->recovery_info_size == 1);
    EXPECT(!play_en(to, 'b') && !play_en(to, 'c') && !play_en(to, 'd'));
    EXPECT(!play_rm(to, 'B'));
    EXPECT_EQ(EN_OFFLINE, a->state);
    EXPECT_EQ(EN_OFFLINE, s->state);
    transaction_check(tx);
}

TEST(records_byte_by_byte) /* LOG-01, docs/format/records.md */
{
    static const uint8_t small[32] = {
        4,   1, 0, 0, 32,   0,    0, 0,                            /* FORGET, version, size */
        9,   0, 0, 0, 0,    0,    0, 0,                            /* clock */
        't', 0, 0, 0, 0x54, 0x4B, 0, 0x4D, 0, 0, 0, 0, 0, 0, 0, 0, /* UOW */
    };
    static const uint8_t commit[] = {
        2,    1,    0,    0, 32 + 8 + 2 + 44 + 1,
        0,    0,    0, /* COMMIT, version, size */
        9,    0,    0,    0, 0,
        0,    0,    0, /* clock */
        't',  0,    0,    0, 0x54,
        0x4B, 0,    0x4D, 0, 0,
        0,    0,    0,    0, 0,
        0, /* UOW */
        1,    0,    0,    0, 1,
        0,    0,    0, /* units, superior, zero; enlistments */
        'o',  0,    'a',  0, 0,
        0,    0x54, 0x4B, 0, 0x4D,
        0,    0,    0,    0, 0,
        0,    0,    0, /* enlistment */
        'A',  0,    0,    0, 0x54,
        0x4B, 0,    0x4D, 0, 0,
        0,    0,    0,    0, 0,
        0, /* RM */
        12,   0,    0,    0, 1,
        0,    0,    0,    0, 0,
        0,    0, /* mask, information, description */
        'i',
    };
    owned(play_destroy) struct play *p = play_create(false);
    struct transaction *tx = play_tx(p, 't');
    uint8_t out[128];

    p->ktm.clock = 9;
    EXPECT_EQ(sizeof(small), record_size(tx, RECORD_FORGET, NULL));
    record_encode(tx, RECORD_FORGET, NULL, out);
    EXPECT_BYTES(small, out, sizeof(small));
    EXPECT_OK(transaction_set_description(tx, wide_text, 1));
    play_ok(p, "enlist a cr; info a i");
    EXPECT_EQ(sizeof(commit), record_size(tx, RECORD_COMMIT, NULL));
    record_encode(tx, RECORD_COMMIT, NULL, out);
    EXPECT_BYTES(commit, out, sizeof(commit));
}

TEST(a_record_of_recovery_information) /* ENL-SET-10 LOG-07 */
{
    owned(play_destroy) struct play *p = play_create(false);
    struct enlistment *en;
    uint8_t out[128];
    size_t size;

    play_ok(p, "enlist a cr; info a one; commit");
    en = play_en(p, 'a');
    EXPECT_OK(enlistment_set_recovery_info(en, bytes_of("another", 7)));
    size = record_size(en->tx, RECORD_RECINFO, en);
    EXPECT_EQ(32 + 24 + 7, size);
    record_encode(en->tx, RECORD_RECINFO, en, out);
    play_ok(p, "crash");
    EXPECT_BYTES("one", play_en(p, 'a')->recovery_info, 3);
    EXPECT_OK(ktm_replay(&p->ktm, bytes_of(out, size), 9));
    EXPECT_EQ(7, play_en(p, 'a')->recovery_info_size);
    EXPECT_BYTES("another", play_en(p, 'a')->recovery_info, 7);
    EXPECT_EQ(1, play_tx(p, 't')->lsn); /* does not move it in the log */
    for (size_t wrong = 0; wrong <= size + 1; wrong++) {
        le32_put(out + 4, (uint32_t)wrong);
        EXPECT_STATUS(wrong == size ? STATUS_SUCCESS : STATUS_LOG_CORRUPTION_DETECTED,
                      ktm_replay(&p->ktm, bytes_of(out, wrong), 9));
    }
}

TEST(what_recovery_rebuilds) /* RECOV-01..06, -11 INV-05 LOG-04 LOG-05 */
{
#define SUP_PREPARED "enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a"
    static const struct {
        const char *id, *script, *state, *en_state;
    } cases[] = {
        {"RECOV-01", "enlist a cr; commit; crash", "Committed committed signalled", "OFFLINE"},
        {"RECOV-01 after PREPARE", SUP_PREPARED "; decide s; crash",
         "Committed committed signalled", "OFFLINE"},
        {"RECOV-02", SUP_PREPARED "; crash", "InDoubt", "OFFLINE"},
        {"RECOV-03", SUP_PREPARED "; veto s; crash keeping all", "none", "none"},
        {"RECOV-04 active", "enlist a full; crash", "none", "none"},
        {"RECOV-04 preparing", "enlist a full; commit; preprepared a; crash", "none", "none"},
        {"RECOV-04 the record was not forced",
         "enlist a full; log waits; commit; preprepared a; "
         "prepared a; crash",
         "none", "none"},
        {"RECOV-04 aborted", "enlist a full; rollback; crash keeping all", "none", "none"},
        {"RECOV-04 single phase", "enlist a full+spc; commit; committed a; crash keeping all",
         "none", "none"},
        {"RECOV-05", "enlist a cr; commit; committed a; crash keeping all", "none", "none"},
        {"RECOV-05 FORGET was lost LOG-06", "enlist a cr; commit; committed a; crash",
         "Committed committed signalled", "OFFLINE"},
        {"RECOV-06", SUP_PREPARED "; veto s; crash", "InDoubt", "OFFLINE"},
        {"RECOV-11", "enlist a cr; commit; crash; crash", "Committed committed signalled",
         "OFFLINE"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        if (strcmp(it->state, play_state(p, 't')) ||
            strcmp(it->en_state, play_enlistment_state(p, 'a')))
            test_fail(__FILE__, __LINE__, "%s: %s gives %s, %s", it->id, it->script,
                      play_state(p, 't'), play_enlistment_state(p, 'a'));
    }
}

/* A checkpoint copied it forward while only a volatile RM had yet to answer: nobody is left whom
 * recovery could tell, and kept it would pin the log for ever. */
TEST(a_commit_that_concerns_nobody_is_forgotten) /* RECOV-05 VOL-03 LOG-08 */
{
    owned(play_destroy) struct play *p = play_create(false), *to = play_empty();
    struct transaction *tx;
    uint8_t record[256];
    size_t size;

    play_ok(p, "enlist a cr; enlist b cr volatile; commit; committed a");
    tx = play_tx(p, 't');
    size = record_size(tx, RECORD_COMMIT, NULL);
    EXPECT(size <= sizeof(record));
    record_encode(tx, RECORD_COMMIT, NULL, record);
    EXPECT_OK(ktm_replay(&to->ktm, record_of(p, 0), 5));
    EXPECT_TEXT("Committed committed", play_state(to, 't'));
    EXPECT_OK(ktm_replay(&to->ktm, bytes_of(record, size), 6));
    EXPECT_TEXT("none", play_state(to, 't'));
    EXPECT(list_is_empty(&to->ktm.logged));
}

TEST(a_decision_is_not_taken_back_by_the_log) /* INV-03 TM-RECOVER-11 */
{
    owned(play_destroy) struct play *from = play_full(), *to = play_empty();

    play_ok(from, "decide s");
    EXPECT_OK(ktm_replay(&to->ktm, record_of(from, 0), 5));
    EXPECT_OK(ktm_replay(&to->ktm, record_of(from, 1), 6));
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, ktm_replay(&to->ktm, record_of(from, 0), 7));
}

TEST(nothing_is_prepared_without_somebody_to_decide) /* RECOV-45 TM-RECOVER-11 */
{
    owned(play_destroy) struct play *p = play_create(false), *to = play_empty();
    struct bytes record;

    play_ok(p, "enlist a cr; commit");
    record = record_of(p, 0);
    p->records[0].data[0] = RECORD_PREPARE;
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, ktm_replay(&to->ktm, record, 5));
    p->records[0].data[0] = RECORD_COMMIT;
    EXPECT_OK(ktm_replay(&to->ktm, record, 5));
}

TEST(replaying_twice_is_replaying_once) /* RECOV-11 */
{
    owned(play_destroy) struct play *from = play_full(), *to = play_empty();

    for (int i = 0; i < 3; i++) {
        EXPECT_OK(ktm_replay(&to->ktm, record_of(from, 0), 5));
        EXPECT_EQ(3, play_tx(to, 't')->en_count);
        EXPECT_EQ(1, count_of(&to->ktm.tx_list));
        EXPECT_EQ(1, count_of(&to->ktm.logged));
        transaction_check(play_tx(to, 't'));
    }
    ktm_replay_undo(&to->ktm);
    EXPECT(list_is_empty(&to->ktm.tx_list) && list_is_empty(&to->ktm.rm_list));
    EXPECT_OK(ktm_replay(&to->ktm, record_of(from, 0), 5));
    EXPECT_EQ(3, play_tx(to, 't')->en_count);
}

TEST(the_oldest_record_that_matters_is_first) /* LOG-08 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "begin u; begin v; enlist a cr; enlist b cr in u; enlist c cr in v; commit t; "
               "commit u; commit v");
    EXPECT(list_first(&p->ktm.logged, struct transaction, in_log) == play_tx(p, 't'));
    play_ok(p, "committed a");
    EXPECT(list_first(&p->ktm.logged, struct transaction, in_log) == play_tx(p, 'u'));
    record_appended(play_tx(p, 'u'), RECORD_COMMIT, 100); /* a checkpoint copies it forward */
    EXPECT(list_first(&p->ktm.logged, struct transaction, in_log) == play_tx(p, 'v'));
    EXPECT_EQ(100, play_tx(p, 'u')->lsn);
    record_appended(play_tx(p, 'u'), RECORD_RECINFO, 101); /* which is no record of its own */
    EXPECT_EQ(100, play_tx(p, 'u')->lsn);
    play_ok(p, "committed b; committed c");
    EXPECT(list_is_empty(&p->ktm.logged));
}

TEST(an_idle_rm_is_not_rebuilt) /* RECOV-07 RM-OPEN-03 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; begin u; enlist b cr in u; commit; commit u; committed b; "
               "crash keeping all");
    EXPECT(play_rm(p, 'A') != NULL);
    EXPECT(play_rm(p, 'B') == NULL);
}

/* ---- hostile records ---- */

/* Whatever came out of a strange record, the protocol can be run on it. */
static void
exercise(struct play *p)
{
    static const enum ktm_event_type requests[] = {
        KTM_EN_RECOVER,         KTM_EN_COMMIT_COMPLETE, KTM_EN_ROLLBACK_COMPLETE,
        KTM_EN_COMMIT,          KTM_EN_ROLLBACK,        KTM_EN_PREPARE_COMPLETE,
        KTM_EN_COMMIT_COMPLETE, KTM_EN_REQUEST_OUTCOME, KTM_EN_CLOSE};
    struct ktm_event event;
    struct ktm_effects effects;
    struct resource_manager *rm;
    struct transaction *tx;
    struct enlistment *en;

    LIST_EACH (tx, &p->ktm.tx_list, in_ktm)
        transaction_check(tx);
    ktm_replay_end(&p->ktm);
    p->ktm.state = KTM_ONLINE;
    LIST_EACH (rm, &p->ktm.rm_list, in_ktm) {
        atomic_fetch_add(&rm->object.holds, 1);
        rm->is_open = true;
        event = (struct ktm_event){.type = KTM_RM_RECOVER, .rm = rm};
        EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
        LIST_EACH (en, &rm->en_list, in_rm)
            EACH (request, requests) {
                NTSTATUS any;

                event = (struct ktm_event){.type = *request, .en = en};
                any = ktm_step(&p->ktm, &event, &effects);
                EXPECT(any == STATUS_SUCCESS || effects.count == 0);
                if (en->tx->forcing) {
                    event = (struct ktm_event){
                        .type = KTM_LOG_FORCED, .tx = en->tx, .reason = REASON_LOG};
                    record_appended(en->tx, (enum record_type)en->tx->forcing, 1000);
                    EXPECT_OK(ktm_step(&p->ktm, &event, &effects));
                }
                transaction_check(en->tx);
            }
    }
}

static NTSTATUS
replay_copy(struct play *p, const void *at, size_t size)
{
    /* a copy of exactly that size, so that a sanitizer sees a read beyond it */
    uint8_t *copy = malloc(size ? size : 1);
    NTSTATUS status;

    memcpy(copy, at, size);
    status = ktm_replay(&p->ktm, bytes_of(copy, size), 3);
    free(copy);
    return status;
}

TEST(a_record_cut_anywhere_is_damage) /* TM-RECOVER-11 */
{
    owned(play_destroy) struct play *from = play_full();
    struct bytes record = record_of(from, 0);

    for (size_t size = 0; size < record.size; size++) {
        owned(play_destroy) struct play *to = play_empty();
        uint8_t *cut = malloc(size + 8);

        EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, replay_copy(to, record.at, size));
        memcpy(cut, record.at, size);
        if (size >= 8)
            le32_put(cut + 4, (uint32_t)size); /* even if it says so itself */
        EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, replay_copy(to, cut, size));
        free(cut);
        ktm_replay_undo(&to->ktm);
        EXPECT(list_is_empty(&to->ktm.tx_list) && list_is_empty(&to->ktm.rm_list));
    }
}

TEST(a_record_with_something_behind_it_is_damage) /* TM-RECOVER-11 */
{
    owned(play_destroy) struct play *from = play_full();
    struct bytes record = record_of(from, 0);
    uint8_t longer[1024] = {0};

    for (size_t more = 1; more < 100; more++) {
        owned(play_destroy) struct play *to = play_empty();

        memcpy(longer, record.at, record.size);
        EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, replay_copy(to, longer, record.size + more));
        le32_put(longer + 4, (uint32_t)(record.size + more));
        EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, replay_copy(to, longer, record.size + more));
    }
}

TEST(a_record_changed_anywhere_does_no_harm) /* TM-RECOVER-11 */
{
    static const uint8_t changes[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF, 0x55};
    owned(play_destroy) struct play *from = play_full();
    struct bytes record = record_of(from, 0);
    unsigned refused = 0, accepted = 0;
    uint8_t changed[1024];

    for (size_t at = 0; at < record.size; at++)
        EACH (change, changes) {
            owned(play_destroy) struct play *to = play_empty();
            NTSTATUS status;

            memcpy(changed, record.at, record.size);
            changed[at] ^= *change;
            status = replay_copy(to, changed, record.size);
            if (status == STATUS_SUCCESS) {
                accepted++;
                exercise(to);
            } else {
                EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, status);
                refused++;
            }
        }
    EXPECT(refused > 300 && accepted > 300); /* lengths and versions; GUIDs, masks and texts */
}

static uint64_t
random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Records that are whole each, in any order, with some bytes changed: a log that somebody forged.
 */
TEST(any_sequence_of_records_does_no_harm) /* TM-RECOVER-11 RECOV-11 */
{
    owned(play_destroy) struct play *from = play_full();
    struct play_record pool[8];
    unsigned pool_count = 0;

    play_ok(from, "decide s; committed a; committed b; committed e; begin u; enlist f full by A in "
                  "u; enlist g cr in u; info f forget-me; commit u; preprepared f");
    play_ok(from, "prepared f");
    for (unsigned i = 0; i < from->record_count && pool_count < 8; i++)
        pool[pool_count++] = from->records[i];
    EXPECT_EQ(4, pool_count); /* PREPARE, COMMIT, FORGET; COMMIT */
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        owned(play_destroy) struct play *to = play_empty();
        uint64_t state = seed;

        for (unsigned n = (unsigned)(random_next(&state) % 8); n; n--) {
            const struct play_record *record = &pool[random_next(&state) % pool_count];
            uint8_t changed[1024];
            NTSTATUS status;

            memcpy(changed, record->data, record->size);
            if (random_next(&state) % 3 == 0)
                changed[0] = (uint8_t)(1 + random_next(&state) % 5);
            if (random_next(&state) % 3 == 0)
                changed[16] = (uint8_t) "tuv"[random_next(&state) % 3];
            if (random_next(&state) % 4 == 0)
                changed[random_next(&state) % record->size] ^= (uint8_t)random_next(&state);
            status = replay_copy(to, changed, record->size);
            if (status != STATUS_SUCCESS) {
                EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, status);
                ktm_replay_undo(&to->ktm); /* as the engine does */
                EXPECT(list_is_empty(&to->ktm.tx_list) && list_is_empty(&to->ktm.rm_list) &&
                       list_is_empty(&to->ktm.logged));
                break;
            }
        }
        exercise(to);
    }
}

TEST(no_memory_during_replay) /* TM-RECOVER-12 RECOV-11 */
{
    owned(play_destroy) struct play *from = play_full();
    unsigned failures = 0;

    for (uint64_t n = 1;; n++) {
        owned(play_destroy) struct play *to = play_empty();
        NTSTATUS status;

        alloc_fail_at(n);
        status = ktm_replay(&to->ktm, record_of(from, 0), 5);
        if (!alloc_fail_stop()) {
            EXPECT_STATUS(STATUS_SUCCESS, status);
            break;
        }
        EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
        ktm_replay_undo(&to->ktm);
        EXPECT(list_is_empty(&to->ktm.tx_list) && list_is_empty(&to->ktm.rm_list) &&
               list_is_empty(&to->ktm.logged));
        failures++;
    }
    EXPECT(failures >= 8); /* transaction, description, three RMs, three enlistments … */
}

/* ---- the restart area ---- */

static const struct restart_area sample = {.identity = {1, 2, 3, {4}},
                                           .log_identity = {5, 6, 7, {8}},
                                           .clock = 0x0102030405060708,
                                           .oldest_lsn = 0x1112131415161718};

TEST(the_restart_area_comes_back) /* LOG-08 NAME-05 CLOCK-09 */
{
    struct restart_area out;
    uint8_t data[RESTART_AREA_SIZE];

    restart_encode(&sample, data);
    EXPECT_BYTES("KTMR\1\0\0\0", data, 8);
    EXPECT_OK(restart_decode(bytes_of(data, sizeof(data)), &out));
    EXPECT(guid_equal(&sample.identity, &out.identity));
    EXPECT(guid_equal(&sample.log_identity, &out.log_identity));
    EXPECT_EQ(sample.clock, out.clock);
    EXPECT_EQ(sample.oldest_lsn, out.oldest_lsn);
}

TEST(a_damaged_restart_area_is_refused) /* TM-RECOVER-11 TM-CREATE-17 */
{
    struct restart_area out;
    uint8_t data[RESTART_AREA_SIZE + 1] = {0};

    for (size_t size = 0; size <= sizeof(data); size++) {
        uint8_t *copy = malloc(size + 1);

        restart_encode(&sample, data);
        memcpy(copy, data, size);
        EXPECT_STATUS(size == RESTART_AREA_SIZE ? STATUS_SUCCESS : STATUS_LOG_CORRUPTION_DETECTED,
                      restart_decode(bytes_of(copy, size), &out));
        free(copy);
    }
    for (size_t at = 0; at < RESTART_AREA_SIZE; at++) {
        bool is_ruled = at < 8 || at >= 56; /* the rest may be anything */
        NTSTATUS status;

        restart_encode(&sample, data);
        data[at] ^= 0x10;
        status = restart_decode(bytes_of(data, RESTART_AREA_SIZE), &out);
        EXPECT_STATUS(is_ruled ? STATUS_LOG_CORRUPTION_DETECTED : STATUS_SUCCESS, status);
    }
    restart_encode(
        &(struct restart_area){.identity = sample.identity, .log_identity = sample.log_identity},
        data); /* no clock */
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                  restart_decode(bytes_of(data, RESTART_AREA_SIZE), &out));
    restart_encode(&(struct restart_area){.clock = 1, .identity = sample.identity}, data);
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                  restart_decode(bytes_of(data, RESTART_AREA_SIZE), &out));
}
