/* SPDX-License-Identifier: MIT */
#include "tests/rm/xa/scene.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static void
take_report(void *context, const struct ktm_xa_report *report)
{
    struct scene *scene = context;

    scene->reports[report->kind]++;
    scene->code = report->code;
}

void
scene_library(char into[512], const char *name)
{
    snprintf(into, 512, "%s/%s", test_build(), name);
}

void
scene_set(struct scene *scene)
{
    static char helper[512];

    *scene = (struct scene){.code = XA_OK};
    snprintf(scene->home, sizeof(scene->home), "%s/home", test_directory());
    snprintf(scene->store, sizeof(scene->store), "%s/store", test_directory());
    EXPECT_EQ(0, mkdir(scene->store, 0700));
    scene_library(scene->spec, "tests/xa-toy.so:toy_xa_switch");
    scene_library(scene->work, "tests/xa-toy.so:toy_work");
    scene_library(helper, "ktm-xa-helper");
    scene->options = (struct ktm_xa_options){.mode = KTM_RM_THREAD,
                                             .patience_ms = UINT32_MAX,
                                             .timeout_ms = 2000,
                                             .helper = helper,
                                             .is_unchecked = TRUE,
                                             .report = take_report,
                                             .context = scene};
}

void
scene_open(struct scene *scene)
{
    char why[1024];
    NTSTATUS status = ktm_xa_open(NULL, scene->home, scene->spec, scene->store, &scene->options,
                                  why, sizeof(why), &scene->rm);

    if (status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "the switch cannot be opened: %s", why);
}

void
scene_close(struct scene *scene)
{
    ktm_xa_shut(scene->rm);
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
    int process;
    FILE *file;

    snprintf(path, sizeof(path), "%s/log", scene->store);
    file = fopen(path, "r");
    while (file && fscanf(file, "%31s %d", name, &process) == 2)
        count += strcmp(name, function) == 0;
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

static unsigned
count_kind(struct scene *scene, char kind)
{
    DIR *all = opendir(scene->store);
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(all)))
        count += entry->d_name[0] == kind && entry->d_name[1] == '.';
    closedir(all);
    return count;
}

unsigned
scene_prepared(struct scene *scene)
{
    return count_kind(scene, 'p');
}

unsigned
scene_remembered(struct scene *scene)
{
    return count_kind(scene, 'h');
}

struct ktm_xa_tx *
scene_begin(struct scene *scene)
{
    struct ktm_xa_tx *tx;
    char why[1024] = "";
    NTSTATUS status = ktm_xa_begin(scene->rm, NULL, &tx);

    if (status != STATUS_SUCCESS) {
        ktm_xa_why(scene->rm, why, sizeof(why));
        test_fail(__FILE__, __LINE__, "no branch can begin: %s", why);
    }
    return tx;
}

struct ktm_xa_tx *
scene_work(struct scene *scene, unsigned item)
{
    struct ktm_xa_tx *tx = scene_begin(scene);
    char text[16];
    int size = snprintf(text, sizeof(text), "%u", item);

    EXPECT_OK(ktm_xa_call(tx, scene->work, text, (size_t)size, NULL, 0, NULL));
    return tx;
}

NTSTATUS
scene_commit(struct scene *scene, unsigned item)
{
    struct ktm_xa_tx *tx = scene_work(scene, item);
    NTSTATUS status = ktm_xa_commit(tx);

    ktm_xa_close(tx);
    return status;
}
