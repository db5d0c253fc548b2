#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public header compiles without a warning, as C11, C17 and C++17, with gcc and clang, with
# 16-bit wchar_t and without: alone and twice, together in both orders, beside the headers of the
# system, and in use (use.c). Those that end in .hpp are for C++ alone, some with a client library.
# CC names one compiler to try besides gcc and clang. Prints TAP.
set -u
source=${KTM_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
include=$source/include/ktm
work=$(mktemp -d) || exit 1
: >"$work/clients"
trap 'rm -rf "$work"' EXIT INT TERM
failed=0

# try NAME FILE COMMAND...: one line of TAP.
try() {
    name=$1
    file=$2
    shift 2
    if "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" "$file" >"$work/log" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        sed 's/^/# /' "$work/log" | head -n 20
        failed=1
    fi
}

# One file per header, with a declaration because ISO C wants one.
for path in "$include"/*.h; do
    header=${path##*/}
    printf '#include <%s>\n#include <%s>\nextern int one_declaration;\n' "$header" "$header" \
        >"$work/${header%.h}.c"
done
for path in "$include"/*.h; do echo "#include <${path##*/}>"; done >"$work/forward"
sort -r "$work/forward" >"$work/backward"
for order in forward backward; do
    { cat "$work/$order" && echo 'extern int one_declaration;'; } >"$work/all-$order.c"
done
# Names the system's headers use must not be words here, whichever comes first.
system='unistd.h fcntl.h poll.h pthread.h signal.h dirent.h sys/socket.h sys/stat.h sys/mman.h
    sys/epoll.h sys/eventfd.h sys/uio.h sys/random.h linux/fs.h linux/types.h uchar.h wchar.h'
for header in $system; do echo "#include <$header>"; done >"$work/system"
cat "$work/system" "$work/all-forward.c" >"$work/all-after-system.c"
cat "$work/all-forward.c" "$work/system" >"$work/all-before-system.c"
{ cat "$work/forward" && cat "$source/tests/headers/use.c"; } >"$work/use.c"

for path in "$include"/*.hpp; do
    header=${path##*/}
    case $header in
    ktm_postgres.hpp) module=libpq ;;
    ktm_mariadb.hpp) module=libmariadb ;;
    ktm_sqlite.hpp) module=sqlite3 ;;
    *) module= ;;
    esac
    if [ -n "$module" ]; then
        if ! pkg-config --exists "$module"; then
            echo "ok - $header # SKIP $module is not installed"
            continue
        fi
        pkg-config --cflags-only-I "$module" | tr ' ' '\n' | sed -n 's/^-I/-isystem /p' >>"$work/clients"
    fi
    printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$work/${header%.hpp}.cpp"
    echo "#include <$header>" >>"$work/forward.hpp"
done
{ cat "$work/forward.hpp" && sort -r "$work/forward.hpp" && cat "$work/forward"; } >"$work/all.cpp"

compilers=
for compiler in gcc clang "${CC:-}"; do
    case " $compilers " in *" ${compiler##*/} "*) continue ;; esac
    if command -v "$compiler" >/dev/null 2>&1; then compilers="$compilers ${compiler##*/}"; fi
done
[ -n "$compilers" ] || { echo "not ok - no compiler"; exit 1; }

for compiler in $compilers; do
    for language in "c -std=c11" "c -std=gnu17" "c++ -std=c++17"; do
        case $compiler$language in cc*c++*) continue ;; esac
        # A C++ front end may be missing where the C one is there.
        # shellcheck disable=SC2086
        echo 'extern int one_declaration;' |
            $compiler -x $language -fsyntax-only - >/dev/null 2>&1 || continue
        for file in "$work"/*.cpp; do
            case $language in c\ *) continue ;; esac
            stem=${file##*/}
            # shellcheck disable=SC2046,SC2086
            try "${stem%.cpp}.hpp with $compiler" "$file" $compiler -x $language $(cat "$work/clients")
        done
        for wide in "" -fshort-wchar; do
            for file in "$work"/*.c; do
                stem=${file##*/}
                # shellcheck disable=SC2086
                try "${stem%.c} with $compiler $language $wide" "$file" $compiler -x $language $wide
            done
        done
    done
done
exit $failed
