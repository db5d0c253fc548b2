#!/bin/sh
# SPDX-License-Identifier: MIT
# Both resource managers of examples/ compile and link for Windows too, from the same source: rm_user
# as a program, rm_kernel as a driver. What mingw-w64's kernel headers lack is in mingw/ktm.h; the
# import library of the log driver is made from mingw/clfs.def.
set -u
passed=0 failed=0
compiler=x86_64-w64-mingw32-gcc
examples=$KTM_SOURCE/examples
here=$KTM_SOURCE/tests/examples/mingw

command -v "$compiler" >/dev/null 2>&1 || exit 77
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
kernel_headers=$(echo '#include <ddk/ntifs.h>' | "$compiler" -E -x c - 2>/dev/null |
    sed -n 's|.*"\(.*/ddk\)/ntifs.h".*|\1|p' | head -n 1)

verdict() { # WHAT STATUS
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $1"
    fi
}

# The functions that a program imports from a library.
imports() { # PROGRAM LIBRARY
    x86_64-w64-mingw32-objdump -p "$1" | awk -v library="$2" '
        /DLL Name:/ { is_it = tolower($3) == tolower(library) }
        is_it && /^\t[0-9a-f]+\t/ { print $NF }'
}

"$compiler" -Wall -Wextra -Werror -o "$scratch/rm_user.exe" "$examples/rm_user.c" -lktmw32 -lpthread
verdict "rm_user compiles and links for Windows" $?
imports "$scratch/rm_user.exe" ktmw32.dll | grep -qx RecoverEnlistment
verdict "rm_user takes its functions from ktmw32.dll" $?

"$compiler" -Wall -Wextra -Wno-unused-parameter -Werror -O2 -isystem "$kernel_headers" \
    -include "$here/ktm.h" -c -o "$scratch/rm_kernel.o" "$examples/rm_kernel.c"
verdict "rm_kernel compiles for Windows" $?
x86_64-w64-mingw32-dlltool -d "$here/clfs.def" -l "$scratch/libclfs.a"
"$compiler" -nostdlib -shared -Wl,--subsystem,native -Wl,-e,DriverEntry -o "$scratch/rm_kernel.sys" \
    "$scratch/rm_kernel.o" "$scratch/libclfs.a" -lntoskrnl
verdict "rm_kernel links as a driver" $?
imports "$scratch/rm_kernel.sys" ntoskrnl.exe | grep -qx TmEnableCallbacks
verdict "rm_kernel takes its functions from the kernel" $?
imports "$scratch/rm_kernel.sys" clfs.sys | grep -qx ClfsWriteRestartArea
verdict "rm_kernel takes its log from clfs.sys" $?
! imports "$scratch/rm_kernel.sys" msvcrt.dll | grep -q .
verdict "rm_kernel takes nothing from user mode" $?

for source in rm_user rm_kernel; do
    [ "$(wc -l <"$examples/$source.c")" -lt 300 ]
    verdict "$source.c has less than 300 lines" $?
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
