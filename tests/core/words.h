/* SPDX-License-Identifier: MIT */
/* The words that tests and scenario files use for notifications, masks and records, and splitting a
 * command into words. */
#pragma once

#include "base/base.h"

/* "PREPARE" for TRANSACTION_NOTIFY_PREPARE; "?" for what is not one known bit. */
const char *word_of_notification(uint32_t what);
uint32_t notification_of_word(const char *word); /* 0: none of that name */

/* "full+spc", "sup+request", …; false: some part is no word for a mask.
 *   full = PREPREPARE PREPARE COMMIT ROLLBACK   2pc = PREPARE COMMIT ROLLBACK   cr = COMMIT
 * ROLLBACK pcr = PREPREPARE COMMIT ROLLBACK   pr = PREPREPARE ROLLBACK   spc   disc =
 * RM_DISCONNECTED indoubt   sup = ROLLBACK and the four *_COMPLETE   request = COMMIT_REQUEST
 * outcome = REQUEST_OUTCOME   ppc, pc, cc, rc = one *_COMPLETE each   r = ROLLBACK; or a number */
bool mask_of_words(const char *words, uint32_t *mask);

const char *word_of_record(int type); /* enum record_type; "?" */

#define WORDS_MAX 12
struct words {
    unsigned count;
    char *at[WORDS_MAX + 1]; /* the last one is NULL */
};
/* Splits 'line' in place at blanks. False: too many. */
bool words_split(char *line, struct words *out);
/* The word that follows 'key', or NULL. */
const char *words_after(const struct words *words, const char *key);
bool words_have(const struct words *words, const char *word);
