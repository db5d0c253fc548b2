/* SPDX-License-Identifier: MIT */
/* Forms of log paths [TM-CREATE-18, TM-CREATE-20, OP-21]. */
#include "tests/test.h"

#include "base/text.h"
#include "nt/log_path.h"

static UNICODE_STRING
wide(const char *text)
{
    static WCHAR kept[64];
    uint16_t *units;
    size_t count;

    EXPECT_OK(text_to_utf16(text, &units, &count));
    EXPECT(count < ARRAY_SIZE(kept));
    memcpy(kept, units, 2 * count);
    free(units);
    return (UNICODE_STRING){(USHORT)(2 * count), sizeof(kept), kept};
}

TEST(every_form_becomes_a_posix_path) /* TM-CREATE-18 */
{
    static const struct {
        const char *given, *path;
    } forms[] = {
        {"\\??\\C:\\dir\\app", "/dir/app"},
        {"\\??\\c:/dir/app", "/dir/app"},
        {"\\\\?\\C:\\dir\\app", "/dir/app"},
        {"\\DosDevices\\C:\\dir\\app", "/dir/app"},
        {"\\??\\/var/lib/app", "/var/lib/app"},
        {"\\??\\\\var\\lib\\app", "/var/lib/app"},
        {"C:\\dir\\app", "/dir/app"},
        {"LOG:C:\\dir\\app", "/dir/app"},
        {"log:\\??\\C:\\dir\\app", "/dir/app"},
        {"\\??\\LoG:/dir/app", "/dir/app"},
        {"Log:/dir/app", "/dir/app"},
        {"/dir/app", "/dir/app"},
        {"/dir\\app", "/dir/app"},
        {"\\dir\\app", "/dir/app"},
        {"/s\xc3\xa4ge/\xf0\x9f\x8c\xb2", "/s\xc3\xa4ge/\xf0\x9f\x8c\xb2"},
        {"D:\\app", "/mnt/d/app"},
        {"\\??\\d:\\app", "/mnt/d/app"},
        {"E:\\app", "/app"},
        {"/dir/app.blf", "/dir/app.blf"},
    };

    setenv("KTM_DRIVE_D", "/mnt/d", 1);
    setenv("KTM_DRIVE_E", "/", 1);
    EACH (form, forms) {
        UNICODE_STRING name = wide(form->given);
        char *path;

        EXPECT_OK(log_path_parse(&name, &path));
        EXPECT_TEXT(form->path, path);
        free(path);
    }
}

TEST(what_is_no_path_is_refused) /* TM-CREATE-20 */
{
    static const struct {
        const char *given;
        NTSTATUS status;
    } forms[] = {
        {"", STATUS_OBJECT_NAME_INVALID},
        {"app", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"LOG:", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"LOG:app", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"C:", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"C:app", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"\\??\\app", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"\\??\\", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"/", STATUS_OBJECT_NAME_INVALID},
        {"/dir/", STATUS_OBJECT_NAME_INVALID},
        {"C:\\", STATUS_OBJECT_NAME_INVALID},
        {"/dir/app::stream", STATUS_NOT_SUPPORTED},
        {"LOG:C:\\app::stream", STATUS_NOT_SUPPORTED},
    };

    EACH (form, forms) {
        UNICODE_STRING name = wide(form->given);
        char *path;

        EXPECT_STATUS(form->status, log_path_parse(&name, &path));
    }
}

TEST(malformed_strings_are_refused) /* TM-CREATE-20 */
{
    static WCHAR lone[] = {'/', 0xd800, 'x'};
    static WCHAR nul[] = {'/', 'a', 0, 'b'};
    UNICODE_STRING odd = wide("/dir/app");
    UNICODE_STRING surrogate = {sizeof(lone), sizeof(lone), lone};
    UNICODE_STRING inside = {sizeof(nul), sizeof(nul), nul};
    UNICODE_STRING nothing = {8, 8, NULL};
    char *path;

    odd.Length--;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, log_path_parse(&odd, &path));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, log_path_parse(&surrogate, &path));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, log_path_parse(&inside, &path));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, log_path_parse(&nothing, &path));
}
