/* SPDX-License-Identifier: MIT */
#include "tests/scenarios/scenario.h"

#include "core/ktm.h"
#include "tests/core/words.h"
#include "tests/scenarios/spy.h"

/* ---- files ---- */

static char *
read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (!file)
        return NULL;
    EXPECT(getdelim(&text, &size, 0, file) >= 0);
    fclose(file);
    return text;
}

struct scenario *
scenario_of(const char *name, const char *commands)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));

    EXPECT(scenario);
    snprintf(scenario->name, sizeof(scenario->name), "%s", name);
    scenario->text = scenario->commands = strdup(commands);
    EXPECT(scenario->text);
    scenario->expected = scenario->text + strlen(commands);
    return scenario;
}

struct scenario *
scenario_load(const char *path)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));
    const char *name = strrchr(path, '/');
    char *line;

    EXPECT(scenario && strlen(path) < sizeof(scenario->path));
    snprintf(scenario->path, sizeof(scenario->path), "%s", path);
    snprintf(scenario->name, sizeof(scenario->name), "%s", name ? name + 1 : path);
    scenario->text = read_file(path);
    if (!scenario->text)
        test_fail(__FILE__, __LINE__, "%s cannot be read", path);
    scenario->commands = scenario->text;
    line = strstr(scenario->text, "\n----\n");
    if (!line)
        test_fail(__FILE__, __LINE__, "%s has no line of dashes", path);
    line[1] = 0;
    scenario->expected = line + 6;
    return scenario;
}

void
scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    free(scenario->text);
    free(scenario);
}

void
scenario_rewrite(const struct scenario *scenario, const char *trace)
{
    FILE *file = fopen(scenario->path, "w");

    EXPECT(file);
    fprintf(file, "%s----\n%s", scenario->commands, trace);
    EXPECT(fclose(file) == 0);
}

/* ---- the trace ---- */

struct runner {
    struct world *world;
    FILE *out; /* NULL: no trace is wanted */
    char seen[1000];
    bool is_quiet;
};

static void
runner_hear(void *context, const char *line)
{
    struct runner *runner = context;
    size_t length = strlen(runner->seen);

    if (!runner->is_quiet)
        snprintf(runner->seen + length, sizeof(runner->seen) - length, "; %s", line);
    EXPECT(strlen(runner->seen) + 1 < sizeof(runner->seen));
}

/* "commit t: PENDING; a PREPREPARE", folded at a hundred columns. */
static void
print_line(struct runner *runner, const char *command, NTSTATUS status)
{
    const char *name = status_name(status);
    char line[1400], *at = line;

    if (!runner->out || (status == STATUS_SUCCESS && !runner->seen[0]))
        return;
    if (status == STATUS_SUCCESS)
        snprintf(line, sizeof(line), "%s:%s", command, runner->seen + 1);
    else
        snprintf(line, sizeof(line), "%s: %s%s", command, name ? name + 7 : "?", runner->seen);
    while (strlen(at) > 98) {
        char *fold = at + 98;

        while (fold > at && !(fold[0] == ' ' && fold[-1] == ';'))
            fold--;
        if (fold == at)
            break;
        *fold = 0;
        fprintf(runner->out, "%s\n   ", at);
        at = fold + 1;
        *--at = ' ';
    }
    fprintf(runner->out, "%s\n", at);
}

/* ---- commands ---- */

static struct world_tx *
tx_of(struct runner *runner, const char *name)
{
    struct world_tx *tx = name ? world_tx(runner->world, *name) : NULL;

    if (!tx)
        test_fail(__FILE__, __LINE__, "there is no transaction %s", name ? name : "of no name");
    return tx;
}

static struct world_rm *
rm_of(struct runner *runner, const char *name)
{
    struct world_rm *rm = name ? world_rm(runner->world, *name) : NULL;

    if (!rm)
        test_fail(__FILE__, __LINE__, "there is no RM %s", name ? name : "of no name");
    return rm;
}

static struct world_en *
en_of(struct runner *runner, const char *name)
{
    struct world_en *en = name ? world_en(runner->world, *name) : NULL;

    if (!en)
        test_fail(__FILE__, __LINE__, "there is no enlistment %s", name ? name : "of no name");
    return en;
}

/* Made, and when durable recovered: nothing to be told yet. */
static NTSTATUS
make_rm(struct runner *runner, char name, const struct words *words)
{
    struct world *world = runner->world;
    bool is_volatile = words_have(words, "volatile"), calls = words_have(words, "callbacks");
    struct world_rm *rm;

    if (words_have(words, "there"))
        TRY(world_rm_create_elsewhere(world, name, is_volatile, calls));
    else
        TRY(world_rm_create(world, name, is_volatile, calls));
    rm = world_rm(world, name);
    rm->answers = words_have(words, "answers");
    if (!rm->is_volatile) {
        NTSTATUS status;

        runner->is_quiet = true;
        status = world_rm_recover(world, rm, false);
        runner->is_quiet = false;
        return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
do_rm(struct runner *runner, const struct words *words)
{
    return make_rm(runner, words->at[1][0], words);
}

static NTSTATUS
do_begin(struct runner *runner, const struct words *words)
{
    const char *timeout = words_after(words, "timeout");
    int64_t milliseconds = timeout ? atoll(timeout) : 0;

    return world_begin(runner->world, words->at[1], -10000 * milliseconds, NULL);
}

static NTSTATUS
do_enlist(struct runner *runner, const struct words *words)
{
    const char *by = words_after(words, "by"), *in = words_after(words, "in");
    char name = words->at[1][0], rm_name = by ? *by : (char)(name - 'a' + 'A');
    uint32_t mask = 0;

    EXPECT(words->count > 2 && mask_of_words(words->at[2], &mask));
    if (!world_rm(runner->world, rm_name))
        TRY(make_rm(runner, rm_name, words));
    return world_enlist(runner->world, words->at[1], world_rm(runner->world, rm_name),
                        tx_of(runner, in ? in : "t"), mask, words_have(words, "superior"), NULL);
}

static NTSTATUS
do_commit(struct runner *runner, const struct words *words)
{
    return world_commit(runner->world, tx_of(runner, words->at[1]));
}

static NTSTATUS
do_rollback(struct runner *runner, const struct words *words)
{
    return world_rollback(runner->world, tx_of(runner, words->at[1]));
}

static NTSTATUS
do_query(struct runner *runner, const struct words *words)
{
    static const char *const states[] = {"?", "normal", "in doubt", "committed-notify"};
    static const char *const outcomes[] = {"?", "undetermined", "committed", "aborted"};
    struct engine_tx_info info;

    TRY(engine_tx_query(tx_of(runner, words->at[1])->handle, &info));
    world_tell(runner->world, "%s, %s", states[info.state & 3], outcomes[info.outcome & 3]);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_wait(struct runner *runner, const struct words *words)
{
    return engine_wait(tx_of(runner, words->at[1])->handle, 0);
}

static NTSTATUS
do_advance(struct runner *runner, const struct words *words)
{
    sys_sim_advance(runner->world->sim, strtoull(words->at[1], NULL, 10) * 1000000);
    world_timers(runner->world);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_settle(struct runner *runner, const struct words *words)
{
    (void)words;
    world_settle(runner->world);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_clock(struct runner *runner, const struct words *words)
{
    struct engine_tm_info info;

    (void)words;
    engine_tm_query(runner->world->tm, &info);
    world_tell(runner->world, "%lld", (long long)info.clock);
    if (runner->world->other) {
        engine_tm_query(runner->world->other, &info);
        world_tell(runner->world, "there %lld", (long long)info.clock);
    }
    return STATUS_SUCCESS;
}

static void
tell_name(void *context, const GUID *guid)
{
    struct runner *runner = context;

    world_tell(runner->world, "%.4s", (const char *)&guid->Data1);
}

/* Which transactions the TM still knows. */
static NTSTATUS
do_left(struct runner *runner, const struct words *words)
{
    bool is_there = words_have(words, "there");

    return engine_enumerate(runner->world->engine,
                            is_there ? runner->world->other : runner->world->tm, OBJECT_TX,
                            tell_name, runner);
}

static NTSTATUS
do_close(struct runner *runner, const struct words *words)
{
    const char *name = words->at[1];
    struct world *world = runner->world;

    if (strcmp(name, "tm") == 0 || strcmp(name, "other") == 0)
        world_close_tm(world, strcmp(name, "other") == 0);
    else if (world_tx(world, *name))
        world_tx_close(world, tx_of(runner, name));
    else if (world_rm(world, *name))
        world_rm_close(world, rm_of(runner, name));
    else
        world_en_close(world, en_of(runner, name));
    return STATUS_SUCCESS;
}

static NTSTATUS
do_open(struct runner *runner, const struct words *words)
{
    struct world *world = runner->world;
    struct world_tx *tx = world_tx(world, words->at[1][0]);
    NTSTATUS status;

    if (!tx)
        return world_rm_open(world, rm_of(runner, words->at[1]));
    status = engine_tx_open(world->engine, &tx->uow, world->tm, &tx->handle);
    if (status == STATUS_SUCCESS)
        world_hear(world);
    return status;
}

static NTSTATUS
do_recover(struct runner *runner, const struct words *words)
{
    struct world *world = runner->world;

    if (world_rm(world, words->at[1][0]))
        return world_rm_recover(world, rm_of(runner, words->at[1]), false);
    return world_en_recover(world, en_of(runner, words->at[1]));
}

static NTSTATUS
do_return(struct runner *runner, const struct words *words)
{
    struct world_rm *rm = rm_of(runner, words->at[1]);

    TRY(world_rm_open(runner->world, rm));
    TRY(world_rm_recover(runner->world, rm, true));
    world_settle(runner->world);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_info(struct runner *runner, const struct words *words)
{
    return engine_en_set_recovery_info(en_of(runner, words->at[1])->handle,
                                       bytes_of(words->at[2], strlen(words->at[2])));
}

static NTSTATUS
do_read(struct runner *runner, const struct words *words)
{
    char text[64];
    uint32_t size = sizeof(text) - 1;

    TRY(engine_en_recovery_info(en_of(runner, words->at[1])->handle, text, &size));
    text[size] = 0;
    world_tell(runner->world, "%s", text);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_crash(struct runner *runner, const struct words *words)
{
    (void)words;
    world_crash(runner->world, false, SIM_KEEP_ALL, 0);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_power(struct runner *runner, const struct words *words)
{
    world_crash(runner->world, true, words_have(words, "all") ? SIM_KEEP_ALL : SIM_KEEP_NOTHING, 0);
    return STATUS_SUCCESS;
}

static NTSTATUS
do_start(struct runner *runner, const struct words *words)
{
    if (words_have(words, "here"))
        return world_start_one(runner->world, false);
    if (words_have(words, "there"))
        return world_start_one(runner->world, true);
    return world_start(runner->world);
}

/* fails: every write; lies: one sync fails, and what it should have written is lost */
static NTSTATUS
do_disk(struct runner *runner, const struct words *words)
{
    struct sys_fault_rule fails = {.calls = FAULT_WRITE | FAULT_SYNC,
                                   .n = 1,
                                   .status = STATUS_IO_DEVICE_ERROR,
                                   .is_lasting = true};

    sys_fault_plan(runner->world->fault, NULL);
    if (strcmp(words->at[1], "fails") == 0)
        sys_fault_plan(runner->world->fault, &fails);
    else if (strcmp(words->at[1], "lies") == 0)
        sys_sim_fail_sync(runner->world->sim, NULL, 1);
    else
        EXPECT_TEXT("ok", words->at[1]);
    return STATUS_SUCCESS;
}

static const struct {
    const char *word;
    int event;
} requests[] = {
    {"preprepared", KTM_EN_PREPREPARE_COMPLETE},
    {"prepared", KTM_EN_PREPARE_COMPLETE},
    {"committed", KTM_EN_COMMIT_COMPLETE},
    {"rolledback", KTM_EN_ROLLBACK_COMPLETE},
    {"readonly", KTM_EN_READ_ONLY},
    {"reject", KTM_EN_SINGLE_PHASE_REJECT},
    {"veto", KTM_EN_ROLLBACK},
    {"outcome", KTM_EN_REQUEST_OUTCOME},
    {"preprepare", KTM_EN_PREPREPARE},
    {"prepare", KTM_EN_PREPARE},
    {"decide", KTM_EN_COMMIT},
};

static NTSTATUS
do_request(struct runner *runner, const struct words *words, int event)
{
    const char *clock_word = words_after(words, "clock");
    int64_t clock = clock_word ? atoll(clock_word) : 0;

    return world_request(runner->world, en_of(runner, words->at[1]), event,
                         clock_word ? &clock : NULL);
}

/* What the word after a verb must be for the verb to make sense. */
enum subject { NONE, OPEN_TX, OPEN_EN, OPEN_ANY, ANY, IN_OPEN_TX, CLOSED_RM, RM_OR_EN };

static const struct {
    const char *word;
    NTSTATUS (*run)(struct runner *runner, const struct words *words);
    unsigned words;
    enum subject subject;
} verbs[] = {
    {"rm", do_rm, 2, NONE},
    {"begin", do_begin, 2, NONE},
    {"enlist", do_enlist, 3, IN_OPEN_TX},
    {"commit", do_commit, 2, OPEN_TX},
    {"rollback", do_rollback, 2, OPEN_TX},
    {"query", do_query, 2, OPEN_TX},
    {"wait", do_wait, 2, OPEN_TX},
    {"open", do_open, 2, ANY},
    {"advance", do_advance, 2, NONE},
    {"settle", do_settle, 1, NONE},
    {"clock", do_clock, 1, NONE},
    {"left", do_left, 1, NONE},
    {"close", do_close, 2, OPEN_ANY},
    {"recover", do_recover, 2, RM_OR_EN},
    {"return", do_return, 2, CLOSED_RM},
    {"info", do_info, 3, OPEN_EN},
    {"read", do_read, 2, OPEN_EN},
    {"crash", do_crash, 1, NONE},
    {"power", do_power, 1, NONE},
    {"start", do_start, 1, NONE},
    {"disk", do_disk, 2, NONE},
};

static bool
is_possible(struct runner *runner, const struct words *words, enum subject subject)
{
    const char *in = words_after(words, "in");
    const char *name = words->count > 1 ? words->at[1] : "-";
    struct world *world = runner->world;
    struct world_tx *tx = world_tx(world, *name), *in_tx = world_tx(world, in ? *in : 't');
    struct world_en *en = world_en(world, *name);
    struct world_rm *rm = world_rm(world, *name);

    if (!world->tm && !world->other && subject != OPEN_ANY && subject != OPEN_EN &&
        subject != OPEN_TX)
        return strcmp(words->at[0], "start") == 0 || strcmp(words->at[0], "crash") == 0 ||
               strcmp(words->at[0], "power") == 0 || strcmp(words->at[0], "disk") == 0;
    switch (subject) {
    case NONE:
        return true;
    case OPEN_TX:
        return tx && tx->handle;
    case OPEN_EN:
        return en && en->handle;
    case OPEN_ANY:
        return (tx && tx->handle) || (en && en->handle) || (rm && rm->handle) ||
               (strcmp(name, "tm") == 0 && world->tm) ||
               (strcmp(name, "other") == 0 && world->other);
    case ANY:
        return (tx && !tx->handle) || (rm && !rm->handle && world_tm_of(world, rm));
    case IN_OPEN_TX: {
        const char *by = words_after(words, "by");
        struct world_rm *its = world_rm(world, by ? *by : (char)(*name - 'a' + 'A'));

        return in_tx && in_tx->handle && (!its || its->handle);
    }
    case CLOSED_RM:
        return rm && !rm->handle && world_tm_of(world, rm);
    case RM_OR_EN:
        return rm ? rm->handle != NULL : en && en->rm->handle;
    }
    return false;
}

/* A superior that knows of the abort does not decide commit, whatever the script says. */
static bool
is_honest(struct runner *runner, const struct words *words, int event)
{
    return event != KTM_EN_COMMIT || en_of(runner, words->at[1])->decided != MEMORY_ABORTED;
}

static NTSTATUS
impossible(struct runner *runner, const struct words *words)
{
    if (runner->out)
        test_fail(__FILE__, __LINE__, "'%s %s': there is no such object, or it is closed or open",
                  words->at[0], words->count > 1 ? words->at[1] : "");
    return STATUS_NOT_FOUND;
}

static NTSTATUS
run_words(struct runner *runner, const struct words *words)
{
    EACH (verb, verbs)
        if (strcmp(words->at[0], verb->word) == 0) {
            EXPECT(words->count >= verb->words);
            if (is_possible(runner, words, verb->subject))
                return verb->run(runner, words);
            return impossible(runner, words);
        }
    EACH (request, requests)
        if (strcmp(words->at[0], request->word) == 0) {
            EXPECT(words->count >= 2);
            if (is_possible(runner, words, OPEN_EN) &&
                (runner->out || is_honest(runner, words, request->event)))
                return do_request(runner, words, request->event);
            return impossible(runner, words);
        }
    test_fail(__FILE__, __LINE__, "no such command: %s", words->at[0]);
}

static void
run_command(struct runner *runner, const char *command)
{
    char copy[200];
    struct words words;
    NTSTATUS status;

    EXPECT(strlen(command) < sizeof(copy));
    snprintf(copy, sizeof(copy), "%s", command);
    EXPECT(words_split(copy, &words));
    if (!words.count || strcmp(words.at[0], "volatile") == 0 || strcmp(words.at[0], "two") == 0)
        return;
    runner->seen[0] = 0;
    status = run_words(runner, &words);
    if (!world_is_dead(runner->world) || !runner->world->engine)
        print_line(runner, command, status);
}

/* The next command of the text, trimmed and without comments; NULL at the end. */
static const char *
next_command(const char **text, char command[200])
{
    for (;;) {
        size_t length;
        const char *at = *text + strspn(*text, " \n;");

        if (!*at)
            return NULL;
        if (*at == '#') {
            *text = at + strcspn(at, "\n");
            continue;
        }
        length = strcspn(at, ";\n#");
        *text = at + length;
        while (length && at[length - 1] == ' ')
            length--;
        EXPECT(length < 200);
        memcpy(command, at, length);
        command[length] = 0;
        return command;
    }
}

/* The first command says of what kind the world is: "volatile", or "two": two TMs, "two volatile",
 * "two volatile there". */
struct world *
scenario_world(const struct scenario *scenario, struct sys_sim *sim)
{
    const char *text = scenario->commands;
    char command[200] = "";
    struct words words;
    bool has_other, is_volatile, only_there;
    struct world *world;

    EXPECT(next_command(&text, command) && words_split(command, &words));
    has_other = strcmp(words.at[0], "two") == 0;
    only_there = words_have(&words, "there");
    is_volatile = has_other ? words_have(&words, "volatile") : strcmp(words.at[0], "volatile") == 0;
    world = world_create(sim, 1, is_volatile && !only_there);
    world->has_other = has_other;
    world->is_other_volatile = has_other && is_volatile;
    return world;
}

void
scenario_run(const struct scenario *scenario, struct world *world, char **trace)
{
    struct runner runner = {.world = world};
    const char *text = scenario->commands;
    char command[200];
    size_t size = 0;

    if (trace) {
        runner.out = open_memstream(trace, &size);
        EXPECT(runner.out);
        world->listener = runner_hear;
        world->listener_context = &runner;
        spy_for(world);
    }
    /* a dead world that was not killed by a command of the scenario has been cut: its end */
    while ((!world_is_dead(world) || !world->engine) && next_command(&text, command)) {
        run_command(&runner, command);
        if (world->stop_after && --world->stop_after == 0)
            break;
    }
    if (trace) {
        fclose(runner.out);
        world->listener = NULL;
        spy_for(NULL);
    }
}

bool
scenario_holds(const struct scenario *scenario, char **trace)
{
    owned(world_destroy) struct world *world = scenario_world(scenario, NULL);

    EXPECT_OK(world_start(world));
    scenario_run(scenario, world, trace);
    if (world->violation[0])
        test_fail(__FILE__, __LINE__, "%s: %s", scenario->name, world->violation);
    return strcmp(*trace, scenario->expected) == 0;
}
