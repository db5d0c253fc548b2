/* SPDX-License-Identifier: MIT */
/*
 * Feeds a fuzz target the inputs of its corpus, one after the other, where libFuzzer is not built
 * in. So every input that once found something is a test for ever. Arguments: files or directories.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size;
    long end;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0) {
        perror(path);
        return 1;
    }
    rewind(file);
    size = (size_t)end;
    data = malloc(size ? size : 1); /* exact, so that a read past the end is seen */
    if (!data || fread(data, 1, size, file) != size) {
        perror(path);
        return 1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
    return 0;
}

static int
replay_path(const char *path)
{
    struct stat info;
    struct dirent *entry;
    DIR *directory;
    int failed = 0;

    if (stat(path, &info) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(info.st_mode))
        return replay_file(path);
    directory = opendir(path);
    while (directory && (entry = readdir(directory)) != NULL) {
        char inside[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        failed |= replay_path(inside);
    }
    if (directory)
        closedir(directory);
    return failed;
}

int
main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= replay_path(argv[i]);
    printf("%u inputs replayed\n", count);
    return failed;
}
