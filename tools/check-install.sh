#!/bin/sh
# SPDX-License-Identifier: MIT
# check-install.sh PREFIX: uses an installed library the three ways in which a stranger would, each
# with examples/commit.c: pkg-config and the shared library, the archive, find_package of CMake.
set -eu
case $1 in
/*) prefix=$1 ;;
*) prefix=$(pwd)/$1 ;;
esac
example=$(pwd)/examples/commit.c
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"

runs() { # WHAT PROGRAM
    [ "$("$2")" = committed ] || {
        echo "$1: the program does not commit"
        exit 1
    }
    echo "$1: good"
}

# shellcheck disable=SC2046 # flags are words
cc -o "$scratch/shared" "$example" $(pkg-config --cflags --libs ktm)
runs "pkg-config" "$scratch/shared"

if command -v c++ >/dev/null; then # a program for Windows
    # shellcheck disable=SC2046
    c++ -std=c++17 -fshort-wchar -o "$scratch/wide" tests/programs/wide.cpp \
        $(pkg-config --cflags --libs ktm)
    "$scratch/wide" >/dev/null
    echo "pkg-config, C++: good"
fi

# shellcheck disable=SC2046
cc -o "$scratch/static" "$example" $(pkg-config --cflags ktm) "$prefix/lib/libktm.a" -lpthread
runs "libktm.a" "$scratch/static"

# Each resource manager that was built: its pkg-config file leads to a library that can be linked.
for module in "$prefix"/lib/pkgconfig/ktm-*.pc; do
    [ -f "$module" ] || continue
    module=$(basename "$module" .pc)
    manager=${module#ktm-}
    if [ "$manager" = tx ]; then
        printf '#include <tx.h>\nint main(void) { return tx_info(0) != TX_PROTOCOL_ERROR; }\n' >"$scratch/tx.c"
        # shellcheck disable=SC2046
        cc -o "$scratch/tx" "$scratch/tx.c" $(pkg-config --cflags --libs ktm-tx)
        "$scratch/tx"
        echo "ktm-tx: good"
        continue
    fi
    printf '#include <ktm_%s.h>\nint main(void) { ktm_%s_shut(0); return 0; }\n' "$manager" "$manager" \
        >"$scratch/$manager.c"
    # shellcheck disable=SC2046
    cc -o "$scratch/$manager" "$scratch/$manager.c" $(pkg-config --cflags --libs "$module")
    "$scratch/$manager"
    if [ -f "$prefix/include/ktm/ktm_$manager.hpp" ] && command -v c++ >/dev/null; then
        # shellcheck disable=SC2046
        printf '#include <ktm_%s.hpp>\nint main() { return 0; }\n' "$manager" |
            c++ -std=c++17 -x c++ -fsyntax-only $(pkg-config --cflags "$module") -
    fi
    echo "$module: good"
done

cat >"$scratch/CMakeLists.txt" <<TXT
cmake_minimum_required(VERSION 3.25)
project(stranger C)
find_package(ktm 0.1 REQUIRED)
add_executable(by_shared $example)
target_link_libraries(by_shared ktm::ktm)
add_executable(by_static $example)
target_link_libraries(by_static ktm::static)
TXT
cmake -S "$scratch" -B "$scratch/build" -G Ninja -D CMAKE_PREFIX_PATH="$prefix" >"$scratch/log"
cmake --build "$scratch/build" >>"$scratch/log"
runs "find_package, shared" "$scratch/build/by_shared"
runs "find_package, static" "$scratch/build/by_static"

for source in "$scratch"/sqlite.c "$scratch"/postgres.c "$scratch"/mariadb.c "$scratch"/xa.c; do
    [ -f "$source" ] || continue
    manager=$(basename "$source" .c)
    mkdir "$scratch/use-$manager"
    cat >"$scratch/use-$manager/CMakeLists.txt" <<TXT
cmake_minimum_required(VERSION 3.25)
project(stranger C)
find_package(ktm 0.1 REQUIRED COMPONENTS $manager)
add_executable(component $source)
target_link_libraries(component ktm::$manager)
TXT
    cmake -S "$scratch/use-$manager" -B "$scratch/use-$manager/build" -G Ninja \
        -D CMAKE_PREFIX_PATH="$prefix" >"$scratch/log"
    cmake --build "$scratch/use-$manager/build" >>"$scratch/log"
    (unset LD_LIBRARY_PATH && "$scratch/use-$manager/build/component")
    echo "find_package, $manager: good"
done

KTM_PREFIX=$prefix KTM_SOURCE=$(pwd) sh tests/examples/readme.sh
echo "the examples as the README shows them: good"

for header in "$prefix"/include/ktm/*.h; do
    echo "#include <$(basename "$header")>" | cc -std=c11 -Wall -Wextra -Werror -I"$prefix/include/ktm" \
        -x c -fsyntax-only - || exit 1
done
echo "every header compiles alone: good"
if [ -x "$prefix/bin/ktm" ]; then
    unset LD_LIBRARY_PATH # it finds its libraries by itself
    "$prefix/bin/ktm" --help >/dev/null
    echo "bin/ktm: good"
fi

# The command and a library that it loads; and what it says when that is not there.
if [ -x "$prefix/bin/ktm" ] && [ -e "$prefix/lib/libktm-sqlite.so" ]; then
    export KTM_HOME="$scratch/home"
    : >"$scratch/app.db"
    "$prefix/bin/ktm" apply -q --sqlite "$scratch/app.db" 'CREATE TABLE a (b)'
    mkdir "$scratch/away"
    mv "$prefix"/lib/libktm-sqlite.so* "$scratch/away"
    code=0
    "$prefix/bin/ktm" recover >"$scratch/log" 2>&1 || code=$?
    mv "$scratch"/away/* "$prefix/lib"
    if [ $code -ne 3 ] || ! grep -q 'install libktm-sqlite' "$scratch/log"; then
        cat "$scratch/log"
        echo "bin/ktm without libktm-sqlite: exit status $code"
        exit 1
    fi
    "$prefix/bin/ktm" recover -q
    echo "bin/ktm, sqlite: good"
fi
