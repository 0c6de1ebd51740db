#!/bin/sh
# Tests the tests: bugs are planted in a copy of the library, one at a time, and the rung that each names must fail on it.
#   ci/planted.sh             a sample, which depends on the commit: as many as fit into CONEX_SECONDS, 100 unless told
#   ci/planted.sh --all       all of them
#   ci/planted.sh --rest      those of them that the last run has no verdict on
#   ci/planted.sh NAME...     those
# Fails when a mutant survives, does not compile, or no longer fits the code; and when a rung fails without any mutant.
# The mutants are files of cpp-tests/planted/mutants: the rung, the file, the text to replace and its replacement. One that has
# a line "survives: WHY" is known to survive its rung: it must fit and compile, and is not run unless it is named.
# CONEX_PASSED names rungs that have just passed, which then need not be run without a mutant.
. "$(dirname "$0")/rig.lib.sh"
need perl

mutants=cpp-tests/planted/mutants
everything=$(basename -s .mutant -a $mutants/*.mutant)
table=$rig/planted.table
# A different order for each commit, the same for all who look at it.
shuffled() {
    commit=$(git rev-parse HEAD 2>/dev/null || date +%s)
    for name in $everything; do echo "$(echo "$commit $name" | sha256sum | cut -c 1-16) $name"; done | sort | cut -d ' ' -f 2
}
limit=
case ${1:-} in
    --all) names=$everything ;;
    --rest) names=$everything ;;
    "") if [ "$tier" = soak ]; then names=$everything; else names=$(shuffled) limit=${CONEX_SECONDS:-100}; fi ;;
    *) names=$* ;;
esac
[ "${1:-}" = --rest ] || : >"$table"

tree=$rig/planted
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents -t "$tree"
original=$PWD
# What the rungs have built already is a start: only the library itself differs.
if [ ! -e "$target/planted" ]; then
    mkdir -p "$target/planted"
    for built in debug release tsan asan fuzz loom park miri-rung; do
        [ ! -e "$target/$built" ] || cp -a "$target/$built" "$target/planted/"
    done
    mkdir -p "$target/planted/rig"
    for built in peers linearizability objects; do
        [ ! -e "$rig/$built" ] || cp -a "$rig/$built" "$target/planted/rig/"
    done
fi
CARGO_TARGET_DIR=$target/planted
export CARGO_TARGET_DIR

# field NAME FIELD : a line of a mutant's head
field() { sed -n "s/^$2: //p" "$mutants/$1.mutant"; }
# The rung on the copy; a hang is a failure too.
run() { (cd "$tree" && unset CONEX_REPORT && CONEX_TIER=commit timeout 900 sh -c "$1") >"$rig/planted.txt" 2>&1; }
# Whether the rung passes without any mutant: one that fails anyway proves nothing.
sound() {
    case $sound in *"|$1|"*) return ;; esac
    case " ${CONEX_PASSED:-} " in *" $(echo "$1" | sed -n 's,^ci/\([a-z]*\)\.sh.*,\1,p') "*) return ;; esac
    run "$1" || { cat "$rig/planted.txt" && say "'$1' fails without any mutant" >&2 && return 1; }
    sound="$sound|$1|"
}
# verdict NAME WORD : keeps it for the end
verdict() { echo "$1 $2" >>"$table"; }

sound=
end=$(($(date +%s) + ${limit:-0}))
for name in $names; do
    cd "$original"
    if [ -n "$limit" ] && [ "$(date +%s)" -ge "$end" ]; then break; fi
    if [ "${1:-}" = --rest ] && grep -q "^$name " "$table"; then continue; fi
    by=$(field "$name" rung) file=$(field "$name" file)
    why=$(field "$name" survives)
    if [ -n "$why" ]; then case " $* " in *" $name "*) why= ;; esac; fi
    [ -n "$why" ] || sound "$by" || { verdict "$name" UNSOUND && continue; }
    cp "$tree/$file" "$tree/$file.sound"
    if ! perl -e 'local $/; open M, $ARGV[0]; my ($from, $to) = <M> =~ /^--- from\n(.*)\n--- to\n(.*)\n\z/ms or die "not a mutant\n";
        open F, $ARGV[1] or die; my $text = <F>; close F; my $n = () = $text =~ /\Q$from\E/g; die "$n places fit, not one\n" if $n != 1;
        $text =~ s/\Q$from\E/$to/; open F, ">", $ARGV[1]; print F $text;' "$mutants/$name.mutant" "$tree/$file"; then
        say "$name no longer fits $file" >&2
        verdict "$name" UNFIT
    elif ! run "cargo check --quiet --lib"; then
        cat "$rig/planted.txt"
        say "$name does not compile" >&2
        verdict "$name" UNFIT
    elif [ -n "$why" ]; then
        verdict "$name" survives
        say "$name survives, as is known: $why"
    else
        begin=$(date +%s)
        if run "$by"; then word=SURVIVED; else word=killed; fi
        verdict "$name" $word
        say "$name: $word by '$by' in $(($(date +%s) - begin)) s: $(sed -n '1s/^# //p' "$mutants/$name.mutant")"
    fi
    mv "$tree/$file.sound" "$tree/$file"
    touch "$tree/$file" # newer than what was built with the mutant
done
cd "$original"
killed=$(grep -c ' killed$' "$table" || true)
known=$(grep -c ' survives$' "$table" || true)
total=$(($(wc -l <"$table") - known))
say "killed $killed of $total; $known more are known to survive"
# Of each rung: how many.
while read -r name word; do echo "$(field "$name" rung | cut -d ' ' -f 1-5) $word"; done <"$table" | sort | uniq -c | sed 's/^/  /'
[ "$killed" = "$total" ] || { grep -v -e ' killed$' -e ' survives$' "$table" && exit 1; }
[ $((total + known)) -gt 0 ]
report "$total" "mutants killed, each by the rung that it names"
