#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands that the README shows for the examples do what stands behind them: each line
# 'COMMAND  # TEXT' prints something that begins with TEXT. With what is installed below KTM_PREFIX,
# else with what was built in KTM_BUILD.
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

mkdir "$scratch/build" "$scratch/bin"
ln -s "$KTM_SOURCE/examples" "$scratch/examples"
if [ -n "${KTM_PREFIX:-}" ]; then
    PKG_CONFIG_PATH=$KTM_PREFIX/lib/pkgconfig
    LD_LIBRARY_PATH=$KTM_PREFIX/lib
    PATH=$KTM_PREFIX/bin:$PATH
    export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH
else
    printf '#!/bin/sh\necho %s -I%s/include/ktm -L%s -lktm\n' \
        "${KTM_SANITIZE:+-fsanitize=$KTM_SANITIZE}" "$KTM_SOURCE" "$KTM_BUILD" >"$scratch/bin/pkg-config"
    printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v "${CC:-cc}")" >"$scratch/bin/cc"
    chmod +x "$scratch/bin/pkg-config" "$scratch/bin/cc"
    LD_LIBRARY_PATH=$KTM_BUILD
    PATH=$scratch/bin:$KTM_BUILD:$PATH
    export LD_LIBRARY_PATH PATH
fi

# From the first compilation to the end of the block.
sed -n '/^## Worked examples$/,/^## Programs/p' "$KTM_SOURCE/README.md" |
    sed -n '/^cc /,/^```$/p' | sed '/^```$/d;/^$/d' >"$scratch/commands"
[ "$(wc -l <"$scratch/commands")" -ge 15 ] || {
    echo "not so: the README shows the examples"
    failed=1
}
cd "$scratch/build" || exit 1
while IFS= read -r line; do
    command=${line%%  #*}
    wanted=
    [ "$command" = "$line" ] || wanted=${line##*# }
    timeout 60 sh -c "$command" >out 2>err </dev/null
    case $(cat out) in
    "$wanted"*) passed=$((passed + 1)) ;;
    *)
        failed=$((failed + 1))
        echo "not so: $line"
        cat out err
        ;;
    esac
done <"$scratch/commands"

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
