#!/bin/sh
# SPDX-License-Identifier: MIT
# The demonstration behind './dev demo': a change of several hundred steps over a real tree is
# killed at many points; after 'ktm recover' the tree equals, by checksums, names, modes and links,
# exactly what it was before or exactly what was asked for, and nothing is left lying about.
#
# usage: KTM=path/to/ktm tools/demo.sh [POINTS]
set -eu
export LC_ALL=C
umask 022

ktm=${KTM:-ktm}
points=${1:-120} # kills while applying
seconds=60        # and no more than so long
source=$(cd "$(dirname "$0")/.." && pwd)
shim=            # libktmkill.so: kills at the n-th change of a file; without it a clock has to do
work=

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

finish() {
    code=$?
    trap - EXIT
    [ -z "$work" ] || rm -rf "$work"
    exit $code
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

now() { date +%s%N; } # nanoseconds

# ---- the tree and the change set ----

# The first real tree that is large enough.
find_tree() {
    for candidate in /usr/share/doc /usr/share /usr/lib "$source"; do
        [ -d "$candidate" ] || continue
        wanted "$candidate" | head -n 400 >"$work/list"
        [ "$(wc -l <"$work/list")" -ge 300 ] || continue
        from=$candidate
        return 0
    done
    die "there is no directory with 300 small files on this machine"
}

# Small files with plain names, spread over the directories.
wanted() {
    (cd "$1" && find . -path ./build -prune -o -path ./.git -prune -o \
        -type f -size -64k -links 1 -readable -print 2>/dev/null) |
        sed 's|^\./||' | grep -E '^[A-Za-z0-9._+/-]+$' | sort
}

copy_tree() {
    mkdir -p "$work/old"
    (cd "$from" && tar -cf - -T "$work/list") | (cd "$work/old" && tar --no-same-owner -xpf -)
    chmod -R u+rwX "$work/old"
    mkdir -p "$work/old/demo/exchange" "$work/old/demo/empty"
    for i in 1 2 3 4 5 6 7 8; do
        echo "release 1, file $i" >"$work/old/demo/exchange/file-$i"
    done
}

json() { printf '%s    %s' "$comma" "$1" >>"$work/change.json" && comma=',
'; }

# One step for the change set, and the same by ordinary commands on the copy that shows what must
# come out. Paths in the change set are relative to its directory.
plan_step() {
    number=$1 file=$2
    case $((number % 8)) in
    0)
        json "{\"put\": {\"to\": \"disk/tree/$file\", \"text\": \"put by step $number\\n\"}}"
        echo "put by step $number" >"$work/new/$file"
        ;;
    1)
        json "{\"append\": {\"to\": \"disk/tree/$file\", \"text\": \"appended by step $number\\n\"}}"
        echo "appended by step $number" >>"$work/new/$file"
        ;;
    2)
        json "{\"delete\": {\"path\": \"disk/tree/$file\"}}"
        rm "$work/new/$file"
        ;;
    3)
        json "{\"rename\": {\"from\": \"disk/tree/$file\", \"to\": \"disk/tree/$file.renamed\"}}"
        mv "$work/new/$file" "$work/new/$file.renamed"
        ;;
    4)
        json "{\"chmod\": {\"path\": \"disk/tree/$file\", \"mode\": \"0600\"}}"
        chmod 0600 "$work/new/$file"
        ;;
    5)
        json "{\"put\": {\"to\": \"disk/tree/$file.new\", \"from\": \"content\", \"mode\": \"0640\"}}"
        cp "$work/content" "$work/new/$file.new"
        chmod 0640 "$work/new/$file.new"
        ;;
    6)
        json "{\"symlink\": {\"path\": \"disk/tree/$file.link\", \"target\": \"${file##*/}\"}}"
        ln -s "${file##*/}" "$work/new/$file.link"
        ;;
    7)
        sum=$(sha256sum <"$work/new/$file")
        json "{\"expect\": {\"path\": \"disk/tree/$file\", \"sha256\": \"${sum%% *}\"}}"
        ;;
    esac
}

plan() {
    comma=
    cp -a "$work/old" "$work/new"
    seq 1 2000 >"$work/content"
    mkdir -p "$work/release/sub"
    for i in 1 2 3 4 5 6 7 8 9; do
        echo "release 2, file $i" >"$work/release/sub/file-$i"
    done
    printf '{"steps": [\n' >"$work/change.json"
    number=0
    while IFS= read -r file; do
        number=$((number + 1))
        plan_step $number "$file"
    done <"$work/list"
    json '{"mkdir": {"path": "disk/tree/demo/made", "mode": "0750"}}'
    json '{"put": {"to": "disk/tree/demo/made/bytes", "base64": "AAH/"}}'
    json '{"rmdir": {"path": "disk/tree/demo/empty"}}'
    json '{"tree": {"to": "disk/tree/demo/exchange", "from": "release"}}'
    printf '\n]}\n' >>"$work/change.json"
    mkdir -m 0750 "$work/new/demo/made"
    printf '\000\001\377' >"$work/new/demo/made/bytes"
    rmdir "$work/new/demo/empty"
    rm -r "$work/new/demo/exchange"
    cp -a "$work/release" "$work/new/demo/exchange"
    steps=$((number + 4))
}

# ---- looking ----

# One sum over names, kinds, modes, links and contents; hidden names of ours are names as well.
fingerprint() {
    (
        cd "$1"
        find . -printf '%P %y %m %l\n' | sort
        find . -type f -print0 | sort -z | xargs -0 -r sha256sum
    ) | sha256sum | cut -d ' ' -f 1
}

reset() {
    rm -rf "$work/disk"
    mkdir -m 0700 "$work/disk" "$work/disk/home"
    cp -a "$work/old" "$work/disk/tree"
}

# What the tree is now: old, new or broken.
verdict() {
    sum=$(fingerprint "$work/disk/tree")
    case $sum in
    "$sum_old") echo old ;;
    "$sum_new") echo new ;;
    *) echo broken ;;
    esac
}

# ---- killing ----

find_shim() {
    for candidate in "$(dirname "$(command -v "$ktm")")/tests/kill/libktmkill.so" \
        "$source"/build/*/tests/kill/libktmkill.so; do
        if [ -f "$candidate" ]; then
            shim=$candidate
            return 0
        fi
    done
}

# run_killed PLACE COMMAND...: kills the command at its PLACE-th change of a file or, without the
# shim, after PLACE nanoseconds. True when it was killed.
run_killed() {
    place=$1
    shift
    code=0
    if [ -n "$shim" ]; then
        how=after
        [ $((place % 2)) -eq 0 ] || how=torn
        { KTM_KILL_ROOT=$work/disk KTM_KILL_AT=$place KTM_KILL_HOW=$how LD_PRELOAD=$shim \
            "$@" >/dev/null 2>&1; } 2>/dev/null || code=$?
    else
        timeout -s KILL "$((place / 1000000000)).$(printf %09d $((place % 1000000000)))" \
            "$@" >/dev/null 2>&1 || code=$?
    fi
    [ $code -eq 137 ]
}

apply() { "$ktm" apply --home "$work/disk/home" "$@" "$work/change.json"; }
recover() { "$ktm" recover --home "$work/disk/home" "$@"; }

# How long the whole is, in the unit of run_killed.
measure() {
    reset
    if [ -n "$shim" ]; then
        KTM_KILL_ROOT=$work/disk KTM_KILL_COUNT=$work/count LD_PRELOAD=$shim \
            "$ktm" apply -q --home "$work/disk/home" "$work/change.json"
        od -An -tu8 "$work/count" | tr -d ' '
    else
        begun=$(now)
        apply -q
        echo $(($(now) - begun))
    fi
}

# count ROW RESULT: adds to the table. Rows: 1 apply, 2 apply and then recover.
count() {
    eval "killed_$1=\$((killed_$1 + 1)) $2_$1=\$(($2_$1 + 1))"
}
killed_1=0 old_1=0 new_1=0 broken_1=0
killed_2=0 old_2=0 new_2=0 broken_2=0

# Recovers, and looks at the result; keeps what is broken for the report.
settle() {
    row=$1 where=$2
    if ! recover -q >"$work/recover.out" 2>&1; then
        say "recovery failed after a kill at $where:"
        cat "$work/recover.out"
        count "$row" broken
        result=broken
        return 0
    fi
    result=$(verdict)
    count "$row" "$result"
    if [ "$result" = broken ]; then
        say "broken after a kill at $where:"
        (cd "$work" && diff -rq old disk/tree | head -n 5 && diff -rq new disk/tree | head -n 5)
    fi
}

kill_many() {
    whole=$(measure)
    unit=changes
    [ -n "$shim" ] || unit=ns
    say "one run is $whole $unit long; killing at $points points, spread over all of it"
    stop=$(($(date +%s) + seconds))
    point=0 result=
    while [ $point -lt "$points" ] && [ "$(date +%s)" -lt $stop ]; do
        # First every fourth point, then those between, so that a slow machine sees all phases.
        place=$((1 + whole * ((point * 4) % points + point * 4 / points) / points))
        point=$((point + 1))
        [ "$result" = old ] || reset
        if ! run_killed $place "$ktm" apply -q --home "$work/disk/home" "$work/change.json"; then
            result=
            continue
        fi
        if [ $((point % 4)) -ne 0 ]; then
            settle 1 "$place of $whole $unit"
            continue
        fi
        # Recovery is killed too, again and again, until it gets through.
        again=0
        while [ $again -lt 3 ]; do
            again=$((again + 1))
            if [ -n "$shim" ]; then
                where=$((1 + (point * 7 + again * 13) % 60))
            else
                where=$((whole / 40 * again))
            fi
            run_killed $where "$ktm" recover -q --home "$work/disk/home" || break
        done
        settle 2 "$place of $whole $unit, and in recovery"
    done
}

table() {
    printf '\n%-34s %7s %6s %6s %7s\n' "killed while" points old new broken
    printf '%-34s %7d %6d %6d %7d\n' "applying" $killed_1 $old_1 $new_1 $broken_1 \
        "applying, then while recovering" $killed_2 $old_2 $new_2 $broken_2
}

# ---- the show ----

main() {
    command -v "$ktm" >/dev/null || die "there is no command '$ktm'; set KTM, or use ./dev demo"
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/ktm-demo.XXXXXX")
    find_shim

    step "A tree and a change set"
    find_tree
    copy_tree
    plan
    sum_old=$(fingerprint "$work/old")
    sum_new=$(fingerprint "$work/new")
    [ "$sum_old" != "$sum_new" ] || die "the change set changes nothing"
    reset
    say "$(find "$work/old" -type f | wc -l) files of $from, $steps steps"

    step "Dry run"
    apply --dry-run >"$work/dry.out" || die "the dry run refuses: $(cat "$work/dry.out")"
    tail -n 1 "$work/dry.out"
    [ "$(verdict)" = old ] || die "the dry run has changed something"

    step "Commit"
    apply
    [ "$(verdict)" = new ] || die "the tree is not what was asked for"
    say "Every name, mode, link and content is as asked for."
    if apply 2>"$work/again.out"; then
        die "the same change was accepted twice"
    fi
    say "Once more, it is refused: $(head -n 1 "$work/again.out")"
    [ "$(verdict)" = new ] || die "a refused change has changed something"

    step "Kill"
    kill_many
    table
    if [ $((broken_1 + broken_2)) -ne 0 ]; then
        say "Some states were broken."
        return 1
    fi
    if [ $((killed_1 + killed_2)) -lt 10 ]; then
        say "Too few runs could be killed to say anything."
        return 1
    fi
    say "Every time all or nothing."
}

main
