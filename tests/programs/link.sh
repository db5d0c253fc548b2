#!/bin/sh
# SPDX-License-Identifier: MIT
# The same programs are compiled and linked for Windows, by mingw-w64, unchanged. Where there is no
# g++ of mingw-w64, clang++ compiles for it. The import library is that of mingw-w64, and another
# one made of ktmw32.def, the 39 documented names.
set -u
source=${KTM_SOURCE:?}/tests/programs
broken=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
. "$source/libprograms.sh"
tool=x86_64-w64-mingw32
has $tool-gcc || exit 77

cxx=
if has $tool-g++; then
    cxx=$tool-g++
elif has clang++; then
    cxx="clang++ --target=$tool"
fi

try "the import library of the documented names is made" \
    $tool-dlltool --def "$source/ktmw32.def" --output-lib "$work/libdocumented.a"
libraries=$work/libdocumented.a
own=$($tool-gcc -print-file-name=libktmw32.a)
[ ! -f "$own" ] || libraries="$libraries $own"

names_of() { $tool-nm "$1" 2>/dev/null | sed -n 's/^[0-9a-f]* T //p' | sort -u; }
documented() {
    sed -n 's/^    \([A-Z]\)/\1/p' "$source/ktmw32.def" | sort >"$work/documented"
    [ "$(wc -l <"$work/documented")" -eq 39 ] || return 1
    names_of "$work/libdocumented.a" | diff "$work/documented" - || return 1
    # Theirs has all of them, and the five private ones that ours has too.
    [ -f "$own" ] || return 0
    names_of "$own" >"$work/theirs"
    sed -n 's/.*WINAPI[ ]*\([A-Z][A-Za-z]*\)(.*/\1/p; s/^\([A-Z][A-Za-z]*\)(.*/\1/p' \
        "$KTM_SOURCE/include/ktm/ktmw32.h" | sort -u | diff "$work/theirs" - || return 1
    grep -v '^Priv' "$work/theirs" | diff "$work/documented" -
}
try "the names are those of ktmw32.h and of the import library of mingw-w64" documented

linked() { # OBJECT LIBRARY: into a program that asks ktmw32.dll for what it uses
    $tool-gcc -o "$work/program.exe" "$1" "$2" &&
        $tool-objdump -p "$work/program.exe" | grep -qi 'DLL Name: ktmw32.dll'
}

for library in $libraries; do
    for file in wide.c text.c wide.cpp text.cpp; do
        case $file in
        *.cpp)
            [ -n "$cxx" ] || continue
            # shellcheck disable=SC2086 # words
            set -- $cxx -x c++ -std=c++17 -fno-exceptions -fno-rtti
            ;;
        *) set -- $tool-gcc -std=gnu17 ;;
        esac
        from=$source/$file
        [ "$file" = text.cpp ] && from=$source/text.c
        try "$file compiles for Windows" "$@" -Wall -Wextra -Werror -D_WIN32_WINNT=0x0A00 \
            -c -o "$work/program.o" "$from" || continue
        try "$file links with ${library##*/}" linked "$work/program.o" "$library"
    done
done
exit $broken
