/* SPDX-License-Identifier: MIT */
/* Any UTF-16 as the name of a log and as the path of a container [CLFS-HARD-47]. */
#include <stdlib.h>
#include <string.h>

#include "nt/clfs_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t *units = malloc(size ? size : 1);
    UNICODE_STRING name = {.Length = (USHORT)(size & 0xFFFF),
                           .MaximumLength = (USHORT)(size & 0xFFFF),
                           .Buffer = (PWSTR)units};
    bool is_multiplexed;
    char *path = NULL;

    CHECK(units);
    memcpy(units, data, size);
    if (clfs_name_parse(&name, &path, &is_multiplexed) == STATUS_SUCCESS) {
        CHECK(path && path[0] && !strchr(path, '\\') && path[strlen(path) - 1] != '/');
        free(path);
    }
    path = NULL;
    if (clfs_container_path_parse(&name, &path) == STATUS_SUCCESS) {
        CHECK(path && path[0] && !strchr(path, '\\'));
        free(path);
    }
    free(units);
    return 0;
}
