// SPDX-License-Identifier: MIT
/* What the C++ programs here share: facts, and the last line. */
#pragma once

#include <iostream>
#include <string>
#include <sys/stat.h>

static int passed, failed;

static inline void
expect(bool is_so, const std::string &what)
{
    (is_so ? passed : failed)++;
    if (!is_so)
        std::cerr << "not so: " << what << "\n";
}

static inline bool
exists(const std::string &path)
{
    struct stat info;

    return stat(path.c_str(), &info) == 0;
}

static inline int
end()
{
    std::cout << passed << " passed, " << failed << " failed, 0 skipped\n";
    return failed != 0;
}
