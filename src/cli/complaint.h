/* SPDX-License-Identifier: MIT */
/*
 * Why the command refuses something, in words: what happened, to which object, what to do next.
 *
 * A status says which kind of refusal it is, the text says the rest. It is written where all of it
 * is known, and whoever passes the status up adds nothing.
 */
#pragma once

#include "base/base.h"

#define COMPLAINT_SIZE 8192

struct complaint {
    char text[COMPLAINT_SIZE]; /* one line, without a newline */
};

/* Writes the text and returns 'status', which is born here. */
#define complain(complaint, status, ...)                                                           \
    ({                                                                                             \
        NTSTATUS complained_ = status_raise(status);                                               \
        CHECK(complained_ != STATUS_SUCCESS);                                                      \
        complaint_write((complaint), __VA_ARGS__);                                                 \
        complained_;                                                                               \
    })
void complaint_write(struct complaint *complaint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The name of a status for people: "STATUS_DISK_FULL", or its number when it has no name. The text
 * is the caller's memory, also when a constant is returned. */
#define STATUS_TEXT_SIZE 16
const char *status_text(NTSTATUS status, char text[STATUS_TEXT_SIZE]);

/* What it means, as a part of a sentence. */
#define STATUS_WORDS_SIZE 256
const char *status_words(NTSTATUS status, char text[STATUS_WORDS_SIZE]);
#define STATUS_WORDS(status) status_words((status), (char[STATUS_WORDS_SIZE]){""})

/* 'text' between quotes, for messages: control characters and what is not UTF-8 as \xNN, the middle
 * of a long one left out. Nothing that a file or a path contains reaches a terminal unescaped. */
#define QUOTED_WHOLE 400 /* bytes shown without leaving anything out */
#define QUOTED_SIZE  (4 * QUOTED_WHOLE + 16)
struct quoted {
    char text[QUOTED_SIZE];
};
const char *quote(const char *text, struct quoted *into);
const char *quote_bytes(const char *text, size_t size, struct quoted *into);
#define QUOTE(path) quote((path), &(struct quoted){})
/* Without quotes when the text is short and has nothing in it that needs them. */
const char *show(const char *text, struct quoted *into);

/* The whole text in the same way, without quotes; 'into' takes four times its size and a NUL. */
void escape(const char *text, char *into);

/* The bytes of the UTF-8 character at 'at', 0 when there is none that is well formed. */
size_t utf8_size(const char *at, size_t left);

/* Puts something before what is written already: "step 3 (put): ". */
void complaint_prefix(struct complaint *complaint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define out_of_memory(why) complain((why), STATUS_INSUFFICIENT_RESOURCES, "out of memory")
