/* SPDX-License-Identifier: MIT */
/*
 * A wire between a client and its server, both ends Unix sockets: it carries everything, and hangs
 * up when an answer comes that was to be lost. So the client never hears what the server has done.
 */
#pragma once

#include <stdbool.h>

struct wire {
    char real[600]; /* the server's socket */
    int listener;
    const char *_Atomic words; /* whose answer is lost, once */
    _Atomic bool before;       /* the server is not even told */
};

/* Listens at 'path' from now on, and carries to 'real'. To live as long as the test. */
void wire_start(struct wire *wire, const char *path, const char *real);
/* The answer to the next question with these words does not arrive; with 'before' the question does
 * not, either. */
void wire_lose(struct wire *wire, const char *words, bool before);
bool wire_has_lost(struct wire *wire);
