/* SPDX-License-Identifier: MIT */
/*
 * The JSON change set: every kind of step as it is meant, and everything else refused with a
 * message that says where. Hostile input ends in a refusal, whatever it is.
 */
#include "tests/test.h"

#include <json-c/json.h>

#include "cli/changeset.h"
#include "cli/owned.h"

/* One of each, used whole and cut at every byte. */
static const char everything[] =
    "{\"steps\": [\n"
    "  {\"expect\":  {\"path\": \"a\", \"exists\": true}},\n"
    "  {\"expect\":  {\"path\": \"b\", \"absent\": true}},\n"
    "  {\"expect\":  {\"path\": \"c\", \"sha256\": "
    "\"00ff0123456789abcdefABCDEF0123456789abcdef0123456789abcdef012345\"}},\n"
    "  {\"put\":     {\"to\": \"/etc/x\", \"from\": \"x\", \"mode\": \"0644\"}},\n"
    "  {\"put\":     {\"to\": \"y\", \"text\": \"gr\\u00fcn\\u0000\\n\\ud834\\udd1e\"}},\n"
    "  {\"append\":  {\"to\": \"z\", \"base64\": \"AP8=\"}},\n"
    "  {\"delete\":  {\"path\": \"d\"}},\n"
    "  {\"mkdir\":   {\"path\": \"m\", \"mode\": \"1777\"}}, {\"mkdir\": {\"path\": \"n\"}},\n"
    "  {\"rmdir\":   {\"path\": \"r\"}},\n"
    "  {\"rename\":  {\"from\": \"f\", \"to\": \"t\"}},\n"
    "  {\"symlink\": {\"path\": \"s\", \"target\": \"../else\"}},\n"
    "  {\"chmod\":   {\"path\": \"h\", \"mode\": \"755\"}},\n"
    "  {\"tree\":    {\"to\": \"tt\", \"from\": \"tf\"}},\n"
    "  {\"sqlite\":  {\"database\": \"app.db\", \"sql\": \"SELECT ?\", \"rows\": 1, \"owns_wal\": "
    "true,\n"
    "              \"parameters\": [null, true, -2.50, 9007199254740993, \"x\"]}},\n"
    "  {\"postgres\": {\"database\": \"service=a\", \"sql_file\": \"q.sql\"}},\n"
    "  {\"mariadb\": {\"database\": \"database=b\", \"sql\": \"DELETE FROM t\"}}\n"
    "]}\n";

static NTSTATUS
parse(const char *text, size_t size, struct complaint *why, struct changeset **out)
{
    /* Exactly as large as it is, so that a sanitizer sees a step beyond. */
    char *copy = malloc(size + 1);
    NTSTATUS status;

    EXPECT(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    status = changeset_parse(copy, size, "set.json", "/dir", why, out);
    free(copy);
    return status;
}

static void
expect_statements(const struct step *step)
{
    static const struct ktm_value values[] = {
        {KTM_VALUE_NULL, NULL},
        {KTM_VALUE_BOOLEAN, "true"},
        {KTM_VALUE_NUMBER, "-2.50"}, /* as it was written */
        {KTM_VALUE_NUMBER, "9007199254740993"},
        {KTM_VALUE_TEXT, "x"},
    };

    EXPECT_EQ(STEP_SQLITE, step->verb);
    EXPECT_TEXT("app.db", step->database);
    EXPECT_TEXT("SELECT ?", step->content);
    EXPECT(step->has_rows && step->rows == 1 && !step->from && !step->path);
    EXPECT(step->owns_wal);
    EXPECT_EQ(ARRAY_SIZE(values), step->value_count);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        EXPECT_EQ(values[i].type, step->values[i].type);
        if (values[i].text)
            EXPECT_TEXT(values[i].text, step->values[i].text);
    }
    step++;
    EXPECT_EQ(STEP_POSTGRES, step->verb);
    EXPECT_TEXT("/dir/q.sql", step->from);
    EXPECT(!step->has_rows && step->value_count == 0 && !step->content);
    step++;
    EXPECT_EQ(STEP_MARIADB, step->verb);
    EXPECT_TEXT("database=b", step->database);
}

TEST(every_kind_of_step_is_read)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct complaint why;
    const struct step *step;

    if (parse(everything, sizeof(everything) - 1, &why, &set) != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "refused: %s", why.text);
    EXPECT_EQ(17, set->count);
    step = set->steps;
    for (unsigned i = 0; i < 17; i++)
        EXPECT_EQ(i + 1, step[i].number);

    EXPECT_EQ(STEP_EXPECT, step->verb);
    EXPECT_EQ(EXPECT_EXISTS, step->expectation);
    EXPECT_TEXT("/dir/a", step->path);
    EXPECT_EQ(2, step->line);
    EXPECT_EQ(3, step->column);
    step++;
    EXPECT_EQ(EXPECT_ABSENT, step->expectation);
    step++;
    EXPECT_EQ(EXPECT_SHA256, step->expectation);
    EXPECT_EQ(0x00, step->sha256[0]);
    EXPECT_EQ(0xff, step->sha256[1]);
    EXPECT_EQ(0xEF, step->sha256[12]);
    EXPECT_EQ(0x45, step->sha256[31]);
    step++;
    EXPECT_EQ(STEP_PUT, step->verb);
    EXPECT_TEXT("/etc/x", step->path);
    EXPECT_TEXT("/dir/x", step->from);
    EXPECT(step->has_mode && step->mode == 0644 && !step->content);
    step++;
    EXPECT_EQ(STEP_PUT, step->verb);
    EXPECT(!step->has_mode && !step->from);
    EXPECT_EQ(11, step->content_size);
    EXPECT_BYTES("gr\xc3\xbcn\0\n\xf0\x9d\x84\x9e", step->content, 11);
    step++;
    EXPECT_EQ(STEP_APPEND, step->verb);
    EXPECT_EQ(2, step->content_size);
    EXPECT_BYTES("\0\xff", step->content, 2);
    step++;
    EXPECT_EQ(STEP_DELETE, step->verb);
    step++;
    EXPECT_EQ(STEP_MKDIR, step->verb);
    EXPECT(step->has_mode && step->mode == 01777);
    EXPECT_EQ(9, step->line);
    step++;
    EXPECT_EQ(STEP_MKDIR, step->verb);
    EXPECT(!step->has_mode);
    EXPECT_EQ(9, step->line); /* the second on the line */
    EXPECT_EQ(47, step->column);
    step++;
    EXPECT_EQ(STEP_RMDIR, step->verb);
    EXPECT_EQ(10, step->line);
    EXPECT_EQ(3, step->column);
    step++;
    EXPECT_EQ(STEP_RENAME, step->verb);
    EXPECT_TEXT("/dir/f", step->from);
    EXPECT_TEXT("/dir/t", step->path);
    step++;
    EXPECT_EQ(STEP_SYMLINK, step->verb);
    EXPECT_TEXT("/dir/s", step->path);
    EXPECT_TEXT("../else", step->target);
    step++;
    EXPECT_EQ(STEP_CHMOD, step->verb);
    EXPECT_EQ(0755, step->mode);
    step++;
    EXPECT_EQ(STEP_TREE, step->verb);
    EXPECT_TEXT("/dir/tt", step->path);
    EXPECT_TEXT("/dir/tf", step->from);
    expect_statements(step + 1);
}

#define STEPS(text) "{\"steps\":[" text "]}"

/* What is wrong, and what the message must say. */
static const struct {
    const char *text, *says;
} refused[] = {
    /* not JSON */
    {"", "set.json:1:1: the text ends before"},
    {"  \n ", "the text ends before"},
    {"{", "the text ends before"},
    {"{\"steps\":[\n{\"delete\":{\"path\":\"a\"}\n", "set.json:3:1: the text ends before"},
    {"{\"steps\":[\n  {\"delete\" {\"path\":\"a\"}}]}", "set.json:2:13: not JSON"},
    {"{\"steps\":[{\"delete\":{\"path\":\"a\"}},]}", "set.json:1:35: not JSON"},
    {STEPS("{\"delete\":{\"path\":\"a\"}}") " x", "not JSON"},
    {STEPS("{\"delete\":{\"path\":\"a\"}}") "{}", "not JSON"},
    {"# comment\n{}", "set.json:1:1: not JSON"},
    {"/* comment */{}", "set.json:1:1: not JSON"},
    {"\xef\xbb\xbf{}", "set.json:1:1: not JSON"},
    {"{'steps':[]}", "set.json:1:2: strings and keys stand between double quotes"},
    {STEPS("{\"delete\":{\"path\":\"a\nb\"}}"), "set.json:1:31: a string ends on its line"},
    {STEPS("{\"delete\":{\"path\":\"\\x41\"}}"), "not JSON"},
    {STEPS("{\"delete\":{\"path\":\"\xff\"}}"), "set.json:1:30: not UTF-8"},
    {STEPS("{\"delete\":{\"path\":\"\xc0\xaf\"}}"), "set.json:1:30: not UTF-8"},
    {STEPS("{\"delete\":{\"path\":\"\xed\xa0\x80\"}}"), "set.json:1:30: not UTF-8"},
    {STEPS("{\"delete\":{\"path\":\"\\ud800\"}}"), "set.json:1:30: half a surrogate pair"},
    {STEPS("{\"delete\":{\"path\":\"\\udc00\\ud800\"}}"), "set.json:1:30: half a surrogate pair"},
    {STEPS("{\"delete\":{\"path\":\"\\ud800\\u0041\"}}"), "set.json:1:30: half a surrogate pair"},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deeply"},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
     "\"a\":"
     "{\"a\":{\"a\":{\"a\":{}}}}}}}}}}}}}}}}}}",
     "nested too deeply"},
    /* not a change set */
    {"[]", "a change set is an object"},
    {"null", "a change set is an object"},
    {"\"steps\"", "a change set is an object"},
    {"12", "a change set is an object"},
    {"{}", "\"steps\" is missing"},
    {"{\"stesp\":[]}", "unknown key 'stesp'"},
    {"{\"steps\":[{\"delete\":{\"path\":\"a\"}}],\"extra\":1}", "unknown key 'extra'"},
    {"{\"steps\":[{\"delete\":{\"path\":\"a\"}}],\"steps\":[]}", "\"steps\" is there twice"},
    {"{\"steps\":{}}", "\"steps\" is an object, not a list"},
    {"{\"steps\":null}", "\"steps\" is null, not a list"},
    {"{\"steps\":[]}", "there is nothing to do"},
    /* statements */
    {STEPS("{\"sqlite\":{\"sql\":\"x\"}}"), "\"database\" is missing"},
    {STEPS("{\"sqlite\":{\"database\":\"d\"}}"), "one of \"sql\", \"sql_file\" is missing"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"sql_file\":\"f\"}}"), "exclude each"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"\"}}"), "\"sql\" is empty"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"rows\":-1}}"),
     "\"rows\" is the number"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"rows\":\"1\"}}"), "\"rows\" is the"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"parameters\":{}}}"), "not a list"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"parameters\":[1,[]]}}"),
     "parameter 2 is a list"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"parameters\":[\"a\\u0000b\"]}}"),
     "a NUL character"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"parameters\":"
           "[123456789012345678901234567890]}}"),
     "write it as a string"},
    {STEPS("{\"sqlite\":{\"database\":\"d\",\"sql\":\"x\",\"owns_wal\":1}}"), "not true"},
    {STEPS("{\"mariadb\":{\"database\":\"d\",\"sql\":\"x\",\"owns_wal\":true}}"),
     "unknown key 'owns_wal'"},
    {STEPS("{\"put\":{\"to\":\"d\",\"sql\":\"x\"}}"), "unknown key 'sql'"},
    /* not a step */
    {STEPS("1"), "set.json:1:11: step 1 is a number"},
    {STEPS("null"), "step 1 is null"},
    {STEPS("[]"), "step 1 is a list"},
    {STEPS("\"delete\""), "step 1 is a string"},
    {STEPS("{}"), "step 1 has 0 keys"},
    {STEPS("{\"delete\":{\"path\":\"a\"}}, 7"), "set.json:1:36: step 2 is a number"},
    {STEPS("{\"delete\":{\"path\":\"a\"},\"mkdir\":{\"path\":\"b\"}}"), "step 1 has 2 keys"},
    {STEPS("{\"delete\":{\"path\":\"a\"},\"delete\":{\"path\":\"b\"}}"), "step 1 has 2 keys"},
    {STEPS("{\"remove\":{\"path\":\"a\"}}"), "step 1: there is no 'remove'"},
    {STEPS("{\"\":{\"path\":\"a\"}}"), "step 1: there is no ''"},
    {STEPS("{\"Delete\":{\"path\":\"a\"}}"), "there is no 'Delete'"},
    {STEPS("{\"delete\":\"a\"}"), "step 1 (delete): the value is a string, not an object"},
    {STEPS("{\"delete\":null}"), "step 1 (delete): the value is null"},
    /* keys of a step */
    {STEPS("{\"delete\":{}}"), "step 1 (delete): \"path\" is missing"},
    {STEPS("{\"delete\":{\"path\":\"a\",\"path\":\"b\"}}"),
     "step 1 (delete): a key is there twice"},
    {STEPS("{\"delete\":{\"path\":\"a\",\"p\\u0061th\":\"b\"}}"), "a key is there twice"},
    {STEPS("{\"delete\":{\"to\":\"a\"}}"), "unknown key 'to'; there may be \"path\""},
    {STEPS("{\"delete\":{\"path\":\"a\",\"mode\":\"0644\"}}"), "unknown key 'mode'"},
    {STEPS("{\"put\":{\"to\":\"a\"}}"), "one of \"from\", \"text\", \"base64\" is missing"},
    {STEPS("{\"put\":{\"text\":\"a\"}}"), "step 1 (put): \"to\" is missing"},
    {STEPS("{\"put\":{\"to\":\"a\",\"text\":\"\",\"base64\":\"\"}}"),
     "\"text\", \"base64\" exclude each other"},
    {STEPS("{\"put\":{\"to\":\"a\",\"from\":\"b\",\"text\":\"\"}}"),
     "\"from\", \"text\" exclude each other"},
    {STEPS("{\"append\":{\"to\":\"a\",\"text\":\"\",\"mode\":\"0644\"}}"), "unknown key 'mode'"},
    {STEPS("{\"rename\":{\"to\":\"a\"}}"), "\"from\" is missing"},
    {STEPS("{\"symlink\":{\"path\":\"a\"}}"), "\"target\" is missing"},
    {STEPS("{\"chmod\":{\"path\":\"a\"}}"), "\"mode\" is missing"},
    {STEPS("{\"expect\":{\"path\":\"a\"}}"),
     "one of \"sha256\", \"absent\", \"exists\" is missing"},
    {STEPS("{\"expect\":{\"path\":\"a\",\"absent\":true,\"exists\":true}}"), "exclude each other"},
    /* values of a step */
    {STEPS("{\"delete\":{\"path\":7}}"), "\"path\" is a number, not a string"},
    {STEPS("{\"delete\":{\"path\":null}}"), "\"path\" is null, not a string"},
    {STEPS("{\"delete\":{\"path\":{\"path\":\"a\"}}}"), "\"path\" is an object, not a string"},
    {STEPS("{\"delete\":{\"path\":\"\"}}"), "\"path\" is empty"},
    {STEPS("{\"delete\":{\"path\":\"a\\u0000b\"}}"), "\"path\" has a NUL character"},
    {STEPS("{\"symlink\":{\"path\":\"a\",\"target\":\"\"}}"), "\"target\" is empty"},
    {STEPS("{\"symlink\":{\"path\":\"a\",\"target\":\"\\u0000\"}}"), "\"target\" has a NUL"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":644}}"), "write \"0644\", with quotes"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":\"0648\"}}"), "\"mode\" is '0648'"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":\"u+x\"}}"), "\"mode\" is 'u+x'"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":\"\"}}"), "\"mode\" is empty"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":\"10000\"}}"), "\"mode\" is '10000'"},
    {STEPS("{\"chmod\":{\"path\":\"a\",\"mode\":\"-1\"}}"), "\"mode\" is '-1'"},
    {STEPS("{\"put\":{\"to\":\"a\",\"base64\":\"Zg=\"}}"), "no multiple of 4"},
    {STEPS("{\"put\":{\"to\":\"a\",\"base64\":\"Z!==\"}}"), "\"base64\" is wrong at character 2"},
    {STEPS("{\"put\":{\"to\":\"a\",\"text\":true}}"), "\"text\" is true or false, not a string"},
    {STEPS("{\"expect\":{\"path\":\"a\",\"exists\":false}}"), "say \"absent\": true"},
    {STEPS("{\"expect\":{\"path\":\"a\",\"absent\":false}}"), "say \"exists\": true"},
    {STEPS("{\"expect\":{\"path\":\"a\",\"absent\":1}}"), "\"absent\" is a number, not true"},
    {STEPS("{\"expect\":{\"path\":\"a\",\"sha256\":\"00\"}}"), "64 hexadecimal digits"},
    /* steps against each other are in targets.c */
    {STEPS("{\"put\":{\"to\":\"a\",\"text\":\"1\"}},\n {\"put\":{\"to\":\"./a\",\"text\":\"2\"}}"),
     "set.json:2:2: step 2 (put): '/dir/./a'"},
};

TEST(what_is_not_a_change_set_is_refused_and_the_place_is_told)
{
    EACH (it, refused) {
        struct changeset *set = NULL;
        struct complaint why = {""};
        NTSTATUS status = parse(it->text, strlen(it->text), &why, &set);

        if (status != STATUS_INVALID_PARAMETER || !strstr(why.text, it->says))
            test_fail(__FILE__, __LINE__, "%s\n  says: %s\n  must say: %s", it->text, why.text,
                      it->says);
        EXPECT(strncmp(why.text, "set.json:", 9) == 0);
        EXPECT(!strchr(why.text, '\n'));
        EXPECT(set == NULL);
    }
}

TEST(a_nul_byte_is_refused)
{
    static const char text[] = "{\"steps\":[{\"delete\":{\"path\":\"a\"}}]}\0{}";
    struct changeset *set = NULL;
    struct complaint why;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, parse(text, sizeof(text) - 1, &why, &set));
    EXPECT_TEXT("set.json:1:36: a NUL byte; this is not a text file", why.text);
}

TEST(cut_anywhere_it_is_refused)
{
    /* Without the newline at the end, which may be missing. */
    for (size_t size = 0; size < sizeof(everything) - 2; size++) {
        struct changeset *set = NULL;
        struct complaint why;

        EXPECT_STATUS(STATUS_INVALID_PARAMETER, parse(everything, size, &why, &set));
        EXPECT(set == NULL);
    }
}

TEST(any_byte_changed_to_anything_is_read_or_refused)
{
    static const char bytes[] = {0,    1,   '\n', ' ',        '"',        '\'',
                                 '\\', '{', '}',  '[',        ']',        ',',
                                 ':',  'u', '0',  (char)0x80, (char)0xC3, (char)0xFF};
    unsigned read = 0, refusals = 0;

    for (size_t at = 0; at < sizeof(everything) - 1; at++) {
        EACH (byte, bytes) {
            owned(changeset_destroy) struct changeset *set = NULL;
            char text[sizeof(everything)];
            struct complaint why;
            NTSTATUS status;

            memcpy(text, everything, sizeof(text));
            text[at] = *byte;
            status = parse(text, sizeof(text) - 1, &why, &set);
            EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER);
            EXPECT((status == STATUS_SUCCESS) == (set != NULL));
            read += set != NULL;
            refusals += set == NULL;
        }
    }
    EXPECT(read > 100 && refusals > 1000);
}

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

TEST(random_bytes_are_refused)
{
    uint64_t state = 42;

    for (unsigned run = 0; run < 20000; run++) {
        struct changeset *set = NULL;
        struct complaint why;
        char text[64];
        size_t size = next_random(&state) % sizeof(text);

        for (size_t at = 0; at < size; at++)
            text[at] = (char)next_random(&state);
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, parse(text, size, &why, &set));
    }
}

/* Random texts made of pieces that mean something get further than random bytes. */
TEST(random_pieces_are_read_or_refused)
{
    static const char *const pieces[] = {
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"steps\"",
        "\"put\"",
        "\"to\"",
        "\"path\"",
        "\"delete\"",
        "{\"steps\":[",
        "{\"delete\":{\"path\":\"a",
        "\"}}",
        "]}",
        "true",
        "null",
        "1e9",
        "\"\\u0000\"",
        "\"\\ud834",
        "\\udd1e\"",
        " ",
        "\n",
        "\"mode\":\"0644\"",
        "\"text\":\"x\"",
        "NaN",
        "-Infinity",
    };
    uint64_t state = 7;

    for (unsigned run = 0; run < 20000; run++) {
        owned(changeset_destroy) struct changeset *set = NULL;
        char text[1024] = "";
        struct complaint why;
        NTSTATUS status;
        unsigned count = next_random(&state) % 12;

        if (run % 2)
            strcat(text, "{\"steps\":[{\"delete\":{\"path\":\"a");
        while (count--)
            strcat(text, pieces[next_random(&state) % ARRAY_SIZE(pieces)]);
        status = parse(text, strlen(text), &why, &set);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER);
        EXPECT((status == STATUS_SUCCESS) == (set != NULL));
    }
}

static char *
many(size_t count, const char *head, const char *each, const char *tail, size_t *size)
{
    char *text = malloc(strlen(head) + count * (strlen(each) + 8) + strlen(tail) + 1), *at = text;

    EXPECT(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, each, (unsigned)i);
    at = stpcpy(at, tail);
    *size = (size_t)(at - text);
    return text;
}

TEST(many_steps_are_read_in_a_moment)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    owned(free_text) char *text = NULL;
    struct complaint why;
    size_t size;

    text = many(CHANGESET_STEPS_MAX - 1, "{\"steps\":[", "{\"delete\":{\"path\":\"d/%u\"}},\n",
                "{\"delete\":{\"path\":\"d\"}}]}", &size);
    EXPECT_OK(changeset_parse(text, size, "set.json", "/dir", &why, &set));
    EXPECT_EQ(CHANGESET_STEPS_MAX, set->count);
    EXPECT_EQ(CHANGESET_STEPS_MAX, set->steps[set->count - 1].line);
}

TEST(too_much_of_anything_is_refused)
{
    static const struct {
        size_t count;
        const char *head, *each, *tail, *says;
    } cases[] = {
        {CHANGESET_STEPS_MAX + 1, "{\"steps\":[{\"delete\":{\"path\":\"d\"}}",
         ",{\"delete\":{\"path\":\"d/%u\"}}", "]}", "more than 200000 steps"},
        {5u << 20, "{\"steps\":[", "[],", "[]]}", "too many values"},
        {2000000, "", "[", "", "nested too deeply"},
        {9000, "{\"steps\":[{\"delete\":{\"path\":\"", "x", "\"}}]}", "too long"},
    };

    EACH (it, cases) {
        owned(free_text) char *text = NULL;
        struct changeset *set = NULL;
        struct complaint why;
        size_t size;

        text = many(it->count, it->head, it->each, it->tail, &size);
        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      changeset_parse(text, size, "set.json", "/dir", &why, &set));
        if (!strstr(why.text, it->says))
            test_fail(__FILE__, __LINE__, "says: %.200s; must say: %s", why.text, it->says);
    }
}
