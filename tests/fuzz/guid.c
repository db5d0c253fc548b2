/* SPDX-License-Identifier: MIT */
/* Any text as a GUID: refused, or the same GUID again when it is printed and read back. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/guid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char printed[GUID_TEXT_SIZE];
    GUID guid, again;

    CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (guid_parse(text, &guid) == STATUS_SUCCESS) {
        guid_print(&guid, printed);
        CHECK(guid_parse(printed, &again) == STATUS_SUCCESS);
        CHECK(guid_equal(&guid, &again));
    }
    free(text);
    return 0;
}
