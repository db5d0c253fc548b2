/* SPDX-License-Identifier: MIT */
#include "tests/core/words.h"

#include <stdlib.h>
#include <string.h>

#include "core/ktm.h"

static const struct {
    uint32_t what;
    const char *word;
} notifications[] = {
    {TRANSACTION_NOTIFY_PREPREPARE, "PREPREPARE"},
    {TRANSACTION_NOTIFY_PREPARE, "PREPARE"},
    {TRANSACTION_NOTIFY_COMMIT, "COMMIT"},
    {TRANSACTION_NOTIFY_ROLLBACK, "ROLLBACK"},
    {TRANSACTION_NOTIFY_PREPREPARE_COMPLETE, "PREPREPARE_COMPLETE"},
    {TRANSACTION_NOTIFY_PREPARE_COMPLETE, "PREPARE_COMPLETE"},
    {TRANSACTION_NOTIFY_COMMIT_COMPLETE, "COMMIT_COMPLETE"},
    {TRANSACTION_NOTIFY_ROLLBACK_COMPLETE, "ROLLBACK_COMPLETE"},
    {TRANSACTION_NOTIFY_RECOVER, "RECOVER"},
    {TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT, "SPC"},
    {TRANSACTION_NOTIFY_RECOVER_QUERY, "RECOVER_QUERY"},
    {TRANSACTION_NOTIFY_LAST_RECOVER, "LAST_RECOVER"},
    {TRANSACTION_NOTIFY_INDOUBT, "INDOUBT"},
    {TRANSACTION_NOTIFY_RM_DISCONNECTED, "RM_DISCONNECTED"},
    {TRANSACTION_NOTIFY_COMMIT_REQUEST, "COMMIT_REQUEST"},
    {TRANSACTION_NOTIFY_REQUEST_OUTCOME, "REQUEST_OUTCOME"},
};

const char *
word_of_notification(uint32_t what)
{
    for (size_t i = 0; i < ARRAY_SIZE(notifications); i++)
        if (notifications[i].what == what)
            return notifications[i].word;
    return "?";
}

uint32_t
notification_of_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(notifications); i++)
        if (strcmp(notifications[i].word, word) == 0)
            return notifications[i].what;
    return 0;
}

static const struct {
    const char *word;
    uint32_t mask;
} masks[] = {
    {"full", TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE |
                 TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK},
    {"2pc", TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK},
    {"cr", TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK},
    {"pcr",
     TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK},
    {"pr", TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_ROLLBACK},
    {"r", TRANSACTION_NOTIFY_ROLLBACK},
    {"spc", TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT},
    {"disc", TRANSACTION_NOTIFY_RM_DISCONNECTED},
    {"indoubt", TRANSACTION_NOTIFY_INDOUBT},
    {"sup", TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_PREPREPARE_COMPLETE |
                TRANSACTION_NOTIFY_PREPARE_COMPLETE | TRANSACTION_NOTIFY_COMMIT_COMPLETE |
                TRANSACTION_NOTIFY_ROLLBACK_COMPLETE},
    {"ppc", TRANSACTION_NOTIFY_PREPREPARE_COMPLETE},
    {"pc", TRANSACTION_NOTIFY_PREPARE_COMPLETE},
    {"cc", TRANSACTION_NOTIFY_COMMIT_COMPLETE},
    {"rc", TRANSACTION_NOTIFY_ROLLBACK_COMPLETE},
    {"request", TRANSACTION_NOTIFY_COMMIT_REQUEST},
    {"outcome", TRANSACTION_NOTIFY_REQUEST_OUTCOME},
};

static uint32_t
mask_of_word(const char *word, size_t length)
{
    if (length > 2 && word[0] == '0' && word[1] == 'x')
        return (uint32_t)strtoul(word, NULL, 0);
    for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
        if (strlen(masks[i].word) == length && memcmp(masks[i].word, word, length) == 0)
            return masks[i].mask;
    return 0;
}

bool
mask_of_words(const char *words, uint32_t *mask)
{
    uint32_t all = 0;

    for (;;) {
        size_t length = strcspn(words, "+");
        uint32_t one = mask_of_word(words, length);

        if (!one)
            return false;
        all |= one;
        if (!words[length])
            break;
        words += length + 1;
    }
    *mask = all;
    return true;
}

const char *
word_of_record(int type)
{
    static const char *const words[] = {[RECORD_PREPARE] = "PREPARE",
                                        [RECORD_COMMIT] = "COMMIT",
                                        [RECORD_ABORT] = "ABORT",
                                        [RECORD_FORGET] = "FORGET",
                                        [RECORD_RECINFO] = "RECINFO"};

    return type > 0 && type < (int)ARRAY_SIZE(words) ? words[type] : "?";
}

bool
words_split(char *line, struct words *out)
{
    char *state = NULL;

    *out = (struct words){0};
    for (char *word = strtok_r(line, " \t\n", &state); word;
         word = strtok_r(NULL, " \t\n", &state)) {
        if (out->count == WORDS_MAX)
            return false;
        out->at[out->count++] = word;
    }
    return true;
}

const char *
words_after(const struct words *words, const char *key)
{
    for (unsigned i = 0; i + 1 < words->count; i++)
        if (strcmp(words->at[i], key) == 0)
            return words->at[i + 1];
    return NULL;
}

bool
words_have(const struct words *words, const char *word)
{
    for (unsigned i = 0; i < words->count; i++)
        if (strcmp(words->at[i], word) == 0)
            return true;
    return false;
}
