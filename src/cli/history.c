/* SPDX-License-Identifier: MIT */
/* The file 'history' of a home. */
#include "cli/history.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/home.h"
#include "cli/json_out.h"
#include "cli/owned.h"

/* One write at the end of the file, so that lines of two processes do not mix. A failure leaves a
 * line out, which the header of this file allows. */
static void
append_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t written;

    if (fd < 0)
        return;
    written = write(fd, line, strlen(line));
    (void)written;
    (void)close(fd);
}

static void
bound_size(const char *home, const char *path)
{
    owned(free_text) char *old = home_file(home, "history.old");
    struct stat info;

    if (old && stat(path, &info) == 0 && info.st_size > HISTORY_SIZE_MAX)
        (void)rename(path, old);
}

void
history_add(const char *home, const GUID *transaction, const char *event, const char *what,
            const char *why, unsigned steps)
{
    owned(free_text) char *path = home_file(home, "history");
    owned(free_text) char *line = NULL;
    struct json_object *entry = json_object_new_object();
    char guid[GUID_TEXT_SIZE];

    guid_print(transaction, guid);
    json_object_object_add(entry, "time", json_object_new_int64(time(NULL)));
    json_object_object_add(entry, "transaction", json_object_new_string(guid));
    json_object_object_add(entry, "event", json_object_new_string(event));
    json_object_object_add(entry, "process", json_object_new_int(getpid()));
    if (what)
        json_object_object_add(entry, "what", json_out_text(what));
    if (why)
        json_object_object_add(entry, "why", json_out_text(why));
    if (steps)
        json_object_object_add(entry, "steps", json_object_new_int64(steps));
    if (path &&
        asprintf(&line, "%s\n", json_object_to_json_string_ext(entry, JSON_OUT_FLAGS)) > 0) {
        bound_size(home, path);
        append_line(path, line);
    }
    json_object_put(entry);
}

/* ---- reading ---- */

static const char *
get_text(struct json_object *line, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(line, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

static int64_t
get_number(struct json_object *line, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(line, key, &value) ? json_object_get_int64(value) : 0;
}

static void
read_line(const char *text, const char *wanted, history_each *each, void *context)
{
    struct json_object *line = json_tokener_parse(text);
    const char *transaction = get_text(line, "transaction"), *event = get_text(line, "event");

    if (transaction && event && strlen(transaction) == GUID_TEXT_SIZE - 1 &&
        (!wanted || strcasecmp(transaction, wanted) == 0)) {
        struct history_entry entry = {
            .time = get_number(line, "time"),
            .event = (char *)event,
            .what = (char *)get_text(line, "what"),
            .why = (char *)get_text(line, "why"),
            .steps = (unsigned)get_number(line, "steps"),
            .process = (unsigned)get_number(line, "process"),
        };

        strcpy(entry.transaction, transaction);
        each(context, &entry);
    }
    json_object_put(line);
}

static bool
read_file(const char *home, const char *name, const char *wanted, history_each *each, void *context)
{
    owned(free_text) char *path = home_file(home, name);
    owned(free_text) char *text = NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    size_t room = 0;

    if (!file)
        return false;
    while (getline(&text, &room, file) > 0)
        read_line(text, wanted, each, context);
    fclose(file);
    return true;
}

bool
history_read(const char *home, const char *transaction, history_each *each, void *context)
{
    bool has_old = read_file(home, "history.old", transaction, each, context);

    return read_file(home, "history", transaction, each, context) || has_old;
}
