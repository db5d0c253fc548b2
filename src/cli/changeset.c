/* SPDX-License-Identifier: MIT */
/* The change set itself: its life, its paths, its labels, and reading it from where it is. */
#include "cli/changeset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/owned.h"
#include "cli/targets.h"

const char *
step_verb_name(enum step_verb verb)
{
    static const char *const names[] = {
        [STEP_PUT] = "put",         [STEP_APPEND] = "append", [STEP_DELETE] = "delete",
        [STEP_MKDIR] = "mkdir",     [STEP_RMDIR] = "rmdir",   [STEP_RENAME] = "rename",
        [STEP_SYMLINK] = "symlink", [STEP_CHMOD] = "chmod",   [STEP_TREE] = "tree",
        [STEP_EXPECT] = "expect",   [STEP_SQLITE] = "sqlite", [STEP_POSTGRES] = "postgres",
        [STEP_MARIADB] = "mariadb",
    };

    CHECK(verb < ARRAY_SIZE(names));
    return names[verb];
}

const char *
step_label(const struct step *step, char into[STEP_LABEL_SIZE])
{
    const char *name = step_verb_name(step->verb);

    if (step->flag)
        snprintf(into, STEP_LABEL_SIZE, "--%s %s", name, QUOTE(step->flag));
    else
        snprintf(into, STEP_LABEL_SIZE, "step %u (%s%s)", step->number, step->is_flag ? "--" : "",
                 name);
    return into;
}

/* ---- life ---- */

NTSTATUS
changeset_create(const char *name, const char *directory, struct changeset **out)
{
    owned(changeset_destroy) struct changeset *set = calloc(1, sizeof(*set));

    CHECK(!directory || directory[0] == '/');
    if (!set || !(set->name = strdup(name)) || (directory && !(set->directory = strdup(directory))))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *out = give(set);
    return STATUS_SUCCESS;
}

/* What a statement is given may be a secret. */
static void
free_values(struct step *step)
{
    for (size_t i = 0; i < step->value_count; i++) {
        char *text = (char *)step->values[i].text;

        if (text)
            explicit_bzero(text, strlen(text));
        free(text);
    }
    free(step->values);
}

void
changeset_destroy(struct changeset *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->steps[i].flag);
        free(set->steps[i].path);
        free(set->steps[i].from);
        free(set->steps[i].target);
        free(set->steps[i].content);
        free(set->steps[i].database);
        free_values(&set->steps[i]);
    }
    free(set->steps);
    free(set->directory);
    free(set->name);
    free(set);
}

NTSTATUS
changeset_add(struct changeset *set, struct complaint *why, struct step **out)
{
    if (set->count >= CHANGESET_STEPS_MAX)
        return complain(why, STATUS_INVALID_PARAMETER, "more than %u steps", CHANGESET_STEPS_MAX);
    /* There is room for a power of two. */
    if ((set->count & (set->count - 1)) == 0) {
        size_t room = set->count ? 2 * set->count : 1;
        struct step *steps = realloc(set->steps, room * sizeof(*steps));

        if (!steps)
            return out_of_memory(why);
        set->steps = steps;
    }
    set->steps[set->count] = (struct step){.number = (unsigned)set->count + 1};
    *out = &set->steps[set->count++];
    return STATUS_SUCCESS;
}

NTSTATUS
changeset_path(const struct changeset *set, const char *text, struct complaint *why, char **out)
{
    const char *directory = text[0] == '/' ? "" : set->directory;
    size_t size;
    char *path;

    if (!text[0])
        return complain(why, STATUS_INVALID_PARAMETER, "an empty path");
    if (!directory)
        return complain(why, STATUS_OBJECT_PATH_NOT_FOUND,
                        "the path %s is relative, and the working directory is not there any more",
                        QUOTE(text));
    size = strlen(directory) + strlen(text) + 2;
    if (size > PATH_MAX)
        return complain(why, STATUS_INVALID_PARAMETER, "the path %s is too long", QUOTE(text));
    path = malloc(size);
    if (!path)
        return out_of_memory(why);
    snprintf(path, size, "%s%s%s", directory, text[0] == '/' || !directory[1] ? "" : "/", text);
    *out = path;
    return STATUS_SUCCESS;
}

bool
mode_parse(const char *text, uint32_t *mode)
{
    size_t length = strlen(text);
    uint32_t value = 0;

    if (length < 1 || length > 5 || text[strspn(text, "01234567")])
        return false;
    for (const char *c = text; *c; c++)
        value = value * 8 + (uint32_t)(*c - '0');
    if (value > 07777)
        return false;
    *mode = value;
    return true;
}

NTSTATUS
changeset_check(const struct changeset *set, struct complaint *why)
{
    if (set->count == 0)
        return complain(why, STATUS_INVALID_PARAMETER, "%s: there are no steps", set->name);
    return targets_check(set, why);
}

/* ---- from a file ---- */

static NTSTATUS
cannot_read(const char *what, const char *name, struct complaint *why)
{
    NTSTATUS status = errno == ENOENT                     ? STATUS_OBJECT_NAME_NOT_FOUND
                      : errno == EACCES || errno == EPERM ? STATUS_ACCESS_DENIED
                                                          : STATUS_IO_DEVICE_ERROR;

    return complain(why, status, "cannot read the %s %s: %s", what, name, strerror(errno));
}

/* Everything the descriptor gives, which may be a pipe. */
static NTSTATUS
read_all(int fd, const char *what, const char *name, struct complaint *why, char **text,
         size_t *size)
{
    owned(free_text) char *bytes = NULL;
    size_t room = 0, used = 0;

    for (;;) {
        ssize_t got;

        if (room - used < 2) {
            size_t more = room ? 2 * room : 65536;
            char *larger = realloc(bytes, more);

            if (!larger)
                return out_of_memory(why);
            bytes = larger;
            room = more;
        }
        got = read(fd, bytes + used, room - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cannot_read(what, name, why);
        used += (size_t)got;
        if (used > CHANGESET_SIZE_MAX)
            return complain(why, STATUS_INVALID_PARAMETER,
                            "%s: larger than %u MiB; put large content into files and name them "
                            "with \"from\"",
                            name, CHANGESET_SIZE_MAX >> 20);
        if (got == 0)
            break;
    }
    bytes[used] = '\0';
    *text = give(bytes);
    *size = used;
    return STATUS_SUCCESS;
}

NTSTATUS
current_directory(struct complaint *why, char **out)
{
    char *path = getcwd(NULL, 0);

    if (!path || path[0] != '/') {
        NTSTATUS status = complain(why, STATUS_OBJECT_PATH_NOT_FOUND,
                                   "there is no working directory: %s; use absolute paths",
                                   path ? "it cannot be reached" : strerror(errno));
        free(path);
        return status;
    }
    *out = path;
    return STATUS_SUCCESS;
}

/* The directory a change set is in, absolute. Symbolic links are left alone: what the user wrote is
 * what messages should show. */
static NTSTATUS
directory_of(const char *path, struct complaint *why, char **out)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    owned(free_text) char *current = NULL;
    char *directory;

    if (path[0] == '/') {
        directory = strndup(path, length ? length : 1);
        if (!directory)
            return out_of_memory(why);
        *out = directory;
        return STATUS_SUCCESS;
    }
    TRY(current_directory(why, &current));
    if (!slash) {
        *out = give(current);
        return STATUS_SUCCESS;
    }
    if (asprintf(&directory, "%s/%.*s", current[1] ? current : "", (int)length, path) < 0)
        return out_of_memory(why);
    *out = directory;
    return STATUS_SUCCESS;
}

static NTSTATUS
read_file(const char *path, const char *what, const char *name, struct complaint *why, char **text,
          size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat stat;
    NTSTATUS status;

    if (fd < 0)
        return cannot_read(what, name, why);
    if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
        status = complain(why, STATUS_FILE_IS_A_DIRECTORY,
                          "cannot read the %s %s: it is a directory", what, name);
    else
        status = read_all(fd, what, name, why, text, size);
    (void)close(fd); /* read only: nothing can be lost */
    return status;
}

NTSTATUS
read_whole_file(const char *path, const char *what, struct complaint *why, char **text,
                size_t *size)
{
    return read_file(path, what, QUOTE(path), why, text, size);
}

NTSTATUS
changeset_read(const char *path, struct complaint *why, struct changeset **out)
{
    owned(free_text) char *text = NULL;
    owned(free_text) char *directory = NULL;
    struct quoted name;
    size_t size = 0;

    if (strcmp(path, "-") == 0) {
        if (current_directory(why, &directory) != STATUS_SUCCESS)
            directory = NULL; /* absolute paths will do */
        TRY(read_all(STDIN_FILENO, "change set", "on standard input", why, &text, &size));
        return changeset_parse(text, size, "standard input", directory, why, out);
    }
    TRY(directory_of(path, why, &directory));
    TRY(read_file(path, "change set", quote(path, &name), why, &text, &size));
    return changeset_parse(text, size, show(path, &name), directory, why, out);
}
