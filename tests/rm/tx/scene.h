/* SPDX-License-Identifier: MIT */
/* What the tests of X/Open TX share: a table with the toy switch of tests/rm/xa, and its store. */
#pragma once

#include "ktm_tx.h"
#include "ktm_xa.h"
#include "tests/test.h"

struct scene {
    char table[512], store[200], home[512];
};

/* A table with the toy of that symbol, and $KTM_TX names it; nothing is open. */
void scene_set(struct scene *scene, const char *symbol);
/* Other lines for the table. */
void scene_write_table(struct scene *scene, const char *lines);
void scene_order(struct scene *scene, const char *order);
unsigned scene_count(struct scene *scene, const char *function);
bool scene_has(struct scene *scene, unsigned item);
/* Names of that kind: 'p' prepared, 'e' ended. */
unsigned scene_names(struct scene *scene, char kind);
/* Makes the item in the branch that this thread is in: what the toy's function returns. */
int scene_work(unsigned item);
