#!/bin/sh
# Tests the tests: bugs are planted in a copy of the library, one at a time, and the rung that each names must fail on it.
#   ci/planted.sh             a sample, another one each time
#   ci/planted.sh --all       all of them
#   ci/planted.sh NAME...     those
# Fails when a mutant survives, does not compile, or no longer fits the code; and when a rung fails without any mutant.
# The mutants are files of cpp-tests/planted/mutants: the rung, the file, the text to replace and its replacement.
. "$(dirname "$0")/rig.lib.sh"
need perl

mutants=cpp-tests/planted/mutants
case ${1:-} in
    --all) names=$(basename -s .mutant -a $mutants/*.mutant) ;;
    "") names=$(basename -s .mutant -a $mutants/*.mutant | if [ "$tier" = soak ]; then cat; else shuf -n 2; fi) ;;
    *) names=$* ;;
esac

tree=$rig/planted
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents -t "$tree"
original=$PWD
# What the rungs have built already is a start: only the library itself differs.
if [ ! -e "$target/planted" ]; then
    mkdir -p "$target/planted"
    for built in debug release tsan asan fuzz loom miri-rung; do
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

: >"$rig/planted.table"
sound=
for name in $names; do
    cd "$original"
    by=$(field "$name" rung) file=$(field "$name" file)
    # A rung that fails anyway proves nothing.
    case $sound in *"|$by|"*) ;; *)
        run "$by" || { cat "$rig/planted.txt" && say "'$by' fails without any mutant" >&2 && exit 1; }
        sound="$sound|$by|"
        ;;
    esac
    cp "$tree/$file" "$tree/$file.sound"
    perl -e 'local $/; open M, $ARGV[0]; my ($from, $to) = <M> =~ /^--- from\n(.*)\n--- to\n(.*)\n\z/ms or die "not a mutant\n";
        open F, $ARGV[1] or die; my $text = <F>; close F; my $n = () = $text =~ /\Q$from\E/g; die "$n places fit, not one\n" if $n != 1;
        $text =~ s/\Q$from\E/$to/; open F, ">", $ARGV[1]; print F $text;' "$mutants/$name.mutant" "$tree/$file" ||
        { say "$name no longer fits $file" >&2 && exit 1; }
    run "cargo check --quiet --lib" || { cat "$rig/planted.txt" && say "$name does not compile" >&2 && exit 1; }
    begin=$(date +%s)
    if run "$by"; then verdict=SURVIVED; else verdict=killed; fi
    mv "$tree/$file.sound" "$tree/$file"
    touch "$tree/$file" # newer than what was built with the mutant
    say "$name: $verdict by '$by' in $(($(date +%s) - begin)) s: $(sed -n '1s/^# //p' "$mutants/$name.mutant")"
    echo "$name $verdict" >>"$rig/planted.table"
done
cd "$original"
killed=$(grep -c ' killed$' "$rig/planted.table" || true)
total=$(wc -l <"$rig/planted.table")
say "killed $killed of $total"
[ "$killed" = "$total" ]
report "$total" "mutants killed, each by the rung that it names"
