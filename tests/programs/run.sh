#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs are compiled with what pkg-config says, by gcc and clang, C and C++, against the
# library of the build, and run.
set -u
source=${KTM_SOURCE:?}/tests/programs
broken=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
. "$source/libprograms.sh"
export LD_LIBRARY_PATH="${KTM_BUILD:?}"

# ktm.pc of the build, with the places of the build instead of those of the installation.
flags() {
    PKG_CONFIG_PATH=$KTM_BUILD pkg-config --define-variable=libdir="$KTM_BUILD" \
        --define-variable=includedir="$KTM_SOURCE/include" "$1" ktm
}
cflags=$(flags --cflags) || exit 1
libs=$(flags --libs) || exit 1

said() { # EXPECTED PROGRAM ARGUMENTS...
    expected=$1
    shift
    timeout 60 "$@" >"$work/said"
    status=$?
    printf '%b' "$expected" | diff - "$work/said" && [ $status -eq 0 ]
}

# program NAME EXPECTED SOURCE COMPILER FLAGS...: compiles and runs; wide.c twice with one log.
program() {
    name=$1
    expected=$2
    file=$3
    shift 3
    # shellcheck disable=SC2086 # flags are words
    try "$name compiles" "$@" -Wall -Wextra -Werror ${KTM_SANITIZE:+-fsanitize=$KTM_SANITIZE} \
        $cflags -o "$work/program" "$source/$file" $libs || return
    mkdir -p "$work/logs"
    try "$name runs" said "$expected" "$work/program" "$work/logs/log"
    try "$name runs again" said "$expected" "$work/program" "$work/logs/log"
    rm -rf "$work/logs"
}

transfer='prepare savings\nprepare current\ncommit savings\ncommit current\n'
transfer="${transfer}committed: transfer of 10\\n"
boat='committed\naborted\ncommitted\n'

tried=0
for pair in gcc:g++ clang:clang++; do
    c=${pair%:*} cxx=${pair#*:}
    # What is linked with a sanitizer needs the compiler of the library.
    [ -z "${KTM_SANITIZE:-}" ] || [ "$(basename "${CC:-gcc}")" = "$c" ] ||
        { [ "$c" = gcc ] && [ "$(basename "${CC:-gcc}")" = cc ]; } || continue
    if has "$c"; then
        tried=1
        program "wide.c with $c" "$transfer" wide.c "$c" -std=gnu17 -fshort-wchar
        program "text.c with $c" 'aborted\n' text.c "$c" -std=c11
        program "text.c with $c, short wchar_t" 'aborted\n' text.c "$c" -std=c11 -fshort-wchar
    fi
    if has "$cxx"; then
        program "wide.cpp with $cxx" "$boat" wide.cpp "$cxx" -std=c++17 -fshort-wchar
        program "text.c with $cxx" 'aborted\n' text.c "$cxx" -x c++ -std=c++17
        program "text.c with $cxx, short wchar_t" 'aborted\n' text.c "$cxx" -x c++ -std=c++17 \
            -fshort-wchar
    fi
done
[ $tried -eq 1 ] || try "a compiler" false
exit $broken
