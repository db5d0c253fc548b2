/* SPDX-License-Identifier: MIT */
/* ktm status: the transaction manager of a home, its resource managers, and what is unfinished. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libsmartcols.h>

#include "cli/cli.h"
#include "cli/history.h"
#include "cli/home.h"
#include "cli/manager.h"
#include "cli/owned.h"
#include "cli/resources.h"

enum column { NAME, KIND, STATE, AGE, ABOUT, COLUMNS };

struct unfinished {
    GUID guid;
    int64_t begun; /* seconds since 1970; 0: not known */
    char *what;    /* the change set, as the history tells it */
    char *why;
};

struct picture {
    const char *home;
    bool is_json;
    bool is_probing;
    bool is_busy; /* another process has the manager */
    struct resources resources;
    HANDLE tm;
    struct unfinished *unfinished; /* in order of GUID */
    size_t count;
    struct libscols_table *table;
    struct complaint *why;
};

/* ---- from the history ---- */

static int
by_guid(const void *a, const void *b)
{
    return guid_compare(a, b); /* the first member is the GUID */
}

static void
remember(char **text, const char *value)
{
    if (!value)
        return;
    free(*text);
    *text = strdup(value);
}

static void
note(void *context, const struct history_entry *entry)
{
    struct picture *picture = context;
    struct unfinished wanted, *found;

    if (guid_parse(entry->transaction, &wanted.guid) != STATUS_SUCCESS)
        return;
    found = bsearch(&wanted, picture->unfinished, picture->count, sizeof(wanted), by_guid);
    if (!found)
        return;
    if (!found->begun)
        found->begun = entry->time;
    remember(&found->what, entry->what);
    remember(&found->why, entry->why);
}

static NTSTATUS
find_unfinished(struct picture *picture)
{
    GUID *guids;
    size_t count;

    TRY(manager_list(picture->tm, KTMOBJECT_TRANSACTION, &guids, &count));
    picture->unfinished = calloc(count + 1, sizeof(*picture->unfinished));
    for (size_t i = 0; picture->unfinished && i < count; i++)
        picture->unfinished[i].guid = guids[i];
    free(guids);
    if (!picture->unfinished)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    picture->count = count;
    qsort(picture->unfinished, count, sizeof(*picture->unfinished), by_guid);
    if (count)
        (void)history_read(picture->home, NULL, note, picture);
    return STATUS_SUCCESS;
}

static void
picture_deinit(struct picture *picture)
{
    for (size_t i = 0; i < picture->count; i++) {
        free(picture->unfinished[i].what);
        free(picture->unfinished[i].why);
    }
    free(picture->unfinished);
    resources_deinit(&picture->resources);
    if (picture->tm)
        (void)NtClose(picture->tm);
    scols_unref_table(picture->table);
}

/* ---- the table ---- */

static bool
make_table(struct picture *picture)
{
    static const struct {
        const char *title, *key;
        int flags;
    } columns[COLUMNS] = {
        [NAME] = {"NAME", "name", SCOLS_FL_TREE},
        [KIND] = {"KIND", "kind", 0},
        [STATE] = {"STATE", "state", 0},
        [AGE] = {"AGE", "age", SCOLS_FL_RIGHT},
        [ABOUT] = {"ABOUT", "about", SCOLS_FL_WRAP},
    };

    picture->table = scols_new_table();
    if (!picture->table)
        return false;
    scols_table_set_name(picture->table, "ktm");
    scols_table_enable_json(picture->table, picture->is_json);
    for (enum column column = NAME; column < COLUMNS; column++) {
        const char *title = picture->is_json ? columns[column].key : columns[column].title;
        struct libscols_column *made =
            scols_table_new_column(picture->table, title, 0, columns[column].flags);

        if (!made)
            return false;
        if (column == AGE)
            scols_column_set_json_type(made, SCOLS_JSON_NUMBER);
    }
    return true;
}

/* Texts are copied; NULL leaves a cell empty. */
static struct libscols_line *
add_line(struct picture *picture, struct libscols_line *parent, const char *name, const char *kind,
         const char *state, const char *age, const char *about)
{
    const char *const texts[COLUMNS] = {name, kind, state, age, about};
    struct libscols_line *line = scols_table_new_line(picture->table, parent);

    for (enum column column = NAME; line && column < COLUMNS; column++)
        if (texts[column] && scols_line_set_data(line, column, texts[column]) != 0)
            return NULL;
    return line;
}

/* Seconds for programs, the largest unit for people. */
static const char *
age_text(const struct picture *picture, int64_t begun, char *into, size_t size)
{
    int64_t age = time(NULL) - begun;

    if (!begun || age < 0)
        return NULL;
    if (picture->is_json || age < 120)
        snprintf(into, size, "%" PRId64 "%s", age, picture->is_json ? "" : " s");
    else if (age < 7200)
        snprintf(into, size, "%" PRId64 " min", age / 60);
    else if (age < 2 * 86400)
        snprintf(into, size, "%" PRId64 " h", age / 3600);
    else
        snprintf(into, size, "%" PRId64 " days", age / 86400);
    return into;
}

/* ---- resources ---- */

/* "postgres.7300000000000000000-5": the name of its state in the home. */
static const char *
name_of_resource(const struct resource *resource, char into[128])
{
    snprintf(into, 128, "%s%s%s", resource->kind ?: "", resource->name ? "." : "",
             resource->name ?: "");
    return into;
}

/* "of postgres.7300000000000000000-5", or the GUID. */
static const char *
owner_of(const struct picture *picture, const struct manager_participant *participant,
         char into[160])
{
    const struct resource *resource = resources_find(&picture->resources, &participant->manager);

    strcpy(into, "of ");
    if (resource)
        name_of_resource(resource, into + 3);
    else
        guid_print(&participant->manager, into + 3);
    return into;
}

/* Whether an unfinished transaction waits for it. */
static bool
is_waited_for(const struct picture *picture, const struct resource *resource)
{
    bool is = false;

    for (size_t i = 0; picture->tm && i < picture->count; i++) {
        struct manager_transaction transaction;

        if (manager_transaction(picture->tm, &picture->unfinished[i].guid, &transaction) !=
            STATUS_SUCCESS)
            continue;
        for (size_t k = 0; k < transaction.count; k++)
            is = is || guid_equal(&transaction.participants[k].manager, &resource->manager);
        manager_transaction_deinit(&transaction);
    }
    return is;
}

static const char *
state_of_resource(const struct picture *picture, const struct resource *resource)
{
    if (!resource->name)
        return "not known";
    if (resource->is_probed && !resource->is_reachable)
        return "unreachable";
    if (is_waited_for(picture, resource) || (resource->trouble && !resource->is_probed))
        return "unfinished";
    if (resource->is_at_rest)
        return "at rest";
    return picture->is_busy ? "in use" : "not shut";
}

static NTSTATUS
add_resource(struct picture *picture, struct libscols_line *parent, const struct resource *resource)
{
    char name[128], age[32];
    owned(free_text) char *about = NULL;
    const char *state = state_of_resource(picture, resource), *advice = "";

    if (strcmp(state, "not shut") == 0)
        advice = "something may be left; 'ktm recover' looks";
    if (asprintf(&about, "%s%s%s%s%s", resource->place ?: "",
                 resource->place && (resource->trouble || advice[0]) ? "; " : "",
                 resource->trouble ?: "", resource->trouble && advice[0] ? "; " : "", advice) < 0)
        about = NULL;
    if (!add_line(picture, parent, name_of_resource(resource, name), "resource", state,
                  resource->trouble ? age_text(picture, resource->trouble_since, age, sizeof(age))
                                    : NULL,
                  about))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    return STATUS_SUCCESS;
}

/* They are known to the home, whoever has the manager. */
static NTSTATUS
add_known_resources(struct picture *picture, struct libscols_line *parent)
{
    for (size_t i = 0; i < picture->resources.count; i++)
        TRY(add_resource(picture, parent, &picture->resources.list[i]));
    return STATUS_SUCCESS;
}

/* ---- the manager ---- */

static NTSTATUS
add_transaction(struct picture *picture, struct libscols_line *parent,
                const struct unfinished *unfinished)
{
    struct manager_transaction transaction;
    char name[GUID_TEXT_SIZE], age[32];
    owned(free_text) char *about = NULL;
    struct libscols_line *line;
    const char *what;
    NTSTATUS status = manager_transaction(picture->tm, &unfinished->guid, &transaction);

    if (status == STATUS_TRANSACTION_NOT_FOUND)
        return STATUS_SUCCESS; /* it has just ended */
    TRY(status);
    guid_print(&unfinished->guid, name);
    what = unfinished->what ?: transaction.description;
    if (asprintf(&about, "%s%s%s%s%s", what, what[0] ? "; " : "", unfinished->why ?: "",
                 unfinished->why ? "; " : "", manager_transaction_advice(&transaction)) < 0)
        about = NULL;
    line = add_line(picture, parent, name, "transaction", manager_transaction_state(&transaction),
                    age_text(picture, unfinished->begun, age, sizeof(age)), about);
    for (size_t i = 0; line && i < transaction.count; i++) {
        const struct manager_participant *participant = &transaction.participants[i];
        char of[160];

        guid_print(&participant->enlistment, name);
        if (!add_line(picture, line, name, "enlistment", NULL, NULL,
                      owner_of(picture, participant, of)))
            line = NULL;
    }
    manager_transaction_deinit(&transaction);
    return line ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS
add_resources(struct picture *picture, struct libscols_line *parent)
{
    NTSTATUS status = STATUS_SUCCESS;
    GUID *guids;
    size_t count;

    TRY(manager_list(picture->tm, KTMOBJECT_RESOURCE_MANAGER, &guids, &count));
    for (size_t i = 0; status == STATUS_SUCCESS && i < count; i++) {
        char name[GUID_TEXT_SIZE], description[DESCRIPTION_SIZE] = "";

        if (resources_find(&picture->resources, &guids[i]))
            continue; /* it is shown with what the home knows of it */
        guid_print(&guids[i], name);
        status = manager_resource(picture->tm, &guids[i], description);
        if (status == STATUS_SUCCESS &&
            !add_line(picture, parent, name, "resource manager", NULL, NULL, description))
            status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    free(guids);
    return status;
}

static NTSTATUS
fill(struct picture *picture)
{
    struct manager_facts facts;
    struct libscols_line *line;
    char name[GUID_TEXT_SIZE];

    TRY(manager_query(picture->tm, &facts));
    TRY(find_unfinished(picture));
    guid_print(&facts.identity, name);
    line = add_line(picture, NULL, name, "manager", "online", NULL, picture->home);
    if (!line)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(add_resources(picture, line));
    TRY(add_known_resources(picture, line));
    for (size_t i = 0; i < picture->count; i++)
        TRY(add_transaction(picture, line, &picture->unfinished[i]));
    return STATUS_SUCCESS;
}

/* ---- the verb ---- */

static int
print_picture(struct picture *picture, const char *sentence)
{
    if (picture->is_json || !scols_table_is_empty(picture->table))
        scols_print_table(picture->table);
    if (!picture->is_json)
        puts(sentence);
    return print_end(EXIT_COMMITTED, true);
}

static int
show_busy(struct picture *picture)
{
    int holder = manager_holder(picture->home);
    struct libscols_line *line;
    char state[64];

    picture->is_busy = true;
    snprintf(state, sizeof(state), holder ? "in use by process %d" : "in use by a process", holder);
    line = add_line(picture, NULL, "", "manager", state, NULL, picture->home);
    if (!line || add_known_resources(picture, line) != STATUS_SUCCESS)
        return print_end(EXIT_ROLLED_BACK, true);
    return print_picture(picture, "What is unfinished cannot be told while it is in use.");
}

static int
look(struct picture *picture)
{
    struct complaint why;
    char text[STATUS_TEXT_SIZE], sentence[96];
    NTSTATUS status = home_check(picture->home, &why);

    if (status == STATUS_SUCCESS)
        status = resources_read(picture->home, picture->is_probing, &picture->resources);
    if (status == STATUS_INSUFFICIENT_RESOURCES)
        (void)out_of_memory(&why);
    if (status == STATUS_SUCCESS)
        status = manager_open(picture->home, &why, &picture->tm);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return print_picture(picture, "Nothing was ever applied with this home.");
    if (status == STATUS_SHARING_VIOLATION)
        return show_busy(picture);
    if (status != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_ROLLED_BACK;
    }
    status = fill(picture);
    if (status != STATUS_SUCCESS) {
        print_error("cannot look at %s: %s (%s)", QUOTE(picture->home), STATUS_WORDS(status),
                    status_text(status, text));
        return EXIT_ROLLED_BACK;
    }
    if (picture->count == 0)
        return print_picture(picture, "Nothing is unfinished.");
    snprintf(sentence, sizeof(sentence), "%zu unfinished; 'ktm recover' finishes what can be.",
             picture->count);
    return print_picture(picture, sentence);
}

static int
run(int count, char **arguments)
{
    static const struct option options[] = {COMMON_OPTIONS, {"probe", no_argument, NULL, 'P'}, {0}};
    owned(free_text) char *home = NULL;
    struct common common = {0};
    struct picture picture = {0};
    struct complaint why;
    bool is_probing = false;
    int option, code;

    while ((option = getopt_long(count, arguments, COMMON_LETTERS, options, NULL)) != -1) {
        if (option == 'P')
            is_probing = true;
        else if (common_take(&common, option, &verb_status, arguments, &code) && code >= 0)
            return code;
    }
    if (optind < count)
        return usage_error(&verb_status, "it takes no argument, and there is %s",
                           QUOTE(arguments[optind]));
    if (home_find(common.home, &why, &home) != STATUS_SUCCESS) {
        print_error("%s", why.text);
        return EXIT_USAGE;
    }
    picture = (struct picture){.home = home, .is_json = common.is_json, .is_probing = is_probing};
    if (make_table(&picture)) {
        code = look(&picture);
    } else {
        print_error("out of memory");
        code = EXIT_ROLLED_BACK;
    }
    picture_deinit(&picture);
    return code;
}

const struct verb verb_status = {
    .name = "status",
    .summary = "show the managers, and transactions that are unfinished",
    .help =
        "usage: ktm status [OPTION...]\n"
        "\n"
        "Shows the transaction manager of the home, the resource managers and databases it knows,\n"
        "and the transactions that a crash left unfinished, with their age and what to do about\n"
        "them. It finishes nothing; 'ktm recover' does. Databases are not opened: what is told of\n"
        "them is what the home knows, also while another process uses it.\n"
        "\n"
        "  --probe     ask each database whether it can be reached\n"
        "  --home DIR  where the state is kept\n"
        "  --json      one JSON object; ages in seconds\n"
        "\n"
        "Exit status: 0 it could be looked at; 1 it could not; 2 wrong use.\n",
    .run = run,
};
