/* SPDX-License-Identifier: MIT */
/* Switches of XA in transactions of ktm_begin, and in 'ktm recover' and 'ktm status'. */
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktm.h"
#include "ktm_rm.h"
#include "tests/rm/tx/scene.h"

static char said[16384];

static int ktm(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int
ktm(const char *format, ...)
{
    char words[2048], command[4096];
    size_t size;
    va_list list;
    FILE *pipe;

    va_start(list, format);
    vsnprintf(words, sizeof(words), format, list);
    va_end(list);
    snprintf(command, sizeof(command), "%s/ktm %s 2>&1", test_build(), words);
    pipe = popen(command, "r");
    EXPECT(pipe != NULL);
    size = fread(said, 1, sizeof(said) - 1, pipe);
    said[size] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void
expect_said(const char *words)
{
    if (!strstr(said, words))
        test_fail(__FILE__, __LINE__, "says: %s\n  must say: %s", said, words);
}

static void
forget_orders(struct scene *scene)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/order", scene->store);
    EXPECT_EQ(0, unlink(path));
}

/* Commits the item, and the resource is not there when it shall hear of it. */
static void
leave_decided(struct scene *scene, const char *name, unsigned item)
{
    const struct ktm_xa_options options = {
        .mode = KTM_RM_CALLBACKS, .timeout_ms = 5000, .is_unchecked = TRUE, .name = name};
    char spec[512], work[512], text[16], why[1024];
    struct ktm_xa_rm *rm;
    struct ktm_xa_tx *tx;
    int size = snprintf(text, sizeof(text), "%u", item);

    snprintf(spec, sizeof(spec), "%s/tests/xa-toy.so:toy_xa_switch", test_build());
    snprintf(work, sizeof(work), "%s/tests/xa-toy.so:toy_work", test_build());
    EXPECT_OK(ktm_xa_open(NULL, scene->home, spec, scene->store, &options, why, sizeof(why), &rm));
    EXPECT_OK(ktm_xa_begin(rm, NULL, &tx));
    EXPECT_OK(ktm_xa_call(tx, work, text, (size_t)size, NULL, 0, NULL));
    scene_order(scene, "commit -7 -1");
    EXPECT_OK(ktm_xa_commit(tx));
    EXPECT_EQ(KTM_XA_PREPARED, ktm_xa_state(tx));
    ktm_xa_close(tx);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_xa_kit(rm)));
    ktm_xa_shut(rm);
    EXPECT_EQ(1, scene_names(scene, 'p'));
    forget_orders(scene);
}

TEST(recover_finishes_what_a_switch_has_prepared)
{
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    leave_decided(&scene, "shop", 7);
    EXPECT_EQ(0, ktm("recover --home %s", scene.home));
    expect_said("1 transaction finished");
    EXPECT(scene_has(&scene, 7));
    EXPECT_EQ(0, scene_names(&scene, 'p'));
    EXPECT_EQ(0, ktm("recover --home %s", scene.home));
    expect_said("nothing was left");
    EXPECT_EQ(0, ktm("status --home %s", scene.home));
}

TEST(recover_tells_of_a_resource_that_is_away)
{
    struct scene scene;

    scene_set(&scene, "toy_xa_switch");
    leave_decided(&scene, "shop", 7);
    scene_order(&scene, "open -7 -1");
    EXPECT_EQ(3, ktm("recover --home %s", scene.home));
    expect_said("xa");
    expect_said("XAER_RMFAIL");
    EXPECT_EQ(1, scene_names(&scene, 'p'));
    forget_orders(&scene);
    EXPECT_EQ(0, ktm("recover --home %s", scene.home));
    EXPECT(scene_has(&scene, 7));
}

/* The store's directory looks as if it had a password in it, so it is not kept. */
TEST(an_open_string_with_a_secret_is_said_again)
{
    struct scene scene;
    char command[600];

    scene_set(&scene, "toy_xa_switch");
    snprintf(command, sizeof(command), "mv %s %s/password", scene.store, test_directory());
    EXPECT_EQ(0, system(command));
    snprintf(scene.store, sizeof(scene.store), "%s/password", test_directory());
    leave_decided(&scene, NULL, 7);
    snprintf(command, sizeof(command), "! grep -r /password %s/xa.xa", scene.home);
    EXPECT_EQ(0, system(command));
    EXPECT_EQ(3, ktm("recover --home %s", scene.home));
    expect_said("KTM_XA_INFO");
    setenv("KTM_XA_INFO", scene.store, 1);
    EXPECT_EQ(0, ktm("recover --home %s", scene.home));
    EXPECT(scene_has(&scene, 7));
}

TEST(a_switch_takes_part_in_a_transaction_of_an_application)
{
    struct ktm_xa_check_options options = {.timeout_ms = 5000};
    struct ktm_xa_verdict verdict;
    struct scene scene;
    struct ktm_home *home;
    struct ktm_xa_tx *part, *again;
    struct ktm_tx *tx;
    char spec[512], library[512], work[512], why[1024];

    scene_set(&scene, "toy_xa_switch");
    snprintf(library, sizeof(library), "%s/tests/xa-toy.so", test_build());
    snprintf(spec, sizeof(spec), "%s/tests/xa-toy.so:toy_xa_switch", test_build());
    snprintf(work, sizeof(work), "%s/tests/xa-toy.so:toy_work", test_build());
    EXPECT_OK(ktm_open(scene.home, &home));
    EXPECT_OK(ktm_begin(home, &tx));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ktm_xa(tx, spec, scene.store, &part));
    EXPECT(ktm_error(tx, why, sizeof(why)) > 0 && strstr(why, "ktm xa check"));
    ktm_end(tx);
    options.work = library;
    EXPECT_OK(ktm_xa_check(scene.home, spec, scene.store, &options, NULL, NULL, &verdict, why,
                           sizeof(why)));
    EXPECT(verdict.is_trusted);
    EXPECT_OK(ktm_begin(home, &tx));
    EXPECT_OK(ktm_xa(tx, spec, scene.store, &part));
    EXPECT_OK(ktm_xa(tx, spec, scene.store, &again));
    EXPECT(part == again);
    EXPECT_OK(ktm_xa_call(part, work, "5", 1, NULL, 0, NULL));
    EXPECT_OK(ktm_commit(tx));
    ktm_end(tx);
    ktm_shut(home);
    EXPECT(scene_has(&scene, 5));
}
