#!/bin/sh
# SPDX-License-Identifier: MIT
# The doors for applications in other languages: ktm.hpp with every C++ compiler there is, and the
# Python module.
set -u
here=${KTM_SOURCE:?}/tests/apps
broken=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
. "$KTM_SOURCE/tests/programs/libprograms.sh"
export LD_LIBRARY_PATH="${KTM_BUILD:?}"

for compiler in g++ clang++ clang++-14; do
    has "$compiler" || continue
    case ${KTM_SANITIZE:+sanitized} in
    sanitized) [ "$compiler" = g++ ] || continue ;; # as the library: their run-time libraries differ
    esac
    try "ktm.hpp with $compiler" "$compiler" -std=c++17 -Wall -Wextra -Werror \
        ${KTM_SANITIZE:+-fsanitize=$KTM_SANITIZE} -I"$KTM_SOURCE/include/ktm" \
        -o "$work/raii" "$here/raii.cpp" -L"$KTM_BUILD" -lktm || continue
    mkdir "$work/$compiler"
    try "and it runs" "$work/raii" "$work/$compiler"
done
exit $broken
