#!/bin/sh
# SPDX-License-Identifier: MIT
# The test runner tells each way to end from the others, and a bad end harms no other test.
set -u
sample=$KTM_BUILD/tests/house/sample
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 passed=0

# check WHAT COMMAND...: one fact.
check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $what"
    fi
}
says() {
    [ $# -gt 1 ] || set -- -e "$1"
    grep -q "$@" "$scratch/out"
}

case ${KTM_SANITIZE:-} in
*address*) expected="3 passed, 9 failed, 1 skipped" ;; # a leak is seen too
*) expected="4 passed, 8 failed, 1 skipped" ;;
esac
unset KTM_TEST_FILTER KTM_SOAK
mkdir "$scratch/tmp"
TMPDIR=$scratch/tmp KTM_TEST_SECONDS=2 "$sample" >"$scratch/out" 2>&1
check "a program with failures fails" test $? -eq 1
check "the counts are the last line" test "$(tail -n 1 "$scratch/out")" = "$expected"
check "a false fact is shown" says 'expected: 1 == 2'
check "both numbers are shown" says '2 is 2 (0x2), expected 1 = 1 (0x1)'
check "both statuses are named" says 'is       STATUS_INVALID_PARAMETER (0xC000000D)'
check "the byte is shown" says 'differs at byte 2 of 3: 0x64, expected 0x63'
check "a failure in a thread is seen" says 'FAILED .*fails_in_another_thread'
check "a crash is seen" says 'FAILED .*crashes'
check "and what it was" says -e 'crashes: killed by signal 11' -e 'Sanitizer:'
check "a hang is seen" says 'hangs: did not end within 2 s'
check "an early exit is a failure" says 'FAILED .*leaves_in_the_middle'
check "a skip gives its reason" says 'skipped: on purpose'
check "nothing stays in the scratch directory" test -z "$(ls -A "$scratch/tmp")"

for how in --verbose --no-fork; do
    left=$("$sample" $how leaves_a_file_in_memory 2>&1 | sed -n 's/^in memory: //p')
    check "$how: it had a directory in memory" test -n "$left"
    check "$how: nothing stays of it" test ! -e "$left"
done

"$sample" sample/passes >"$scratch/out" 2>&1
check "a filter selects" test "$(tail -n 1 "$scratch/out")" = "1 passed, 0 failed, 0 skipped"
"$sample" --no-fork fails_by >"$scratch/out" 2>&1
check "without forks the counts are the same" test "$(tail -n 1 "$scratch/out")" = "0 passed, 4 failed, 0 skipped"

# The counting of scripts and of programs that die.
count() { # OUTPUT STATUS -> counts
    printf '%s\n' "#!/bin/sh" "printf '$1'" "exit $2" >"$scratch/program"
    chmod +x "$scratch/program"
    "$KTM_SOURCE/tests/run" x "$scratch" "$scratch/program" >/dev/null 2>&1
    cat "$scratch/x"
}
check "own counts are taken" test "$(count '3 passed, 1 failed, 2 skipped\n' 1)" = "3 1 2"
check "a death after counting is a failure" test "$(count '3 passed, 0 failed, 0 skipped\n' 139)" = "3 1 0"
check "TAP is counted" test "$(count 'ok 1 a\nnot ok 2 b\nok 3 c # skip no\n' 1)" = "1 1 1"
check "a silent script is one test" test "$(count '' 0)" = "1 0 0"
check "its failure too" test "$(count '' 9)" = "0 1 0"
check "77 is a skip" test "$(count '' 77)" = "0 0 1"

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
