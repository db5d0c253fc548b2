/* SPDX-License-Identifier: MIT */
/*
 * The change set as JSON. json-c says whether the text is JSON and what the strings are; json_text
 * says where the steps are; the tables here say what a step may have.
 */
#include "cli/changeset.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/base64.h"
#include "cli/json_text.h"
#include "cli/owned.h"

/* ---- the grammar ---- */

enum {
    KEY_TO = 1,
    KEY_PATH = 2,
    KEY_FROM = 4,
    KEY_TEXT = 8,
    KEY_BASE64 = 16,
    KEY_MODE = 32,
    KEY_TARGET = 64,
    KEY_SHA256 = 128,
    KEY_ABSENT = 256,
    KEY_EXISTS = 512,
    KEY_DATABASE = 1024,
    KEY_SQL = 2048,
    KEY_SQL_FILE = 4096,
    KEY_PARAMETERS = 8192,
    KEY_ROWS = 16384,
    KEY_OWNS_WAL = 32768,
};

static const char *const key_names[] = {
    "to",     "path",   "from",     "text", "base64",   "mode",       "target", "sha256",
    "absent", "exists", "database", "sql",  "sql_file", "parameters", "rows",   "owns_wal"};

#define CONTENT (KEY_FROM | KEY_TEXT | KEY_BASE64)
#define FACT    (KEY_SHA256 | KEY_ABSENT | KEY_EXISTS)
#define SQL     (KEY_SQL | KEY_SQL_FILE)

static const struct grammar {
    unsigned needed;
    unsigned one_of; /* exactly one of these */
    unsigned optional;
} grammars[] = {
    [STEP_PUT] = {KEY_TO, CONTENT, KEY_MODE},
    [STEP_APPEND] = {KEY_TO, CONTENT, 0},
    [STEP_DELETE] = {KEY_PATH, 0, 0},
    [STEP_MKDIR] = {KEY_PATH, 0, KEY_MODE},
    [STEP_RMDIR] = {KEY_PATH, 0, 0},
    [STEP_RENAME] = {KEY_FROM | KEY_TO, 0, 0},
    [STEP_SYMLINK] = {KEY_PATH | KEY_TARGET, 0, 0},
    [STEP_CHMOD] = {KEY_PATH | KEY_MODE, 0, 0},
    [STEP_TREE] = {KEY_TO | KEY_FROM, 0, 0},
    [STEP_EXPECT] = {KEY_PATH, FACT, 0},
    [STEP_SQLITE] = {KEY_DATABASE, SQL, KEY_PARAMETERS | KEY_ROWS | KEY_OWNS_WAL},
    [STEP_POSTGRES] = {KEY_DATABASE, SQL, KEY_PARAMETERS | KEY_ROWS},
    [STEP_MARIADB] = {KEY_DATABASE, SQL, KEY_PARAMETERS | KEY_ROWS},
};

static unsigned
all_keys(const struct grammar *grammar)
{
    return grammar->needed | grammar->one_of | grammar->optional;
}

/* "to, from, text" for the keys in the set. */
static const char *
key_list(unsigned keys, char into[128])
{
    size_t used = 0;

    into[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++)
        if (keys & 1u << i)
            used += (size_t)snprintf(into + used, 128 - used, "%s\"%s\"", used ? ", " : "",
                                     key_names[i]);
    return into;
}

/* ---- refusing ---- */

struct parser {
    struct changeset *set;
    struct complaint *why;
    const char *text;
    size_t size;
    struct json_scan scan;
    const struct step *step; /* the one being read, NULL before the first */
};

static NTSTATUS refuse_at(const struct parser *parser, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static NTSTATUS
refuse_at(const struct parser *parser, size_t offset, const char *format, ...)
{
    unsigned line, column;
    va_list list;

    va_start(list, format);
    vsnprintf(parser->why->text, sizeof(parser->why->text), format, list);
    va_end(list);
    json_text_position(parser->text, parser->size, offset, &line, &column);
    complaint_prefix(parser->why, "%s:%u:%u: ", parser->set->name, line, column);
    return status_raise(STATUS_INVALID_PARAMETER);
}

/* About the step being read; what 'why' says is put behind. */
static NTSTATUS
in_step(const struct parser *parser, NTSTATUS status)
{
    char label[STEP_LABEL_SIZE];

    if (status != STATUS_SUCCESS)
        complaint_prefix(parser->why, "%s:%u:%u: %s: ", parser->set->name, parser->step->line,
                         parser->step->column, step_label(parser->step, label));
    return status;
}

/* ---- values ---- */

static const char *
type_name(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "true or false";
    case json_type_double:
    case json_type_int:
        return "a number";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "a list";
    default:
        return "a string";
    }
}

static NTSTATUS
get_string(struct json_object *value, const char *key, struct complaint *why, const char **text,
           size_t *size)
{
    if (!json_object_is_type(value, json_type_string))
        return complain(why, STATUS_INVALID_PARAMETER, "\"%s\" is %s, not a string%s", key,
                        type_name(value),
                        strcmp(key, "mode") == 0 ? "; write \"0644\", with quotes" : "");
    *text = json_object_get_string(value);
    *size = (size_t)json_object_get_string_len(value);
    return STATUS_SUCCESS;
}

/* A string that goes to the system as one: no NUL inside, not empty. */
static NTSTATUS
get_name(struct json_object *value, const char *key, struct complaint *why, const char **text)
{
    size_t size;

    TRY(get_string(value, key, why, text, &size));
    if (size == 0)
        return complain(why, STATUS_INVALID_PARAMETER, "\"%s\" is empty", key);
    if (strlen(*text) != size)
        return complain(why, STATUS_INVALID_PARAMETER, "\"%s\" has a NUL character in it", key);
    return STATUS_SUCCESS;
}

static NTSTATUS
get_path(const struct parser *parser, struct json_object *value, const char *key, char **out)
{
    const char *text;

    TRY(get_name(value, key, parser->why, &text));
    return changeset_path(parser->set, text, parser->why, out);
}

static NTSTATUS
get_mode(struct json_object *value, struct complaint *why, struct step *step)
{
    const char *text;

    TRY(get_name(value, "mode", why, &text));
    if (!mode_parse(text, &step->mode))
        return complain(why, STATUS_INVALID_PARAMETER,
                        "\"mode\" is %s; it takes octal digits up to 07777, such as \"0644\"",
                        QUOTE(text));
    step->has_mode = true;
    return STATUS_SUCCESS;
}

static NTSTATUS
get_text(struct json_object *value, struct complaint *why, struct step *step)
{
    const char *text;
    size_t size;

    TRY(get_string(value, "text", why, &text, &size));
    free(step->content); /* both "text" and "base64": refused when all keys are known */
    step->content = malloc(size + 1);
    if (!step->content)
        return out_of_memory(why);
    memcpy(step->content, text, size + 1);
    step->content_size = size;
    return STATUS_SUCCESS;
}

static NTSTATUS
get_base64(struct json_object *value, struct complaint *why, struct step *step)
{
    const char *text;
    size_t size, wrong = 0;
    NTSTATUS status;

    TRY(get_string(value, "base64", why, &text, &size));
    free(step->content);
    step->content = NULL;
    status = base64_decode(text, size, &step->content, &step->content_size, &wrong);
    if (status == STATUS_INVALID_PARAMETER && wrong == size)
        return complain(why, status, "\"base64\" has %zu characters, which is no multiple of 4",
                        size);
    if (status == STATUS_INVALID_PARAMETER)
        return complain(why, status, "\"base64\" is wrong at character %zu", wrong + 1);
    if (status != STATUS_SUCCESS)
        return out_of_memory(why);
    return STATUS_SUCCESS;
}

static NTSTATUS
get_sha256(struct json_object *value, struct complaint *why, struct step *step)
{
    const char *text;

    TRY(get_name(value, "sha256", why, &text));
    if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
        return complain(why, STATUS_INVALID_PARAMETER,
                        "\"sha256\" is %s; it takes 64 hexadecimal digits, as sha256sum prints",
                        QUOTE(text));
    for (size_t i = 0; i < sizeof(step->sha256); i++) {
        char pair[] = {text[2 * i], text[2 * i + 1], '\0'};

        step->sha256[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    step->expectation = EXPECT_SHA256;
    return STATUS_SUCCESS;
}

static NTSTATUS
get_boolean(struct json_object *value, const char *key, struct complaint *why, bool *out)
{
    if (!json_object_is_type(value, json_type_boolean))
        return complain(why, STATUS_INVALID_PARAMETER, "\"%s\" is %s, not true", key,
                        type_name(value));
    *out = json_object_get_boolean(value);
    return STATUS_SUCCESS;
}

static NTSTATUS
get_true(struct json_object *value, const char *key, struct complaint *why)
{
    bool is_true = false;

    TRY(get_boolean(value, key, why, &is_true));
    if (!is_true)
        return complain(why, STATUS_INVALID_PARAMETER, "\"%s\" is false; say \"%s\": true instead",
                        key, strcmp(key, "absent") == 0 ? "exists" : "absent");
    return STATUS_SUCCESS;
}

static NTSTATUS
get_target(struct json_object *value, struct complaint *why, struct step *step)
{
    const char *text;

    TRY(get_name(value, "target", why, &text));
    step->target = strdup(text);
    return step->target ? STATUS_SUCCESS : out_of_memory(why);
}

/* ---- statements ---- */

static NTSTATUS
get_owned_name(struct json_object *value, const char *key, struct complaint *why, char **out)
{
    const char *text;

    TRY(get_name(value, key, why, &text));
    *out = strdup(text);
    return *out ? STATUS_SUCCESS : out_of_memory(why);
}

static NTSTATUS
get_sql(struct json_object *value, struct complaint *why, struct step *step)
{
    free(step->content);
    step->content = NULL;
    TRY(get_owned_name(value, "sql", why, &step->content));
    step->content_size = strlen(step->content);
    return STATUS_SUCCESS;
}

/* json-c stops at the largest integer it has, and says nothing. */
static bool
is_cut_off(struct json_object *value)
{
    return json_object_get_int64(value) == INT64_MIN || json_object_get_int64(value) == INT64_MAX ||
           json_object_get_uint64(value) == UINT64_MAX;
}

static NTSTATUS
get_parameter(struct json_object *value, struct complaint *why, struct ktm_value *out)
{
    const char *text;

    switch (json_object_get_type(value)) {
    case json_type_null:
        out->type = KTM_VALUE_NULL;
        return STATUS_SUCCESS;
    case json_type_boolean:
        out->type = KTM_VALUE_BOOLEAN;
        break;
    case json_type_int:
        if (is_cut_off(value))
            return complain(why, STATUS_INVALID_PARAMETER,
                            "an integer of that size; write it as a string");
        out->type = KTM_VALUE_NUMBER;
        break;
    case json_type_double:
        out->type = KTM_VALUE_NUMBER;
        break;
    case json_type_string:
        out->type = KTM_VALUE_TEXT;
        break;
    default:
        return complain(why, STATUS_INVALID_PARAMETER,
                        "%s; it is a string, a number, true, false or null", type_name(value));
    }
    text = json_object_get_string(value); /* a number as it was written */
    if (json_object_is_type(value, json_type_string) &&
        strlen(text) != (size_t)json_object_get_string_len(value))
        return complain(why, STATUS_INVALID_PARAMETER, "a NUL character is in it");
    out->text = strdup(text);
    return out->text ? STATUS_SUCCESS : out_of_memory(why);
}

static NTSTATUS
get_parameters(struct json_object *list, struct complaint *why, struct step *step)
{
    size_t count;

    if (!json_object_is_type(list, json_type_array))
        return complain(why, STATUS_INVALID_PARAMETER, "\"parameters\" is %s, not a list",
                        type_name(list));
    count = json_object_array_length(list);
    step->values = calloc(count + 1, sizeof(*step->values));
    if (!step->values)
        return out_of_memory(why);
    step->value_count = count;
    for (size_t i = 0; i < count; i++) {
        NTSTATUS status = get_parameter(json_object_array_get_idx(list, i), why, &step->values[i]);

        if (status != STATUS_SUCCESS)
            complaint_prefix(why, "parameter %zu is ", i + 1);
        TRY(status);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
get_rows(struct json_object *value, struct complaint *why, struct step *step)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
        is_cut_off(value))
        return complain(why, STATUS_INVALID_PARAMETER,
                        "\"rows\" is the number of rows that must be changed, or given");
    step->has_rows = true;
    step->rows = (uint64_t)json_object_get_int64(value);
    return STATUS_SUCCESS;
}

static NTSTATUS
get_value(const struct parser *parser, unsigned key, const char *name, struct json_object *value,
          struct step *step)
{
    struct complaint *why = parser->why;

    switch (key) {
    case KEY_TO:
    case KEY_PATH:
        return get_path(parser, value, name, &step->path);
    case KEY_FROM:
        return get_path(parser, value, name, &step->from);
    case KEY_TEXT:
        return get_text(value, why, step);
    case KEY_BASE64:
        return get_base64(value, why, step);
    case KEY_MODE:
        return get_mode(value, why, step);
    case KEY_TARGET:
        return get_target(value, why, step);
    case KEY_SHA256:
        return get_sha256(value, why, step);
    case KEY_DATABASE:
        return get_owned_name(value, name, why, &step->database);
    case KEY_SQL:
        return get_sql(value, why, step);
    case KEY_SQL_FILE:
        return get_path(parser, value, name, &step->from);
    case KEY_PARAMETERS:
        return get_parameters(value, why, step);
    case KEY_ROWS:
        return get_rows(value, why, step);
    case KEY_OWNS_WAL:
        return get_boolean(value, name, why, &step->owns_wal);
    default:
        step->expectation = key == KEY_ABSENT ? EXPECT_ABSENT : EXPECT_EXISTS;
        return get_true(value, name, why);
    }
}

/* ---- a step ---- */

static unsigned
key_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++)
        if (strcmp(name, key_names[i]) == 0)
            return 1u << i;
    return 0;
}

static NTSTATUS
check_keys(const struct grammar *grammar, unsigned found, struct complaint *why)
{
    unsigned missing = grammar->needed & ~found, some = grammar->one_of & found;
    char list[128];

    if (missing)
        return complain(why, STATUS_INVALID_PARAMETER, "%s is missing", key_list(missing, list));
    if (grammar->one_of && !some)
        return complain(why, STATUS_INVALID_PARAMETER, "one of %s is missing",
                        key_list(grammar->one_of, list));
    if (some & (some - 1))
        return complain(why, STATUS_INVALID_PARAMETER, "%s exclude each other",
                        key_list(some, list));
    return STATUS_SUCCESS;
}

static NTSTATUS
read_keys(const struct parser *parser, struct json_object *body, struct step *step)
{
    const struct grammar *grammar = &grammars[step->verb];
    unsigned found = 0;
    char list[128];

    json_object_object_foreach(body, name, value)
    {
        unsigned key = key_find(name);

        if (!(key & all_keys(grammar)))
            return complain(parser->why, STATUS_INVALID_PARAMETER,
                            "unknown key %s; there may be %s", QUOTE(name),
                            key_list(all_keys(grammar), list));
        found |= key;
        TRY(get_value(parser, key, name, value, step));
    }
    return check_keys(grammar, found, parser->why);
}

static NTSTATUS
read_verb(const struct parser *parser, const char *name, enum step_verb *out)
{
    for (enum step_verb verb = STEP_PUT; verb < STEP_VERBS; verb++) {
        if (strcmp(name, step_verb_name(verb)) == 0) {
            *out = verb;
            return STATUS_SUCCESS;
        }
    }
    return refuse_at(
        parser, parser->scan.elements[parser->set->count - 1].offset,
        "step %zu: there is no %s; a step is one of put, append, delete, mkdir, rmdir, "
        "rename, symlink, chmod, tree, expect, sqlite, postgres, mariadb",
        parser->set->count, QUOTE(name));
}

/* Lines are counted from the step before, not from the start for each. */
static void
place_step(const struct parser *parser, struct step *step, const struct json_element *element)
{
    size_t start = step->number > 1 ? element[-1].offset : 0;

    json_text_position(parser->text + start, parser->size - start, element->offset - start,
                       &step->line, &step->column);
    if (step->number > 1) {
        step->column += step->line == 1 ? step[-1].column - 1 : 0;
        step->line += step[-1].line - 1;
    }
}

static NTSTATUS
read_step(struct parser *parser, struct json_object *value, const struct json_element *element)
{
    struct json_object *body = NULL;
    const char *name = NULL;
    struct step *step;
    NTSTATUS status = changeset_add(parser->set, parser->why, &step);

    if (status == STATUS_INVALID_PARAMETER)
        complaint_prefix(parser->why, "%s: ", parser->set->name);
    TRY(status);
    place_step(parser, step, element);
    parser->step = step;
    if (!json_object_is_type(value, json_type_object))
        return refuse_at(parser, element->offset,
                         "step %u is %s; it must be an object with one key, such as "
                         "{\"delete\": {\"path\": …}}",
                         step->number, type_name(value));
    if (element->keys != 1)
        return refuse_at(parser, element->offset,
                         "step %u has %u keys; it must have one, which says what to do",
                         step->number, element->keys);
    json_object_object_foreach(value, key, inner)
    {
        name = key;
        body = inner;
    }
    CHECK(name);
    TRY(read_verb(parser, name, &step->verb));
    if (!json_object_is_type(body, json_type_object))
        return refuse_at(parser, element->offset, "step %u (%s): the value is %s, not an object",
                         step->number, name, type_name(body));
    if (element->inner_keys != (unsigned)json_object_object_length(body))
        return refuse_at(parser, element->offset, "step %u (%s): a key is there twice",
                         step->number, name);
    return in_step(parser, read_keys(parser, body, step));
}

/* ---- the whole ---- */

static NTSTATUS
read_steps(struct parser *parser, struct json_object *steps)
{
    size_t count = json_object_array_length(steps);

    if (count == 0)
        return refuse_at(parser, 0, "\"steps\" is empty: there is nothing to do");
    if (count != parser->scan.count)
        return refuse_at(parser, 0, "cannot tell the steps apart");
    for (size_t i = 0; i < count; i++) {
        struct json_object *value = json_object_array_get_idx(steps, i);

        TRY(read_step(parser, value, &parser->scan.elements[i]));
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
read_set(struct parser *parser, struct json_object *top)
{
    struct json_object *steps = NULL;

    if (!json_object_is_type(top, json_type_object))
        return refuse_at(parser, 0, "a change set is an object, {\"steps\": […]}, and this is %s",
                         type_name(top));
    json_object_object_foreach(top, key, value)
    {
        if (strcmp(key, "steps") != 0)
            return refuse_at(parser, 0, "unknown key %s; a change set has \"steps\" only",
                             QUOTE(key));
        steps = value;
    }
    if (parser->scan.keys == 0)
        return refuse_at(parser, 0, "\"steps\" is missing");
    if (parser->scan.keys > 1)
        return refuse_at(parser, 0, "\"steps\" is there twice");
    if (!json_object_is_type(steps, json_type_array))
        return refuse_at(parser, 0, "\"steps\" is %s, not a list", type_name(steps));
    return read_steps(parser, steps);
}

/* From the first level to the strings of a step there are five. */
enum { DEPTH_MAX = 16 };

static NTSTATUS
read_text(struct parser *parser)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *top;
    enum json_tokener_error error;
    size_t end;
    NTSTATUS status;

    if (!tokener)
        return out_of_memory(parser->why);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* With its NUL, which says that nothing follows. */
    top = json_tokener_parse_ex(tokener, parser->text, (int)parser->size + 1);
    error = json_tokener_get_error(tokener);
    end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (error == json_tokener_continue || error == json_tokener_error_parse_eof)
        status = refuse_at(parser, parser->size, "the text ends before the change set does");
    else if (error == json_tokener_error_depth)
        status = refuse_at(parser, end, "nested too deeply");
    else if (error != json_tokener_success)
        status = refuse_at(parser, end, "not JSON: %s", json_tokener_error_desc(error));
    else
        status = read_set(parser, top);
    json_object_put(top);
    return status;
}

NTSTATUS
changeset_parse(const char *text, size_t size, const char *name, const char *directory,
                struct complaint *why, struct changeset **out)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct parser parser = {.why = why, .text = text, .size = size};
    NTSTATUS status;

    CHECK(size <= CHANGESET_SIZE_MAX);
    if (changeset_create(name, directory, &set) != STATUS_SUCCESS)
        return out_of_memory(why);
    parser.set = set;
    TRY(json_text_scan(text, size, set->name, why, &parser.scan));
    status = read_text(&parser);
    json_scan_deinit(&parser.scan);
    TRY(status);
    TRY(changeset_check(set, why));
    *out = give(set);
    return STATUS_SUCCESS;
}
