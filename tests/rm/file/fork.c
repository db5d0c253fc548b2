/* SPDX-License-Identifier: MIT */
/* A forked child has no part in its parent's changes of files: it can neither add to them nor undo
 * them, and what it calls returns. */
#include "tests/rm/file/scene.h"

#include <sys/wait.h>
#include <unistd.h>

#include "ktm_file.h"
#include "wdm.h"

static struct ktm_file_content
text(const char *content)
{
    return ktm_file_bytes(content, strlen(content));
}

static void
build(void)
{
    scene_write("a", "alpha\n");
}

static void
use_what_is_inherited(struct ktm_file_rm *rm, struct ktm_file_tx *tx)
{
    struct ktm_file_info info;
    struct ktm_file_tx *other;
    char why[100];

    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE,
                  ktm_file_put(tx, scene_path("b"), KTM_FILE_MODE_KEEP, text("child\n")));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_file_delete(tx, scene_path("a")));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_file_stat(tx, scene_path("a"), &info));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_file_commit(tx));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_file_rollback(tx));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_file_begin(rm, NULL, &other));
    EXPECT_EQ(0, ktm_file_error(tx, why, sizeof(why)));
    EXPECT_EQ(KTM_FILE_ACTIVE, ktm_file_state(tx));
    EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_rm_status(ktm_file_kit(rm)));
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_file_kit(rm)));
    ktm_file_close(tx); /* no rollback */
    ktm_file_shut(rm);
}

/* The child may have a manager of its own, elsewhere. */
static void
make_its_own(void)
{
    struct ktm_file_rm *rm;
    struct ktm_file_tx *tx;
    char home[400], why[400];

    snprintf(home, sizeof(home), "%s-of-the-child", scene_home());
    EXPECT_STATUS(STATUS_SHARING_VIOLATION,
                  ktm_file_open(NULL, scene_home(), NULL, why, sizeof(why), &rm));
    EXPECT_OK(ktm_file_open(NULL, home, NULL, why, sizeof(why), &rm));
    EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
    EXPECT_OK(ktm_file_put(tx, scene_path("c"), KTM_FILE_MODE_KEEP, text("child\n")));
    EXPECT_OK(ktm_file_commit(tx));
    ktm_file_close(tx);
    ktm_file_shut(rm);
}

static void
expect_content(const char *path, const char *wanted)
{
    char *got = scene_read(path);

    EXPECT(got);
    EXPECT_TEXT(wanted, got);
    free(got);
}

TEST(a_forked_child_has_no_part_in_it)
{
    static const enum ktm_rm_mode modes[] = {KTM_RM_THREAD, KTM_RM_PUMP, KTM_RM_CALLBACKS};

    EACH (mode, modes) {
        struct ktm_file_options options = {.mode = *mode};
        struct ktm_file_rm *rm;
        struct ktm_file_tx *tx;
        char why[400];
        int status;

        scene_reset(build);
        EXPECT_OK(ktm_file_open(NULL, scene_home(), &options, why, sizeof(why), &rm));
        EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
        EXPECT_OK(ktm_file_put(tx, scene_path("a"), KTM_FILE_MODE_KEEP, text("parent\n")));
        if (fork() == 0) {
            alarm(20);
            use_what_is_inherited(rm, tx);
            make_its_own();
            _exit(0);
        }
        EXPECT(wait(&status) > 0);
        EXPECT_EQ(0, status);
        EXPECT_OK(ktm_file_commit(tx));
        expect_content("a", "parent\n");
        expect_content("c", "child\n");
        ktm_file_close(tx);
        ktm_file_shut(rm);
    }
}
