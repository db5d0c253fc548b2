#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What rights, mounts and flags of files can do to a change set: it is refused before it is decided,
# in words, and nothing has changed; never is it committed and then stuck.

setup() {
    KTM=${KTM:-$KTM_BUILD/ktm}
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/ktm-hostile.XXXXXX")
    export KTM_HOME=$work/home LC_ALL=C
    umask 022
    mkdir "$work/t" "$work/new"
    cd "$work"
    echo new >new/f
}

teardown() {
    cd /
    [ -z "${mounted:-}" ] || umount "$mounted" || true
    [ -z "${fixed:-}" ] || chattr -i "$fixed" || true
    chmod -R u+rwx "$work"
    rm -rf "$work"
}

says() { grep -qF -e "$1" <<<"$output" || { echo "says: $output; must say: $1"; return 1; }; }
exits() { [ "$status" -eq "$1" ] || { echo "exit $status, not $1: $output"; return 1; }; }
is_root() { [ "$(id -u)" -eq 0 ] || skip "only root can do this"; }
no_debris() { [ -z "$(find t new -name '.ktm.*')" ] && [ -z "$(ls "$KTM_HOME/file" | grep promise)" ]; }

# Killed as soon as the change is decided and before any of it is done.
ktm_dies_committed() {
    for at in $(seq 20 400); do
        LD_PRELOAD=$KTM_BUILD/tests/kill/libktmkill.so KTM_KILL_ROOT=$work KTM_KILL_HOW=before \
            KTM_KILL_AT=$at "$KTM" apply "$@" >/dev/null 2>&1 && return 1
        ! "$KTM" status | grep -q committed || return 0
        "$KTM" recover -q
    done
    return 1
}

# The command as somebody without rights, who has the directory t and a home of his own.
as_nobody() {
    cp "$KTM" ktm
    chmod 755 . ktm
    chown 65534:65534 t
    run setpriv --reuid=65534 --regid=65534 --clear-groups \
        env KTM_HOME="$work/t/home" ./ktm apply "$@"
    KTM_HOME=$work/t/home
}

@test "a tree in which something is mounted is not replaced" {
    is_root
    mkdir -p t/old/deep/mnt
    mount -t tmpfs none t/old/deep/mnt || skip "nothing can be mounted here"
    mounted=$work/t/old/deep/mnt
    echo precious >t/old/deep/mnt/precious
    run "$KTM" apply --tree new:t/old
    exits 1
    says "'old/deep/mnt' is a mount point"
    [ "$(cat t/old/deep/mnt/precious)" = precious ]
    no_debris
}

@test "what is mounted in an old tree after the vote is left alone" {
    is_root
    [ -z "${KTM_SANITIZE:-}" ] || skip "nothing can be killed under a sanitizer"
    mkdir -p t/old/mnt t/fs
    mount -t tmpfs none t/fs || skip "nothing can be mounted here"
    mounted=$work/t/fs
    echo precious >t/fs/precious
    ktm_dies_committed --tree new:t/old
    mount --bind t/fs t/old/mnt
    run "$KTM" recover
    exits 3
    says "is a mount point"
    [ "$(cat t/fs/precious)" = precious ]
    umount "$(findmnt -rno TARGET | grep "$work.*/mnt$")"
    run "$KTM" recover
    exits 0
    [ "$(cat t/old/f)" = new ]
    no_debris
}

@test "a tree with an immutable file is not replaced" {
    is_root
    mkdir -p t/old/deep
    echo x >t/old/deep/x
    chattr +i t/old/deep/x 2>/dev/null || skip "no such flag here"
    fixed=$work/t/old/deep/x
    run "$KTM" apply --tree new:t/old
    exits 1
    says "'old/deep/x' could not be removed"
    [ "$(cat t/old/deep/x)" = x ]
    no_debris
}

@test "a tree with what belongs to somebody else is not replaced" {
    is_root
    mkdir -p t/old/deep/sub
    echo x >t/old/deep/sub/x
    chown 65534 t/old
    as_nobody --tree new:t/old
    exits 1
    says "'old/deep/sub' could not be removed"
    [ "$(cat t/old/deep/sub/x)" = x ]
    no_debris
}

@test "a tree of one's own is replaced though it cannot be written" {
    is_root
    mkdir -p t/old/deep
    echo x >t/old/deep/x
    chown -R 65534 t/old
    chmod 555 t/old t/old/deep
    as_nobody --tree new:t/old
    exits 0
    [ "$(cat t/old/f)" = new ]
    [ ! -e t/old/deep ]
    no_debris
}

@test "a directory that cannot be written does not get another parent" {
    is_root
    mkdir -p t/theirs t/mine t/locked
    chown 65534 t/mine t/locked
    chmod 555 t/locked
    as_nobody --rename t/theirs:t/mine/theirs
    exits 1
    says "'$work/t/theirs' cannot be moved to another directory"
    [ -d t/theirs ]
    as_nobody --rename t/locked:t/mine/locked
    exits 1
    as_nobody --rename t/theirs:t/renamed
    exits 0
    [ -d t/renamed ]
    as_nobody --chmod 755:t/locked --rename t/locked:t/mine/locked
    exits 0
    [ -d t/mine/locked ]
    no_debris
}

@test "a change set cannot change the state it is recovered from, nor move it" {
    mkdir t/app
    export KTM_HOME=$work/t/app/home
    run "$KTM" apply --put new/f:t/app/beside
    exits 0
    for step in "--put new/f:t/app/home/tm.blf" "--delete t/app/home/file/identity" \
        "--put new/f:t/app/home/file/x" "--tree new:t/app" "--rename t/app:t/moved" \
        "--rename t/app/home:t/home" "--chmod 755:t/app/home"; do
        # shellcheck disable=SC2086 # words
        run "$KTM" apply $step
        exits 1
        says "is part of the state of all transactions"
    done
    run "$KTM" log verify
    exits 0
    run "$KTM" apply --rename t/app/beside:t/app/home/beside --chmod 750:t/app
    exits 0
    no_debris
}

@test "what is printed never lands in the log or a file, though the streams are closed" {
    for streams in ">&-" "2>&-" ">&- 2>&-" "<&- >&- 2>&-"; do
        rm -rf home t/a
        eval "\"\$KTM\" apply --put new/f:t/a $streams"
        [ "$(cat t/a)" = new ]
        run eval "\"\$KTM\" apply --put new/missing:t/b $streams"
        exits 1
        run "$KTM" log verify
        exits 0
        run "$KTM" status
        exits 0
        [ "$(cat new/f)" = new ]
    done
    # Who wants nothing but the output is told that there is none.
    run eval '"$KTM" status >&-'
    exits 1
    says "cannot write the output"
}
