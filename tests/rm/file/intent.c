/* SPDX-License-Identifier: MIT */
/* Intents, yards and the identity as bytes: what goes in comes out, and whatever else comes in is
 * said to be damaged. */
#include "rm/file/intent.h"

#include "rm/file/perform.h"
#include "tests/rm/file/scene.h"

/* A plan with one of everything. */
static struct plan *
plan_of_everything(void)
{
    const struct tree_info dir = {.kind = TREE_DIRECTORY, .inode = 11, .born = 1111};
    struct plan_object file = {.kind = TREE_FILE, .is_staged = true, .inode = 21, .born = -5};
    struct plan_object old = {.kind = TREE_FILE, .fate = PLAN_REMOVED, .inode = 22, .born = 7};
    struct plan_object tree = {
        .kind = TREE_DIRECTORY, .inode = 23, .fingerprint = 0x123456789abcdef0};
    struct plan_attribute attribute = {
        .kind = TREE_FILE, .inode = 24, .sets_mode = true, .mode = 0640};
    uint32_t d, in, s[5], o[3], c;
    struct plan *plan;

    EXPECT_OK(plan_create(&plan));
    plan->transaction = scene_tx;
    plan->enlistment = (GUID){.Data1 = 5};
    plan->manager = scene_rm;
    plan->incarnation = 77;
    file.version =
        (struct plan_version){.size = 3, .written = -9, .mode = 04755, .owner = 1, .group = 2};
    EXPECT_OK(plan_add_object(plan, &file, &o[0]));
    EXPECT_OK(plan_add_object(plan, &old, &o[1]));
    EXPECT_OK(plan_add_object(plan, &tree, &o[2]));
    EXPECT_OK(plan_add_dir(plan, PLAN_NONE, "/srv/x", &dir, &d));
    EXPECT_OK(plan_add_dir(plan, o[2], "sub/dir", &dir, &in));
    EXPECT_OK(plan_add_slot(plan, d, ".ktm.1", &s[0]));
    EXPECT_OK(plan_add_slot(plan, d, "a", &s[1]));
    EXPECT_OK(plan_add_slot(plan, d, "t", &s[2]));
    EXPECT_OK(plan_add_slot(plan, d, "u", &s[3]));
    EXPECT_OK(plan_add_slot(plan, in, "\xff\xfe name", &s[4]));
    EXPECT_OK(plan_add_chain(plan, 2, &c));
    memcpy(plan->chains[c].slots, (uint32_t[]){s[0], s[1], s[0]}, 3 * sizeof(uint32_t));
    memcpy(plan->chains[c].objects, (uint32_t[]){o[0], o[1]}, 2 * sizeof(uint32_t));
    EXPECT_OK(plan_add_chain(plan, 1, &c));
    memcpy(plan->chains[c].slots, (uint32_t[]){s[2], s[3]}, 2 * sizeof(uint32_t));
    plan->chains[c].objects[0] = o[2];
    plan->chains[c].is_hidden = true;
    plan->chains[c].lead = s[4];
    attribute.from = attribute.to = s[4];
    EXPECT_OK(plan_add_attribute(plan, &attribute));
    EXPECT_OK(plan_link(plan));
    return plan;
}

TEST(an_intent_comes_back_as_it_went)
{
    owned(plan_destroy) struct plan *plan = plan_of_everything(), *back = NULL;
    uint8_t *at, *again;
    size_t size, again_size;

    EXPECT_OK(intent_encode(plan, &at, &size));
    EXPECT_OK(intent_decode(bytes_of(at, size), &back));
    EXPECT(guid_equal(&plan->enlistment, &back->enlistment));
    EXPECT_EQ(77, back->incarnation);
    EXPECT_EQ(-5, back->objects[0].born);
    EXPECT_EQ(04755, back->objects[0].version.mode);
    EXPECT_EQ(1, back->objects[2].chain);
    EXPECT_TEXT("\xff\xfe name", back->slots[4].name);
    EXPECT_OK(intent_encode(back, &again, &again_size));
    EXPECT_EQ(size, again_size);
    EXPECT_BYTES(at, again, size);
    free(at);
    free(again);
}

TEST(the_header_is_where_the_format_says) /* docs/format/file-intent.md */
{
    owned(plan_destroy) struct plan *plan = plan_of_everything();
    uint8_t *at;
    size_t size;

    EXPECT_OK(intent_encode(plan, &at, &size));
    EXPECT_BYTES("KTMFINTE", at, 8);
    EXPECT_EQ(1, le32_get(at + 8));
    EXPECT_EQ(size, le64_get(at + 16));
    EXPECT_BYTES(&scene_tx, at + 24, 16);
    EXPECT_BYTES(&scene_rm, at + 56, 16);
    EXPECT_EQ(77, le64_get(at + 72));
    EXPECT_EQ(2, le32_get(at + 80)); /* directories */
    EXPECT_EQ(5, le32_get(at + 84)); /* slots */
    EXPECT_EQ(3, le32_get(at + 88)); /* objects */
    EXPECT_EQ(2, le32_get(at + 92)); /* chains */
    EXPECT_EQ(1, le32_get(at + 96)); /* attributes */
    EXPECT_EQ(PLAN_NONE, le32_get(at + 100));
    EXPECT_EQ(11, le64_get(at + 104));
    EXPECT_EQ(6, le32_get(at + 120));
    EXPECT_BYTES("/srv/x", at + 124, 6);
    uint32_t crc = le32_get(at + 12);
    le32_put(at + 12, 0);
    EXPECT_EQ(crc, crc32c(0, at, size));
    free(at);
}

TEST(every_flipped_bit_and_every_cut_is_damage) /* FI-14 */
{
    owned(plan_destroy) struct plan *plan = plan_of_everything();
    struct plan *back;
    uint8_t *at;
    size_t size;

    EXPECT_OK(intent_encode(plan, &at, &size));
    for (size_t bit = 0; bit < size * 8; bit++) {
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, intent_decode(bytes_of(at, size), &back));
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, intent_decode(bytes_of(at, cut), &back));
    free(at);
}

/* A wrong number under a right checksum is refused as well, or means a plan that holds together. */
TEST(every_changed_byte_with_a_right_checksum_is_survived)
{
    owned(plan_destroy) struct plan *plan = plan_of_everything();
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    uint8_t *at;
    size_t size;
    unsigned refused = 0;

    EXPECT_OK(intent_encode(plan, &at, &size));
    for (size_t i = 24; i < size; i++)
        EACH (value, values) {
            uint8_t was = at[i];
            struct plan *back;

            at[i] = *value;
            le32_put(at + 12, 0);
            le32_put(at + 12, crc32c(0, at, size));
            NTSTATUS status = intent_decode(bytes_of(at, size), &back);
            if (status == STATUS_SUCCESS) {
                for (uint32_t slot = 0; slot < back->slot_count; slot++)
                    free(plan_slot_path(back, slot));
                plan_destroy(back);
            } else {
                EXPECT_EQ(STATUS_RM_METADATA_CORRUPT, status);
                refused++;
            }
            at[i] = was;
        }
    EXPECT(refused > 200);
    free(at);
}

TEST(names_that_lead_elsewhere_are_damage)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/"};
    static const char *const below[] = {"/", "..", "a/../b", "a//b", "a/", "./a", "a/."};
    const struct tree_info info = {.inode = 1};
    uint32_t index;

    EACH (name, names) {
        owned(plan_destroy) struct plan *plan = plan_of_everything();
        EXPECT_OK(plan_add_slot(plan, 0, *name, &index));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, plan_link(plan));
    }
    EACH (path, below) {
        owned(plan_destroy) struct plan *plan = plan_of_everything();
        EXPECT_OK(plan_add_dir(plan, 2, *path, &info, &index));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, plan_link(plan));
    }
    owned(plan_destroy) struct plan *plan = plan_of_everything();
    EXPECT_OK(plan_add_dir(plan, PLAN_NONE, "relative", &info, &index));
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, plan_link(plan));
}

TEST(directories_that_are_inside_one_another_end)
{
    owned(plan_destroy) struct plan *plan = plan_of_everything();
    struct conflicts conflicts = {0};
    struct explanation why = {0};
    char *text;

    /* Directory 0 inside the object that goes from a slot of directory 0 to another. */
    plan->dirs[0].inside = 2;
    plan->dirs[0].path[0] = '\0';
    EXPECT_OK(plan_link(plan));
    text = plan_slot_path(plan, 1);
    EXPECT(text);
    free(text);
    EXPECT(plan_perform(tree_linux(), plan, true, &conflicts, &why) != STATUS_SUCCESS);
    EXPECT(plan_undo(tree_linux(), plan, &why) != STATUS_SUCCESS);
}

struct lines {
    struct yard_line at[4];
    char paths[4][64];
    size_t count;
};

static NTSTATUS
line_take(void *context, const struct yard_line *line)
{
    struct lines *lines = context;

    if (lines->count == 4)
        return STATUS_INSUFFICIENT_RESOURCES;
    lines->at[lines->count] = *line;
    snprintf(lines->paths[lines->count++], sizeof(lines->paths[0]), "%s", line->path);
    return STATUS_SUCCESS;
}

static const struct yard_line yard_lines[] = {
    {.inode = 1, .born = 2, .mount_size = 1, .path = "/a"},
    {.inode = 3, .born = -4, .mount_size = 2, .path = "/b/c"}};

TEST(yards_come_back_as_they_went)
{
    struct lines lines = {0};
    struct plan *none;
    uint8_t *at;
    size_t size;
    GUID guid;

    EXPECT_OK(yards_encode(&scene_rm, yard_lines, 2, &at, &size));
    EXPECT_BYTES("KTMFYARD", at, 8);
    EXPECT_OK(yards_decode(bytes_of(at, size), &guid, line_take, &lines));
    EXPECT(guid_equal(&guid, &scene_rm));
    EXPECT_EQ(2, lines.count);
    EXPECT_TEXT("/b/c", lines.paths[1]);
    EXPECT_EQ(3, lines.at[1].inode);
    EXPECT_EQ(-4, lines.at[1].born);
    EXPECT_EQ(2, lines.at[1].mount_size);
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, intent_decode(bytes_of(at, size), &none));
    free(at);
}

TEST(yards_that_are_damaged_are_refused)
{
    uint8_t *at;
    size_t size;
    GUID guid;

    EXPECT_OK(yards_encode(&scene_rm, yard_lines, 2, &at, &size));
    for (size_t cut = 0; cut < size; cut++) {
        struct lines lines = {0};

        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                      yards_decode(bytes_of(at, cut), &guid, line_take, &lines));
    }
    for (size_t i = 24; i < size; i++) { /* a wrong byte under a right checksum */
        struct lines lines = {0};
        uint8_t was = at[i];

        at[i] = 0xff;
        le32_put(at + 12, 0);
        le32_put(at + 12, crc32c(0, at, size));
        NTSTATUS status = yards_decode(bytes_of(at, size), &guid, line_take, &lines);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_RM_METADATA_CORRUPT);
        at[i] = was;
    }
    free(at);
}

TEST(identities_come_back)
{
    uint8_t identity[IDENTITY_SIZE];
    uint64_t incarnation;
    GUID guid;

    identity_encode(&scene_rm, 9, identity);
    EXPECT_OK(identity_decode(bytes_of(identity, sizeof(identity)), &guid, &incarnation));
    EXPECT(guid_equal(&guid, &scene_rm));
    EXPECT_EQ(9, incarnation);
    identity[30] ^= 1;
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                  identity_decode(bytes_of(identity, sizeof(identity)), &guid, &incarnation));
}
