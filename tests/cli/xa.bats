#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ktm xa check, with the switches that the tests of the bridge have.

setup() {
    toy=$KTM_BUILD/tests/xa-toy.so
    [ -f "$toy" ] || skip "the switches for tests are not built"
    store=$BATS_TEST_TMPDIR/store
    export KTM_HOME=$BATS_TEST_TMPDIR/home
    mkdir "$store"
}

@test "a switch that passes is trusted and kept in the home" {
    run "$KTM" xa check --work "$toy" "$toy:toy_xa_switch" "$store"
    [ "$status" -eq 0 ]
    [[ $output == *"12 passed, 0 failed, 0 not tried: trusted, and kept in the home"* ]]
    [ "$(find "$KTM_HOME" -name 'xa.passed.*' | wc -l)" -eq 1 ]
}

@test "one that fails is not, and is forgotten" {
    run "$KTM" xa check --work "$toy" "$toy:toy_xa_switch" "$store"
    [ "$status" -eq 0 ]
    echo "recover zero -1" >"$store/order"
    run "$KTM" xa check --timeout 1 --work "$toy" "$toy:toy_xa_switch" "$store"
    [ "$status" -eq 1 ]
    [[ $output == *"not trusted"* ]]
    [ -z "$(find "$KTM_HOME" -name 'xa.passed.*')" ]
}

@test "nothing is kept when that is wanted" {
    run "$KTM" xa check --no-home --work "$toy" "$toy:toy_xa_switch" "$store"
    [ "$status" -eq 0 ]
    [ ! -e "$KTM_HOME" ]
}

@test "without work too little is tried" {
    run "$KTM" xa check --json "$toy:toy_xa_switch" "$store"
    [ "$status" -eq 1 ]
    echo "$output" | python3 -c '
import json, sys
told = json.load(sys.stdin)
assert told["name"] == "toy" and not told["trusted"] and told["failed"] == 0, told
assert told["not_tried"] == 9 and len(told["checks"]) == 12, told
assert all("--work" in c["text"] for c in told["checks"] if c["finding"] == "not_tried"), told'
}

@test "what cannot be opened is told" {
    run "$KTM" xa check "$toy:no_such" "$store"
    [ "$status" -eq 1 ]
    [[ $output == *"has no switch 'no_such'"* ]]
    run "$KTM" xa check "$toy:toy_xa_switch" "$store/missing"
    [ "$status" -eq 1 ]
    [[ $output == *XAER_RMERR* ]]
    run "$KTM" xa check --json "$toy:no_such" "$store"
    [ "$status" -eq 1 ]
    echo "$output" | python3 -c 'import json, sys; assert "no_such" in json.load(sys.stdin)["why"]'
}

@test "wrong use is told" {
    for words in "" "chek a b" "check a" "check a b c" "check --timeout 0 a b" "check --colour a b"; do
        # shellcheck disable=SC2086
        run "$KTM" xa $words
        [ "$status" -eq 2 ]
        [[ $output == *"see 'ktm help xa'"* ]]
    done
    run "$KTM" xa check a "$(printf '%300s' x)"
    [ "$status" -eq 2 ]
    run "$KTM" xa --help
    [ "$status" -eq 0 ]
    [[ $output == *"usage: ktm xa check"* ]]
}
