#!/bin/sh
# Checks that no promise stands alone: each one of docs/GUARANTEES.md names the tests that prove it, and they exist.
# A test is named in backticks: `ci/suspend.sh`, `tests/stack.rs::conserves_elements_under_threads`, or a file of cpp-tests.
#   ci/guarantees.sh
# Fails when a promise names no test, or one that is not there; and when one of G1 to G9 has no promise at all.
. "$(dirname "$0")/rig.lib.sh"

awk '
    function fail(text) { print "guarantees: " text; bad = 1 }
    function finish() { if (promise != "" && !tests) fail(promise " names no test") }
    /^\*\*G[0-9]+\.[0-9]+/ {
        finish()
        promise = $1
        gsub(/\*/, "", promise)
        split(promise, part, ".")
        group[part[1]] = 1
        tests = 0
        promises++
    }
    /^#/ { finish(); promise = "" }
    promise != "" {
        line = $0
        while (match(line, /`(ci|tests|cpp-tests|fuzz|src|examples)\/[^`]*`/)) {
            name = substr(line, RSTART + 1, RLENGTH - 2)
            line = substr(line, RSTART + RLENGTH)
            tests++
            references++
            file = name
            what = ""
            if (at = index(name, "::")) { file = substr(name, 1, at - 1); what = substr(name, at + 2) }
            if (system("test -e \"" file "\"") != 0) fail(promise " names " file ", which is not there")
            else if (what != "" && system("grep -q -w -- \"" what "\" \"" file "\"") != 0) fail(promise " names " what ", which is not in " file)
        }
    }
    END {
        finish()
        for (i = 1; i <= 9; i++) if (!("G" i in group)) fail("G" i " has no promise")
        print promises " " references
        exit bad
    }' docs/GUARANTEES.md >"$rig/guarantees.txt" || { cat "$rig/guarantees.txt" && exit 1; }
# The numbers of the ordering pairs, as the modules and as docs/MEMORY-ORDERING.md have them.
numbers() { grep -o '([0-9][0-9]*)' | sort -u | tr '\n' ' '; }
pairs=0
# shellcheck disable=SC2013 # words without blanks
for file in $(grep -rl 'rdering pairs' src | sort); do
    module=$(awk '/rdering pairs/ {p = 1; next} /^\/\/[!\/] #/ || !/^ *\/\/[!\/]/ {p = 0} p' "$file" | numbers)
    listed=$(awk -v file="## $file" '$0 == file {p = 1; next} /^## / {p = 0} p && /^\| \(|^\| [a-z]+ \(/ {split($0, cell, "|"); print cell[2]}' docs/MEMORY-ORDERING.md |
        sed 's/limbo ([0-9]*)//' | numbers)
    module=$(echo "$module" | tr ' ' '\n' | grep -v '^$' | sort -u | tr '\n' ' ')
    for number in $module; do
        case " $listed " in *" $number "*) pairs=$((pairs + 1)) ;; *) case $file$number in
            # Numbers of other modules that are mentioned.
            "src/stack/mod.rs(7)" | "src/queue/mod.rs(1)" | "src/queue/mod.rs(4)") ;;
            *) say "$file has a pair $number that docs/MEMORY-ORDERING.md does not have" >&2 && exit 1 ;;
        esac ;; esac
    done
done
# shellcheck disable=SC2013,SC2016 # the quotes are the text's
for name in $(grep -o '`[a-z]*-[a-z-]*`' docs/MEMORY-ORDERING.md | tr -d '`'); do
    [ -e "cpp-tests/planted/mutants/$name.mutant" ] || { say "docs/MEMORY-ORDERING.md names the mutant $name, which is not there" >&2 && exit 1; }
done
say "$pairs numbers of ordering pairs are listed"
report "$(tail -n 1 "$rig/guarantees.txt" | cut -d ' ' -f 1)" "promises, with $(tail -n 1 "$rig/guarantees.txt" | cut -d ' ' -f 2) names of tests"
