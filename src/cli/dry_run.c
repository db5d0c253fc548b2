/* SPDX-License-Identifier: MIT */
/* Trying and taking back. */
#include "cli/dry_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/home.h"
#include "cli/interrupt.h"
#include "cli/manager.h"
#include "cli/owned.h"
#include "cli/result.h"
#include "cli/statements.h"
#include "sys/thread.h"

/* ---- a home for once ---- */

static NTSTATUS
home_once(struct complaint *why, char **out)
{
    const char *directory = getenv("TMPDIR");
    owned(free_text) char *path = NULL;

    if (!directory || directory[0] != '/')
        directory = "/tmp";
    if (asprintf(&path, "%s/ktm-dry-run.XXXXXX", directory) < 0) {
        path = NULL;
        return out_of_memory(why);
    }
    if (!mkdtemp(path))
        return complain(why, STATUS_ACCESS_DENIED, "cannot make a directory in %s: %s",
                        QUOTE(directory), strerror(errno));
    *out = give(path);
    return STATUS_SUCCESS;
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    (void)remove(path); /* what stays is a temporary file of ours */
    return 0;
}

static void
home_remove(char *path)
{
    if (path)
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(path);
}
OWNED_BY(char, home_remove)

/* What an earlier run left may change what this change set finds. */
static NTSTATUS
check_unfinished(const char *home, struct complaint *why)
{
    owned_handle HANDLE tm = NULL;
    struct complaint ignored;
    GUID *guids = NULL;
    size_t count = 0;

    if (home_check(home, &ignored) != STATUS_SUCCESS ||
        manager_open(home, &ignored, &tm) != STATUS_SUCCESS)
        return STATUS_SUCCESS; /* none, or in use: whoever uses it has recovered it */
    if (manager_list(tm, KTMOBJECT_TRANSACTION, &guids, &count) != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    free(guids);
    if (count)
        return complain(why, STATUS_TRANSACTIONAL_CONFLICT,
                        "%zu earlier changes are not finished, and this one may find something "
                        "else after them",
                        count);
    return STATUS_SUCCESS;
}

/* ---- trying ---- */

static bool
is_at_or_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 1 && directory[length - 1] == '/')
        length--;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Below the target of an earlier tree step everything will be new. */
static bool
can_be_tried(const struct changeset *set, const struct step *step)
{
    for (const struct step *tree = set->steps; tree < step; tree++)
        if (tree->verb == STEP_TREE && (is_at_or_below(step->path, tree->path) ||
                                        (step->from && is_at_or_below(step->from, tree->path))))
            return false;
    return true;
}

static NTSTATUS
look_at_tree(const struct step *step, struct complaint *why)
{
    char label[STEP_LABEL_SIZE];
    DIR *directory = opendir(step->from);

    if (directory) {
        closedir(directory);
        return STATUS_SUCCESS;
    }
    return complain(why, errno == ENOENT ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_ACCESS_DENIED,
                    "%s: cannot read the directory %s: %s", step_label(step, label),
                    QUOTE(step->from), strerror(errno));
}

/* Nothing is said to a database: it would have to be opened in the home. */
static NTSTATUS
look_at_statement(const struct changeset *set, const struct step *step, struct complaint *why)
{
    owned(free_text) char *text = NULL;
    char label[STEP_LABEL_SIZE];
    NTSTATUS status = statement_text(step, why, &text);

    if (status != STATUS_SUCCESS)
        complaint_prefix(why, "%s: ", step_label(step, label));
    if (status != STATUS_SUCCESS && step->line)
        complaint_prefix(why, "%s:%u:%u: ", set->name, step->line, step->column);
    return status;
}

static NTSTATUS
try_step(struct session *session, const struct changeset *set, const struct step *step,
         size_t *tried, struct complaint *why)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (interrupt_name())
        return complain(why, STATUS_CANCELLED, "%s", interrupt_name());
    if (step_is_statement(step->verb))
        return look_at_statement(set, step, why);
    if (step->verb == STEP_TREE)
        status = look_at_tree(step, why);
    else if (can_be_tried(set, step))
        status = session_step(session, step, why);
    else
        return STATUS_SUCCESS;
    *tried += step->verb != STEP_TREE;
    if (status != STATUS_SUCCESS && step->line)
        complaint_prefix(why, "%s:%u:%u: ", set->name, step->line, step->column);
    return status;
}

static NTSTATUS
try_steps(struct session *session, const struct changeset *set, size_t *tried,
          struct complaint *why)
{
    for (size_t i = 0; i < set->count; i++)
        TRY(try_step(session, set, &set->steps[i], tried, why));
    return STATUS_SUCCESS;
}

static NTSTATUS
try_all(const struct changeset *set, const char *home, size_t *tried, struct complaint *why)
{
    struct session_options options = {.home = home, .is_quiet = true, .deadline = SYS_FOREVER};
    owned(session_close) struct session *session = NULL;
    struct complaint ignored;
    GUID transaction;
    NTSTATUS status;

    TRY(session_open(&options, why, &session));
    TRY(session_begin(session, set->name, 0, why, &transaction));
    status = try_steps(session, set, tried, why);
    (void)session_rollback(session, &ignored); /* its home is removed in any case */
    return status;
}

/* ---- telling ---- */

static void
print_step(const struct step *step)
{
    char label[STEP_LABEL_SIZE];

    printf("%s: ", step_label(step, label));
    switch (step->verb) {
    case STEP_RENAME:
        printf("%s to %s\n", QUOTE(step->from), QUOTE(step->path));
        break;
    case STEP_SYMLINK:
        printf("%s to %s\n", QUOTE(step->path), QUOTE(step->target));
        break;
    case STEP_TREE:
        printf("%s by %s\n", QUOTE(step->path), QUOTE(step->from));
        break;
    case STEP_PUT:
    case STEP_APPEND:
        if (step->from)
            printf("%s from %s\n", QUOTE(step->path), QUOTE(step->from));
        else
            printf("%s, %zu bytes\n", QUOTE(step->path), step->content_size);
        break;
    case STEP_SQLITE:
    case STEP_POSTGRES:
    case STEP_MARIADB:
        printf("%s, %s, %zu parameter%s; not tried\n", QUOTE(step->database),
               step->from ? QUOTE(step->from) : "SQL", step->value_count,
               step->value_count == 1 ? "" : "s");
        break;
    default:
        printf("%s\n", QUOTE(step->path));
    }
}

int
dry_run(const struct changeset *set, const char *home, const struct common *common)
{
    owned(home_remove) char *once = NULL;
    struct result result = {.what = set->name, .steps = set->count, .outcome = "checked"};
    char sentence[160];
    size_t tried = 0;

    interrupt_watch();
    result.status = check_unfinished(home, &result.why);
    if (result.status != STATUS_SUCCESS) {
        result.code = EXIT_UNKNOWN;
        result.outcome = "not checked";
        result.advice = "run 'ktm recover' first";
        return result_print(&result, common);
    }
    result.status = home_once(&result.why, &once);
    if (result.status == STATUS_SUCCESS)
        result.status = try_all(set, once, &tried, &result.why);
    if (result.status != STATUS_SUCCESS) {
        result.code = EXIT_ROLLED_BACK;
        result.outcome = "would be refused";
        return result_print(&result, common);
    }
    if (common->is_json || common->is_quiet)
        return result_print(&result, common);
    for (size_t i = 0; i < set->count; i++)
        print_step(&set->steps[i]);
    snprintf(sentence, sizeof(sentence), "dry run: %zu steps would be done%s; nothing was changed",
             set->count, tried < set->count ? ", not all of which can be tried" : "");
    puts(sentence);
    return print_end(EXIT_COMMITTED, true);
}
