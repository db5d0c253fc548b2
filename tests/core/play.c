/* SPDX-License-Identifier: MIT */
#include "tests/core/play.h"

#include "tests/core/words.h"

GUID
play_guid(char name)
{
    return (GUID){.Data1 = (uint8_t)name, .Data2 = 0x4B54, .Data3 = 0x4D00};
}

/* ---- finding ---- */

struct transaction *
play_tx(struct play *play, char name)
{
    struct transaction *tx;

    LIST_EACH (tx, &play->ktm.tx_list, in_ktm)
        if (tx->link.guid.Data1 == (uint8_t)name)
            return tx;
    return NULL;
}

struct resource_manager *
play_rm(struct play *play, char name)
{
    struct resource_manager *rm;

    LIST_EACH (rm, &play->ktm.rm_list, in_ktm)
        if (rm->link.guid.Data1 == (uint8_t)name)
            return rm;
    return NULL;
}

struct enlistment *
play_en(struct play *play, char name)
{
    struct resource_manager *rm;
    struct enlistment *en;

    LIST_EACH (rm, &play->ktm.rm_list, in_ktm)
        LIST_EACH (en, &rm->en_list, in_rm)
            if (en->link.guid.Data1 == (uint8_t)name)
                return en;
    return NULL;
}

/* ---- the trace ---- */

static void __attribute__((format(printf, 2, 3))) trace(struct play *play, const char *format, ...)
{
    size_t length = strlen(play->trace);
    va_list arguments;

    if (length)
        length += (size_t)snprintf(play->trace + length, sizeof(play->trace) - length, "; ");
    va_start(arguments, format);
    vsnprintf(play->trace + length, sizeof(play->trace) - length, format, arguments);
    va_end(arguments);
    EXPECT(strlen(play->trace) + 1 < sizeof(play->trace));
}

static void
trace_notification(struct play *play, const void *key, uint32_t what, int64_t clock)
{
    char name = (char)(uintptr_t)key;

    EXPECT(__builtin_popcount(what) == 1);
    EXPECT_EQ(play->ktm.clock, clock); /* that of its making, and nothing has happened since */
    if (name)
        trace(play, "%c %s", name, word_of_notification(what));
    else
        trace(play, "%s", word_of_notification(what));
}

static void
fetch_all(struct play *play)
{
    struct resource_manager *rm;
    struct notification *note;

    LIST_EACH (rm, &play->ktm.rm_list, in_ktm) {
        list_remove(&rm->in_news);
        while ((note = resource_manager_take(rm))) {
            EXPECT_EQ(note->has_argument, note->what == TRANSACTION_NOTIFY_RECOVER ||
                                              note->what == TRANSACTION_NOTIFY_RECOVER_QUERY);
            trace_notification(play, note->key, note->what, note->clock);
            if (note->has_argument) {
                size_t length = strlen(play->trace);
                const struct enlistment *en =
                    resource_manager_find_enlistment(rm, &note->argument.EnlistmentId);

                EXPECT(en && guid_equal(&en->tx->link.guid, &note->argument.UOW));

                snprintf(play->trace + length, sizeof(play->trace) - length, " %c",
                         (char)note->argument.EnlistmentId.Data1);
            }
            free(note);
        }
    }
}

/* ---- the log ---- */

static void
record_keep(struct play *play, struct transaction *tx, int type)
{
    struct play_record *record = &play->records[play->record_count];
    size_t size = record_size(tx, (enum record_type)type, NULL);

    EXPECT(play->record_count < PLAY_RECORDS_MAX);
    *record = (struct play_record){.data = malloc(size), .size = size, .type = type};
    EXPECT(record->data);
    record_encode(tx, (enum record_type)type, NULL, record->data);
    record->lsn = ++play->record_count;
    record_appended(tx, (enum record_type)type, record->lsn);
}

static void step(struct play *play, struct ktm_event event);

static void
force(struct play *play, struct transaction *tx, int type)
{
    static const enum ktm_event_type said[] = {[PLAY_LOG_OK] = KTM_LOG_FORCED,
                                               [PLAY_LOG_FAILS] = KTM_LOG_FAILED,
                                               [PLAY_LOG_UNCLEAR] = KTM_LOG_AMBIGUOUS,
                                               [PLAY_LOG_TOOLONG] = KTM_LOG_FAILED};

    play->forces++;
    trace(play, "force %s", word_of_record(type));
    if (play->log == PLAY_LOG_OK || play->log == PLAY_LOG_UNCLEAR || play->log == PLAY_LOG_WAITS)
        record_keep(play, tx, type);
    if (play->log == PLAY_LOG_WAITS)
        return;
    if (play->log == PLAY_LOG_OK)
        play->forced_count = play->record_count;
    step(play, (struct ktm_event){.type = said[play->log],
                                  .tx = tx,
                                  .reason = play->log == PLAY_LOG_TOOLONG ? REASON_RECORD_TOO_LONG
                                                                          : REASON_LOG});
}

/* ---- the step ---- */

static void
perform(struct play *play, const struct ktm_effects *effects)
{
    for (unsigned i = 0; i < effects->count; i++) {
        const struct ktm_effect *effect = &effects->list[i];
        struct notification *note;
        struct enlistment *en;
        uint32_t what;
        int64_t clock;

        switch ((enum ktm_effect_type)effect->type) {
        case EFFECT_APPEND:
            trace(play, "append %s", word_of_record(effect->record));
            record_keep(play, effect->tx, effect->record);
            break;
        case EFFECT_FORCE:
            EXPECT(i + 1 == effects->count);
            force(play, effect->tx, effect->record);
            break;
        case EFFECT_SIGNAL:
            atomic_fetch_or(&effect->tx->object.signal, effect->signal);
            break;
        case EFFECT_DELIVER:
            while ((en = transaction_take_delivery(effect->tx, &what, &clock)))
                trace_notification(play, atomic_load(&en->key), what, clock);
            break;
        case EFFECT_DRAIN:
            while ((note = resource_manager_take(effect->rm))) {
                trace_notification(play, note->key, note->what, note->clock);
                free(note);
            }
            break;
        }
    }
}

static void
check_all(struct play *play)
{
    struct transaction *tx;

    LIST_EACH (tx, &play->ktm.tx_list, in_ktm)
        transaction_check(tx);
}

static void
step(struct play *play, struct ktm_event event)
{
    struct ktm_effects effects;
    int64_t clock = play->ktm.clock;

    play->status = ktm_step(&play->ktm, &event, &effects);
    check_all(play);
    EXPECT(play->ktm.clock >= clock); /* CLOCK-10 INV-12 */
    if (play->ktm.clock != clock)
        trace(play, "clock %lld", (long long)play->ktm.clock);
    if (play->status != STATUS_SUCCESS) {
        EXPECT_EQ(clock, play->ktm.clock); /* CLOCK-06 */
        EXPECT_EQ(0, effects.count);
        return;
    }
    play->has_queued |= effects.has_queued;
    perform(play, &effects);
    play->status = STATUS_SUCCESS;
}

/* ---- the commands ---- */

static struct transaction *
begin(struct play *play, char name)
{
    GUID uow = play_guid(name);
    struct transaction *tx = transaction_create(&uow);

    EXPECT(tx);
    EXPECT_OK(ktm_add_transaction(&play->ktm, tx));
    tx->is_open = true;
    tx->object.handles = 1;
    atomic_store(&tx->object.holds, 1);
    return tx;
}

static struct resource_manager *
rm_make(struct play *play, char name, bool is_volatile)
{
    GUID guid = play_guid(name);
    struct resource_manager *rm =
        resource_manager_create(&guid, is_volatile ? RESOURCE_MANAGER_VOLATILE : 0);

    EXPECT(rm);
    EXPECT_OK(ktm_add_resource_manager(&play->ktm, rm));
    rm->is_open = rm->is_online = true;
    atomic_store(&rm->object.holds, 1);
    return rm;
}

static void
enlist(struct play *play, const struct words *words)
{
    char name = words->at[1][0];
    const char *by = words_after(words, "by"), *in = words_after(words, "in");
    char rm_name = by ? *by : (char)(name - 'a' + 'A');
    GUID guid = play_guid(name);
    struct ktm_event event = {.type = KTM_EN_CREATE, .tx = play_tx(play, in ? *in : 't')};
    bool is_superior = words_have(words, "superior");
    uint32_t mask;

    EXPECT(event.tx && mask_of_words(words->at[2], &mask));
    EXPECT_OK(notification_mask_check(mask, is_superior));
    event.rm = play_rm(play, rm_name);
    if (!event.rm)
        event.rm = rm_make(play, rm_name, play->is_volatile || words_have(words, "volatile"));
    event.en = enlistment_create(&guid, mask, is_superior, (void *)(uintptr_t)name);
    EXPECT(event.en);
    atomic_store(&event.en->object.holds, 1);
    step(play, event);
    if (play->status != STATUS_SUCCESS)
        enlistment_destroy(event.en);
}

static void
close_rm(struct play *play, struct resource_manager *rm)
{
    struct enlistment *en = NULL;

    step(play, (struct ktm_event){.type = KTM_RM_CLOSE, .rm = rm});
    while ((en = resource_manager_next_closing(rm, en)))
        step(play, (struct ktm_event){.type = KTM_EN_CLOSE, .en = en});
}

static void
close_one(struct play *play, char name)
{
    struct resource_manager *rm = play_rm(play, name);
    struct transaction *tx = play_tx(play, name);
    struct enlistment *en = play_en(play, name);

    if (tx)
        step(play, (struct ktm_event){.type = KTM_TX_CLOSE, .tx = tx});
    else if (rm)
        close_rm(play, rm);
    else
        step(play, (struct ktm_event){.type = KTM_EN_CLOSE, .en = en});
}

static void
crash(struct play *play, bool keeps_all)
{
    unsigned count = keeps_all ? play->record_count : play->forced_count;
    struct resource_manager *rm;

    ktm_abandon(&play->ktm);
    ktm_deinit(&play->ktm);
    ktm_init(&play->ktm, play->is_volatile);
    play->ktm.state = KTM_RECOVERING;
    for (unsigned i = 0; i < count; i++) {
        struct play_record *record = &play->records[i];

        EXPECT_OK(ktm_replay(&play->ktm, bytes_of(record->data, record->size), record->lsn));
        check_all(play);
    }
    for (unsigned i = count; i < play->record_count; i++)
        free(play->records[i].data);
    play->record_count = play->forced_count = count;
    ktm_replay_end(&play->ktm);
    play->ktm.state = KTM_ONLINE;
    LIST_EACH (rm, &play->ktm.rm_list, in_ktm)
        atomic_store(&rm->object.holds, 1);
}

static bool
play_log_command(struct play *play, const struct words *words)
{
    static const char *const modes[] = {[PLAY_LOG_OK] = "ok",
                                        [PLAY_LOG_FAILS] = "fails",
                                        [PLAY_LOG_UNCLEAR] = "unclear",
                                        [PLAY_LOG_TOOLONG] = "toolong",
                                        [PLAY_LOG_WAITS] = "waits"};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strcmp(words->at[1], modes[i]) == 0) {
            play->log = (enum play_log)i;
            return true;
        }
    return false;
}

/* The log answers at last: what was appended is forced, or not. */
static void
log_answers(struct play *play, int type, struct transaction *tx)
{
    if (type == KTM_LOG_FORCED)
        play->forced_count = play->record_count;
    step(play,
         (struct ktm_event){.type = (enum ktm_event_type)type, .tx = tx, .reason = REASON_LOG});
}

static const struct {
    const char *word;
    int event;
    bool is_answer; /* its object is an enlistment; else a transaction */
} events[] = {
    {"commit", KTM_TX_COMMIT, false},
    {"rollback", KTM_TX_ROLLBACK, false},
    {"timeout", KTM_TX_TIMEOUT, false},
    {"shutdown", KTM_TX_SHUTDOWN, false},
    {"forced", KTM_LOG_FORCED, false},
    {"failed", KTM_LOG_FAILED, false},
    {"unclear", KTM_LOG_AMBIGUOUS, false},
    {"preprepared", KTM_EN_PREPREPARE_COMPLETE, true},
    {"prepared", KTM_EN_PREPARE_COMPLETE, true},
    {"committed", KTM_EN_COMMIT_COMPLETE, true},
    {"rolledback", KTM_EN_ROLLBACK_COMPLETE, true},
    {"readonly", KTM_EN_READ_ONLY, true},
    {"reject", KTM_EN_SINGLE_PHASE_REJECT, true},
    {"veto", KTM_EN_ROLLBACK, true},
    {"outcome", KTM_EN_REQUEST_OUTCOME, true},
    {"preprepare", KTM_EN_PREPREPARE, true},
    {"prepare", KTM_EN_PREPARE, true},
    {"decide", KTM_EN_COMMIT, true},
};

static bool
event_command(struct play *play, const struct words *words)
{
    const char *clock_word = words_after(words, "clock");
    int64_t clock = clock_word ? strtoll(clock_word, NULL, 0) : 0;

    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        struct ktm_event event = {.type = (enum ktm_event_type)events[i].event,
                                  .clock = clock_word ? &clock : NULL,
                                  .reason = REASON_TM_CLOSED};
        char name = words->count > 1 ? words->at[1][0] : 't';

        if (strcmp(words->at[0], events[i].word) != 0)
            continue;
        if (events[i].is_answer)
            event.en = play_en(play, name);
        else
            event.tx = play_tx(play, name);
        EXPECT(event.en || event.tx);
        if (event.type >= KTM_LOG_FORCED)
            log_answers(play, events[i].event, event.tx);
        else
            step(play, event);
        return true;
    }
    return false;
}

static PTM_RM_NOTIFICATION const some_callback = (PTM_RM_NOTIFICATION)(uintptr_t)1;

static void
recover(struct play *play, char name)
{
    struct resource_manager *rm = play_rm(play, name);

    if (rm) {
        step(play, (struct ktm_event){.type = KTM_RM_RECOVER, .rm = rm});
        return;
    }
    step(play, (struct ktm_event){.type = KTM_EN_RECOVER,
                                  .en = play_en(play, name),
                                  .key = (void *)(uintptr_t)name});
}

static void
object_command(struct play *play, const struct words *words)
{
    const char *verb = words->at[0];
    char name = words->at[1][0];

    if (strcmp(verb, "begin") == 0) {
        begin(play, name);
    } else if (strcmp(verb, "enlist") == 0) {
        enlist(play, words);
    } else if (strcmp(verb, "close") == 0) {
        close_one(play, name);
    } else if (strcmp(verb, "open") == 0) {
        if (!play_rm(play, name))
            rm_make(play, name, false)->is_online = false;
        play_rm(play, name)->is_open = true;
    } else if (strcmp(verb, "recover") == 0) {
        recover(play, name);
    } else if (strcmp(verb, "callbacks") == 0) {
        if (!play_rm(play, name))
            rm_make(play, name, play->is_volatile);
        play_rm(play, name)->callback = some_callback; /* the core never calls it */
    } else if (strcmp(verb, "fail") == 0) {
        step(play, (struct ktm_event){.type = KTM_EN_CALLBACK_FAILED,
                                      .en = play_en(play, name),
                                      .what = notification_of_word(words->at[2])});
    } else if (strcmp(verb, "info") == 0) {
        play->status = enlistment_set_recovery_info(play_en(play, name),
                                                    bytes_of(words->at[2], strlen(words->at[2])));
    } else {
        test_fail(__FILE__, __LINE__, "no such command: %s", verb);
    }
}

static void
command(struct play *play, char *line)
{
    struct words words;

    EXPECT(words_split(line, &words) && words.count);
    play->status = STATUS_SUCCESS;
    play->has_queued = false;
    play->trace[0] = 0;
    if (strcmp(words.at[0], "log") == 0)
        EXPECT(play_log_command(play, &words));
    else if (strcmp(words.at[0], "crash") == 0)
        crash(play, words_have(&words, "all"));
    else if (!event_command(play, &words))
        object_command(play, &words);
    fetch_all(play);
}

const char *
play(struct play *play, const char *script)
{
    char *copy = strdup(script);
    char *state = NULL, *next;

    EXPECT(copy);
    for (char *line = strtok_r(copy, ";", &state); line; line = next) {
        next = strtok_r(NULL, ";", &state);
        if (strspn(line, " ") == strlen(line))
            continue;
        command(play, line);
        if (next && play->status != STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "'%s' of '%s': %s", line, script,
                      status_name(play->status));
    }
    free(copy);
    return play->trace;
}

const char *
play_ok(struct play *play_, const char *script)
{
    const char *trace_ = play(play_, script);

    if (play_->status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "the end of '%s': %s", script, status_name(play_->status));
    return trace_;
}

/* ---- looking ---- */

const char *
play_state(struct play *play, char name)
{
    static const char *const outcomes[] = {"?", "", " committed", " aborted", " unavailable"};
    static char text[80];
    struct transaction *tx = play_tx(play, name);
    uint32_t signal;

    if (!tx)
        return "none";
    signal = atomic_load(&tx->object.signal);
    snprintf(text, sizeof(text), "%s%s%s", transaction_state_name(tx->state),
             outcomes[atomic_load(&tx->outcome)], signal & SIGNAL_SET ? " signalled" : "");
    return text;
}

const char *
play_enlistment_state(struct play *play, char name)
{
    static const char *const states[] = {
        [EN_ACTIVE] = "ACTIVE",
        [EN_PREPREPARING] = "PREPREPARING",
        [EN_PREPREPARED] = "PREPREPARED",
        [EN_PREPARING] = "PREPARING",
        [EN_PREPARED] = "PREPARED",
        [EN_DELEGATED] = "DELEGATED",
        [EN_COMMITTED_NOTIFY] = "COMMITTED_NOTIFY",
        [EN_ABORTING] = "ABORTING",
        [EN_INDOUBT] = "INDOUBT",
        [EN_RECOVERING] = "RECOVERING",
        [EN_OFFLINE] = "OFFLINE",
        [EN_FINISHED] = "FINISHED",
    };
    struct enlistment *en = play_en(play, name);

    return en ? states[en->state] : "none";
}

/* ---- life ---- */

struct play *
play_create(bool is_volatile)
{
    struct play *play = calloc(1, sizeof(*play));

    EXPECT(play);
    play->is_volatile = is_volatile;
    ktm_init(&play->ktm, is_volatile);
    play->ktm.state = KTM_ONLINE;
    begin(play, 't');
    return play;
}

void
play_destroy(struct play *play)
{
    if (!play)
        return;
    ktm_abandon(&play->ktm);
    ktm_deinit(&play->ktm);
    for (unsigned i = 0; i < play->record_count; i++)
        free(play->records[i].data);
    free(play);
}
