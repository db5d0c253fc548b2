#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ktm apply and ktm recover, as a user meets them: what is done, what is said, with which exit
# status, and that nothing has changed when it says so.

export BATS_TEST_TIMEOUT=300

setup() {
    KTM=${KTM:-$KTM_BUILD/ktm}
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/ktm-apply.XXXXXX")
    export KTM_HOME=$work/home TMPDIR=$work/tmp LC_ALL=C
    umask 022
    mkdir "$work/tmp" "$work/t" "$work/t/dir" "$work/src"
    cd "$work"
    echo old >t/a
    echo goes >t/d
    echo one >t/dir/1
    echo two >src/2
    echo new >new
}

teardown() {
    cd /
    [ -z "${holder:-}" ] || kill -KILL "$holder" 2>/dev/null || true
    [ -z "${mounted:-}" ] || umount "$mounted" || true
    rm -rf "$work"
}

# Everything there is about the tree, times included.
snapshot() {
    find t src new -printf '%p %y %m %l %s %T@ %C@ %i\n' | sort
    find t src new -type f -print0 | sort -z | xargs -0 sha256sum
}

# The tree without times: what a change is compared by.
content() {
    (cd "${1:-t}" && find . -printf '%P %y %m %l\n' | sort &&
        find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

no_debris() {
    [ -z "$(find . -path ./home -prune -o -name '.ktm.*' -print)" ]
    [ -z "$(find home/file -name '*.intent' -o -name '*.note*' 2>/dev/null)" ]
    [ -z "$(ls tmp)" ]
}

says() { grep -qF -e "$1" <<<"$output" || { echo "says: $output; must say: $1"; return 1; }; }
exits() { [ "$status" -eq "$1" ] || { echo "exit $status, not $1: $output"; return 1; }; }
is_json() { python3 -m json.tool <<<"$output" >/dev/null; }
json() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<<"$output"; }

# Another apply that has the home until 'release', because its content does not come.
hold() {
    mkfifo pipe
    # A shell has its background processes ignore SIGINT.
    env --default-signal=INT "$KTM" apply "$@" --put pipe:t/held >hold.out 2>&1 &
    holder=$!
    exec 7>pipe
    for _ in $(seq 200); do
        [ ! -e home/tm.blf ] || grep -q begun home/history 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}
release() {
    echo held >&7
    exec 7>&-
    wait "$holder"
}

every_step='{"steps": [
  {"expect":  {"path": "t/a", "sha256": "SUM"}},
  {"expect":  {"path": "t/z", "absent": true}},
  {"expect":  {"path": "t/dir", "exists": true}},
  {"put":     {"to": "t/a", "from": "new", "mode": "0640"}},
  {"append":  {"to": "t/a", "text": "more\n"}},
  {"delete":  {"path": "t/d"}},
  {"mkdir":   {"path": "t/m", "mode": "0750"}},
  {"put":     {"to": "t/m/x", "base64": "AAH/"}},
  {"symlink": {"path": "t/l", "target": "a"}},
  {"tree":    {"to": "t/dir", "from": "src"}},
  {"rename":  {"from": "t/m", "to": "t/n"}},
  {"chmod":   {"path": "t/n/x", "mode": "4711"}}
]}'
write_set() {
    sum=$(sha256sum <t/a)
    echo "${every_step/SUM/${sum%% *}}" >set.json
}

@test "every kind of step is done, and nothing is left behind" {
    write_set
    run "$KTM" apply set.json
    exits 0
    [[ $output =~ ^committed\ [0-9a-f-]{36}:\ 12\ steps\ of\ set.json$ ]]
    [ "$(cat t/a)" = "new
more" ]
    [ "$(stat -c %a t/a)" = 640 ]
    [ ! -e t/d ] && [ ! -e t/m ] && [ ! -e t/dir/1 ]
    [ "$(stat -c %a t/n)" = 750 ] && [ "$(stat -c %a t/n/x)" = 4711 ]
    [ "$(od -An -tx1 t/n/x)" = " 00 01 ff" ]
    [ "$(readlink t/l)" = a ] && [ "$(cat t/dir/2)" = two ]
    no_debris
    [ "$(stat -c %a home)" = 700 ]
}

@test "a step that cannot be done undoes all" {
    write_set
    sed -i '$d' set.json
    echo ', {"delete": {"path": "t/missing"}}]}' >>set.json
    before=$(content)
    run "$KTM" apply set.json
    exits 1
    says 'ktm: rolled back '
    says "set.json:14:3: step 13 (delete): '$work/t/missing' does not exist"
    says '(STATUS_OBJECT_NAME_NOT_FOUND)'
    says 'nothing was changed'
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(content)" = "$before" ]
    no_debris
}

@test "an expectation that does not hold refuses the change" {
    for fact in '"absent": true' "\"sha256\": \"$(printf '%064d' 0)\""; do
        echo "{\"steps\": [{\"expect\": {\"path\": \"t/a\", $fact}}, {\"delete\": {\"path\": \"t/d\"}}]}" >set.json
        before=$(snapshot)
        run "$KTM" apply set.json
        exits 1
        says 'step 1 (expect)'
        [ "$(snapshot)" = "$before" ]
    done
}

@test "a change set that is wrong is refused before anything is opened" {
    before=$(snapshot)
    for text in '' '{' '[]' '{"steps": []}' '{"steps": [{"put": {"to": "t/a"}}]}' \
        '{"steps": [{"delete": {"path": "t/a"}}, {"put": {"to": "t/a/b", "text": ""}}]}'; do
        printf '%s' "$text" >set.json
        run "$KTM" apply set.json
        exits 2
        says 'ktm: set.json:1:'
    done
    head -c 5000 /dev/urandom >set.json
    run "$KTM" apply set.json
    exits 2
    [ "$(snapshot)" = "$before" ]
    [ ! -e home ]
}

@test "wrong use is refused" {
    for use in "" "a b" "--timeout" "--timeout x set.json" "--timeout 0 set.json" "--put a" "--frob" \
        "--put a:b set.json" "--chmod 9:a" "--delete=" "missing.json" "."; do
        # shellcheck disable=SC2086 # words
        run "$KTM" apply $use
        exits 2
    done
    [ ! -e home ]
}

@test "steps as flags, in order, with escaped colons" {
    mkdir 'a:b'
    echo x >'a:b/c:d'
    run "$KTM" apply --mkdir t/m --rename t/m:t/n --rmdir t/n
    exits 2
    says "--rmdir 't/n': '$work/t/n' is changed in vain: it conflicts with --rename 't/m:t/n'"
    run "$KTM" apply --put 'a\:b/c\:d:t/e\:f' --append new:t/a --delete t/d --mkdir t/m \
        --symlink a:t/l --chmod 0600:t/a --tree src:t/tree
    exits 0
    says ': 7 steps of the flags'
    [ "$(cat 't/e:f')" = x ] && [ "$(tail -n 1 t/a)" = new ] && [ ! -e t/d ] && [ -d t/m ]
    [ "$(readlink t/l)" = a ] && [ "$(stat -c %a t/a)" = 600 ] && [ "$(cat t/tree/2)" = two ]
    run "$KTM" apply -q -- /dev/null
    exits 2
    echo '{"steps": [{"rmdir": {"path": "t/m"}}]}' >-odd.json
    run "$KTM" apply -q -- -odd.json
    exits 0
    [ -z "$output" ] && [ ! -e t/m ]
}

@test "a change set on standard input starts at the working directory" {
    cd t
    run "$KTM" apply - <<<'{"steps": [{"put": {"to": "b", "text": "x"}}]}'
    exits 0
    says 'of standard input'
    [ -e b ]
}

@test "a dry run says what would be done and touches nothing" {
    write_set
    before=$(snapshot)
    run "$KTM" apply --dry-run set.json
    exits 0
    says "step 4 (put): '$work/t/a' from '$work/new'"
    says "dry run: 12 steps would be done"
    [ "$(snapshot)" = "$before" ]
    [ ! -e home ]
    no_debris
    run "$KTM" apply --dry-run --json set.json
    exits 0
    is_json
    [ "$(json outcome)" = checked ]
    run "$KTM" apply --dry-run -q set.json
    exits 0
    [ -z "$output" ]
}

@test "a dry run finds what apply would find" {
    for step in '"delete": {"path": "t/missing"}' '"put": {"to": "t/x", "from": "missing"}' \
        '"put": {"to": "missing/x", "text": ""}' '"mkdir": {"path": "t/a"}' '"rmdir": {"path": "t/dir"}' \
        '"tree": {"to": "t/dir", "from": "missing"}' '"expect": {"path": "t/a", "absent": true}'; do
        echo "{\"steps\": [{\"chmod\": {\"path\": \"t/d\", \"mode\": \"0600\"}}, {$step}]}" >set.json
        before=$(snapshot)
        run "$KTM" apply --dry-run set.json
        exits 1
        says 'would be refused: set.json:1:'
        says 'step 2 ('
        run "$KTM" apply set.json
        exits 1
        [ "$(snapshot)" = "$before" ]
        no_debris
    done
}

@test "a second apply waits for the first and says so" {
    hold
    "$KTM" apply --put new:t/second >second.out 2>&1 7>&- &
    second=$!
    for _ in $(seq 100); do
        grep -q "waiting for process $holder" second.out && break
        sleep 0.05
    done
    grep -q "ktm: waiting for process $holder, which uses the home '$work/home'" second.out
    [ ! -e t/second ]
    release
    wait $second
    [ -e t/held ] && [ -e t/second ]
    grep -q '^committed' second.out
    no_debris
}

@test "a second apply with --no-wait refuses, and with --timeout gives up" {
    hold
    run "$KTM" apply --no-wait --put new:t/second
    exits 1
    says "in use by process $holder (STATUS_SHARING_VIOLATION)"
    says 'nothing was changed'
    run "$KTM" apply --no-wait --json --put new:t/second
    exits 1
    is_json
    [ "$(json status)" = STATUS_SHARING_VIOLATION ]
    run "$KTM" apply --timeout 0.3 -q --put new:t/second
    exits 1
    says 'the time is over'
    run "$KTM" recover --no-wait
    exits 1
    says 'in use by process'
    run "$KTM" status
    exits 0
    says "in use by process $holder"
    release
    [ ! -e t/second ]
}

@test "a signal before the commit rolls back" {
    for signal in INT TERM HUP; do
        before=$(snapshot)
        rm -f pipe home/history
        hold --chmod 0600:t/a
        kill -$signal $holder
        code=0
        wait $holder || code=$?
        [ $code -eq 1 ]
        exec 7>&-
        grep -q 'ktm: rolled back .*(STATUS_CANCELLED); nothing was changed' hold.out
        [ "$(snapshot)" = "$before" ]
        no_debris
        holder=
    done
}

@test "a time-out rolls back" {
    before=$(snapshot)
    hold --timeout 0.5
    code=0
    wait $holder || code=$?
    [ $code -eq 1 ]
    grep -q 'the time is over (STATUS_ROLLBACK_TIMER_EXPIRED); nothing was changed' hold.out
    [ "$(snapshot)" = "$before" ]
    no_debris
    run "$KTM" apply --timeout 30 --put new:t/x
    exits 0
}

@test "content may come from a pipe" {
    run "$KTM" apply --put <(head -c 300000 /dev/zero):t/zeros --append <(echo end):t/a
    exits 0
    [ "$(stat -c %s t/zeros)" -eq 300000 ] && [ "$(tail -n 1 t/a)" = end ]
}

@test "the JSON of every outcome is valid" {
    run "$KTM" apply --json --put new:t/x
    exits 0
    is_json
    [ "$(json outcome)" = committed ] && [ "$(json exit)" = 0 ]
    run "$KTM" apply --json --put new:t/nowhere/x
    exits 1
    is_json
    [ "$(json outcome)" = 'rolled back' ] && [ "$(json exit)" = 1 ]
    printf 'x' >set.json
    run "$KTM" apply --json set.json
    exits 2
    is_json
    [ "$(json outcome)" = refused ] && [ "$(json exit)" = 2 ]
    run "$KTM" apply --json --put new:$'t/\xff"\\\n'
    exits 0
    is_json
    run "$KTM" apply --json --delete $'t/\xfe'
    exits 1
    is_json
    run "$KTM" recover --json
    exits 0
    is_json
    run "$KTM" status --json
    exits 0
    is_json
}

@test "messages show odd names as text" {
    run "$KTM" apply --delete $'t/\e[31m\n'
    exits 1
    says '\x1B[31m\x0A'
    [ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "an output that cannot be written does not change the outcome" {
    [ -w /dev/full ] || skip "there is no /dev/full"
    run bash -c '"$0" apply --put new:t/x >/dev/full' "$KTM"
    exits 0
    says 'cannot write the output'
    [ -e t/x ]
    run bash -c '"$0" apply --put new:t/y | true; exit ${PIPESTATUS[0]}' "$KTM"
    exits 0
    [ -e t/y ]
    run bash -c '"$0" apply --put new:t/z >&- 2>&-' "$KTM"
    exits 0
    [ -e t/z ]
}

@test "tx show tells what became of it" {
    run "$KTM" apply --json --put new:t/x
    guid=$(json transaction)
    run "$KTM" tx show "$guid"
    exits 0
    says 'state        committed'
    says "begun 'the flags'"
    run "$KTM" apply --json --delete t/missing
    guid=$(json transaction)
    run "$KTM" tx show "$guid"
    exits 0
    says 'state        rolled back'
    says "does not exist"
}

@test "files that may not grow: all or nothing" {
    write_set
    cp -a t old
    head -c 40000 /dev/urandom >new
    "$KTM" apply -q --home other set.json
    cp -a t wanted
    old=$(content old) wanted=$(content wanted) refused=0 done=0
    for blocks in 1 4 16 39 41 500 1000 1023 1024 1200 1249 3000; do
        rm -rf t home
        cp -a old t
        code=0
        # Of 1024 bytes each; the log of the manager takes two containers of 1 MiB.
        (ulimit -f $blocks && exec "$KTM" apply -q set.json) >limit.out 2>&1 || code=$?
        case $code in
        0) done=$((done + 1)) ;;
        1) refused=$((refused + 1)) ;;
        *) cat limit.out && false ;;
        esac
        run "$KTM" recover
        exits 0
        now=$(content)
        [ $code -ne 0 ] || [ "$now" = "$wanted" ]
        [ $code -ne 1 ] || [ "$now" = "$old" ]
        no_debris
    done
    echo "$refused refused, $done done"
    [ $refused -ge 3 ] && [ $done -ge 1 ]
}

@test "a full disk: all or nothing, and nothing is lost" {
    mkdir disk
    mount -t tmpfs -o size=8m ktm-test disk 2>/dev/null || skip "cannot mount a small file system"
    mounted=$work/disk
    write_set
    head -c 700000 /dev/urandom >new
    refused=0 done=0
    for free in 10 600 1200 1300 2000 2400 3300 3400 3500 3800 4000 4010 4030 4060 4500; do
        rm -rf disk/*
        cp -a t src new set.json disk/
        old=$(content disk/t)
        room=$(df --output=avail -k disk | tail -n 1)
        [ "$room" -gt $free ]
        head -c $(((room - free) * 1024)) /dev/zero >disk/filler
        code=0
        "$KTM" apply -q --home "$work/disk/home" disk/set.json >full.out 2>&1 || code=$?
        rm disk/filler
        run "$KTM" recover --home "$work/disk/home"
        exits 0
        case $code in
        0 | 3) done=$((done + 1)) && [ "$(stat -c %s disk/t/a)" -eq 700005 ] ;;
        1) refused=$((refused + 1)) && [ "$(content disk/t)" = "$old" ] ;;
        *) cat full.out && false ;;
        esac
        [ -z "$(find disk -name '.ktm.*')" ]
    done
    echo "$refused refused, $done done"
    [ $refused -ge 3 ] && [ $done -ge 1 ]
}

@test "the manual knows every option and every verb" {
    for verb in apply recover status tx log; do
        for option in $("$KTM" help $verb | grep -oE -- '--[a-z-]+' | sort -u); do
            cat "$KTM_SOURCE"/docs/man/*.scd | grep -qF -e "*$option*" || { echo "$option" && false; }
        done
        grep -q "ktm $verb" "$KTM_SOURCE/docs/man/ktm.1.scd"
    done
}

# ---- crashes; the shim kills at the n-th change of a file ----

shim() {
    shim=$KTM_BUILD/tests/kill/libktmkill.so
    [ -e "$shim" ] && [ -z "${KTM_SANITIZE:-}" ] || skip "there is nothing to kill with"
}
killed_at() { # PLACE COMMAND...
    place=$1
    shift
    KTM_KILL_ROOT=$work KTM_KILL_AT=$place KTM_KILL_HOW=after LD_PRELOAD=$shim "$@" >killed.out 2>&1
}
# Dies when the decision is durable and nothing of it is visible.
die_decided() {
    for place in $(seq 1 200); do
        code=0
        killed_at "$place" "$KTM" apply "$@" || code=$?
        [ $code -ne 0 ] || return 1
        run "$KTM" status
        if grep -q 'committed, not finished' <<<"$output"; then
            return 0
        fi
        "$KTM" recover -q
    done
    return 1
}

@test "killed anywhere and recovered: all or nothing" {
    shim
    write_set
    cp -a t old
    "$KTM" apply -q --home other set.json
    cp -a t wanted
    old=$(content old) wanted=$(content wanted) olds=0 news=0
    for place in $(seq 1 3 400); do
        rm -rf t
        cp -a old t
        code=0
        killed_at "$place" "$KTM" apply -q set.json || code=$?
        [ $code -ne 0 ] || break
        run "$KTM" recover
        exits 0
        case $(content) in
        "$old") olds=$((olds + 1)) ;;
        "$wanted") news=$((news + 1)) ;;
        *) echo "broken at $place" && false ;;
        esac
        no_debris
    done
    [ $code -eq 0 ] # the last one was not killed any more
    [ $olds -gt 3 ] && [ $news -gt 3 ]
}

@test "apply finishes what a crash left, and says so" {
    shim
    die_decided --put new:t/a --delete t/d
    run "$KTM" apply --put new:t/x
    exits 0
    says 'finished 1 transaction that an earlier run had left'
    [ "$(cat t/a)" = new ] && [ ! -e t/d ] && [ -e t/x ]
}

@test "a dry run does not build on what is unfinished" {
    shim
    die_decided --put new:t/a --delete t/d
    run "$KTM" apply --dry-run --put new:t/x
    exits 3
    says "run 'ktm recover' first"
    [ "$(cat t/a)" = old ]
}

@test "what somebody else wrote meanwhile is kept aside and told" {
    shim
    die_decided --put new:t/a
    echo theirs >t/a
    run "$KTM" recover --json
    exits 4
    is_json
    [ "$(cat t/a)" = new ]
    kept=$(ls t/a.ktm-conflict.*)
    [ "$(cat "$kept")" = theirs ]
    python3 -c 'import json,sys; c=json.load(sys.stdin)["conflicts"]; assert len(c) == 1 and c[0]["kept_as"] == sys.argv[1], c' \
        "$work/$kept" <<<"$output"
    run "$KTM" recover
    exits 0
}

@test "what cannot be finished yet is told, keeps nobody else back, and is finished later" {
    shim
    die_decided --put new:t/dir/1
    mv t/dir t/away
    run "$KTM" recover
    exits 3
    says 'ktm: not recovered: transaction '
    says "mend that and run 'ktm recover' again"
    run "$KTM" status
    says 'committed, not finished'
    run "$KTM" apply --put new:t/x
    exits 0
    says 'an earlier change is still not finished'
    [ -e t/x ]
    mv t/away t/dir
    run "$KTM" recover
    exits 0
    says 'recovered: 1 transaction finished'
    [ "$(cat t/dir/1)" = new ]
    run "$KTM" status
    says 'Nothing is unfinished.'
    no_debris
}
