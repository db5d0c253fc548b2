#!/bin/sh
# SPDX-License-Identifier: MIT
# What the README shows is examples/commit.c, word for word, and a stranger can compile and run it
# against the shared library with nothing but the public headers.
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

verdict() { # WHAT STATUS
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $1"
    fi
}

sed -n '/^```c$/,/^```$/p' "$KTM_SOURCE/README.md" | sed '1d;/^```$/,$d' >"$scratch/shown.c"
sed '/^\/\*/d' "$KTM_SOURCE/examples/commit.c" >"$scratch/wanted.c"
diff "$scratch/wanted.c" "$scratch/shown.c"
verdict "the README shows examples/commit.c" $?

"${CC:-cc}" -std=c11 -Wall -Wextra -Werror ${KTM_SANITIZE:+-fsanitize=$KTM_SANITIZE} \
    -I"$KTM_SOURCE/include/ktm" -o "$scratch/commit" "$KTM_SOURCE/examples/commit.c" \
    -L"$KTM_BUILD" -lktm
verdict "it compiles" $?

LD_LIBRARY_PATH=$KTM_BUILD timeout 10 "$scratch/commit" >"$scratch/out"
verdict "it runs" $?
[ "$(cat "$scratch/out")" = committed ]
verdict "it commits" $?

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
