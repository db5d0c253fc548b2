/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include "tests/test.h"

static void
expect_digest(const char *wanted, const struct sha256 *sha)
{
    struct sha256 copy = *sha;
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    sha256_finish(&copy, digest);
    for (int i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    EXPECT_TEXT(wanted, text);
}

TEST(published_digests) /* FIPS 180-4 examples, NIST CAVP */
{
    static const struct {
        const char *message, *digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mno"
         "pqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };

    EACH (row, rows)
        for (size_t step = 1; step < 70; step += 17) {
            struct sha256 sha;
            size_t size = strlen(row->message);

            sha256_init(&sha);
            for (size_t at = 0; at < size; at += step)
                sha256_add(&sha, row->message + at, size - at < step ? size - at : step);
            expect_digest(row->digest, &sha);
        }
}

TEST(a_million_letters)
{
    struct sha256 sha;
    char letters[1000];

    memset(letters, 'a', sizeof(letters));
    sha256_init(&sha);
    for (int i = 0; i < 1000; i++)
        sha256_add(&sha, letters, sizeof(letters));
    expect_digest("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", &sha);
}
