/* SPDX-License-Identifier: MIT */
/* Any bytes as a change set: refused with a message of one line, or steps that hold together. */
#include <stdlib.h>

#include "cli/changeset.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_step(const struct step *step)
{
    if (step_is_statement(step->verb)) {
        CHECK(step->database && !step->path && (step->content != NULL) != (step->from != NULL));
        return;
    }
    CHECK(step->path && step->path[0] == '/');
    CHECK(!step->from || step->from[0] == '/');
    CHECK(step->mode <= 07777);
    CHECK(step->line > 0 && step->column > 0);
    CHECK(!step->content || step->content[step->content_size] == '\0');
    if (step->verb == STEP_PUT || step->verb == STEP_APPEND)
        CHECK(!step->from != !step->content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changeset *set = NULL;
    struct complaint why = {""};
    char *text = malloc(size + 1);
    NTSTATUS status;

    CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    status = changeset_parse(text, size, "set.json", "/d", &why, &set);
    CHECK((status == STATUS_SUCCESS) == (set != NULL));
    if (set) {
        CHECK(set->count > 0);
        for (size_t i = 0; i < set->count; i++)
            check_step(&set->steps[i]);
    } else {
        CHECK(why.text[0] && !strpbrk(why.text, "\n\r\x1b"));
    }
    changeset_destroy(set);
    free(text);
    return 0;
}
