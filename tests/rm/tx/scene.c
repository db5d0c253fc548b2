/* SPDX-License-Identifier: MIT */
#include "tests/rm/tx/scene.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

void
scene_write_table(struct scene *scene, const char *lines)
{
    FILE *file = fopen(scene->table, "w");

    EXPECT(file != NULL);
    fputs(lines, file);
    fclose(file);
    setenv("KTM_TX", scene->table, 1);
}

void
scene_set(struct scene *scene, const char *symbol)
{
    char lines[2048];

    snprintf(scene->table, sizeof(scene->table), "%s/table", test_directory());
    snprintf(scene->home, sizeof(scene->home), "%s/home", test_directory());
    snprintf(scene->store, sizeof(scene->store), "%s/store", test_directory());
    EXPECT_EQ(0, mkdir(scene->store, 0700));
    snprintf(
        lines, sizeof(lines),
        "# a table\nhome=%s\n\nswitch=%s/tests/xa-toy.so:%s info='%s' unchecked=1 timeout=5 # it\n",
        scene->home, test_build(), symbol, scene->store);
    scene_write_table(scene, lines);
}

void
scene_order(struct scene *scene, const char *order)
{
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s/order", scene->store);
    file = fopen(path, "a");
    fprintf(file, "%s\n", order);
    fclose(file);
}

unsigned
scene_count(struct scene *scene, const char *function)
{
    char path[600], name[32];
    unsigned count = 0;
    int id;
    FILE *file;

    snprintf(path, sizeof(path), "%s/log", scene->store);
    file = fopen(path, "r");
    while (file && fscanf(file, "%31s %d", name, &id) == 2)
        count += strcmp(name, function) == 0 && id == getpid();
    if (file)
        fclose(file);
    return count;
}

bool
scene_has(struct scene *scene, unsigned item)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/c.%u", scene->store, item);
    return access(path, F_OK) == 0;
}

unsigned
scene_names(struct scene *scene, char kind)
{
    DIR *all = opendir(scene->store);
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(all)))
        count += entry->d_name[0] == kind && entry->d_name[1] == '.';
    closedir(all);
    return count;
}

int
scene_work(unsigned item)
{
    char path[512], text[16];
    size_t got = 0;
    void *library, *symbol;
    ktm_xa_function *function;
    int size = snprintf(text, sizeof(text), "%u", item);

    snprintf(path, sizeof(path), "%s/tests/xa-toy.so", test_build());
    library = dlopen(path, RTLD_NOW);
    EXPECT(library != NULL);
    symbol = dlsym(library, "toy_work");
    EXPECT(symbol != NULL);
    memcpy(&function, &symbol, sizeof(function));
    return function(1, text, (size_t)size, NULL, &got);
}
