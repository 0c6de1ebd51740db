#!/bin/sh
# Tests the tests: bugs are planted in a copy of the library, one at a time, and the rung that each names must fail on it.
#   ci/planted.sh             a sample, which depends on the commit: as many as are done within CONEX_SECONDS, 60 unless told, and 35 s more
#   ci/planted.sh --all       all of them
#   ci/planted.sh --rest      those of them that the last run has no verdict on
#   ci/planted.sh NAME...     those
#   ci/planted.sh --fit       plants none: says whether each fits one place of the code and names a test that is there
# Fails when a mutant survives, does not compile, or no longer fits the code; and when a rung fails without any mutant.
# The mutants are files of cpp-tests/planted/mutants: the rung, the file, the text to replace and its replacement. One that has
# a line "survives: WHY" is known to survive its rung: it must fit and compile, and is not run unless it is named. A rung that
# does not end is stopped, which proves the bug only where a line "hangs: WHY" says so.
# CONEX_PASSED names rungs that have just passed, which then need not be run without a mutant. CONEX_JOBS says how many
# mutants are run at once.
. "$(dirname "$0")/rig.lib.sh"
need perl

mutants=cpp-tests/planted/mutants
everything=$(basename -s .mutant -a $mutants/*.mutant)
table=$rig/planted.table

# check MUTANT... : whether they fit. plant MUTANT FOLDER : plants one there.
# shellcheck disable=SC2016 # Perl
perl_text='
use strict; use warnings;
sub text { local $/; open my $f, "<", $_[0] or return undef; my $text = <$f>; $text }
my ($what, @args) = @ARGV;
my $into = $what eq "plant" ? pop @args : ".";
my $faults = 0;
# Whether a test of this name is in one of the files.
sub there { my ($name, @files) = @_; grep { index(text($_) // "", $name) >= 0 } @files }
my @sources = split /\n/, `find src -name "*.rs"`;
sub rung {
    my ($rung) = @_;
    $rung =~ s/^(?:[A-Z_]+=\S+ )+//;
    my @names;
    if ($rung =~ m{^ci/([a-z]+)\.sh(.*)$}) {
        return "ci/$1.sh, which is not there" unless -x "ci/$1.sh";
        @names = map { [split /:+/] } split " ", $2 if $1 eq "loom" || $1 eq "miri";
    } elsif ($rung =~ /^cargo test --quiet (?:--test (\w+)|--(lib))((?: [\w:]+)*)$/) {
        my $file = $1 // $2;
        @names = map { [$file, (split /::/)[-1]] } split " ", $3;
        @names = ([$file]) unless @names;
    } else { return "something else" }
    for (@names) {
        # Of a test that is a folder, its module comes in between.
        my ($file, @path) = @$_;
        my $test = $path[-1];
        my $module = @path > 1 ? $path[0] : "*";
        my @files = $file eq "lib" ? @sources : -d "tests/$file" ? glob("tests/$file/$module.rs") : ("tests/$file.rs");
        return "tests/$file.rs, which is not there" unless @files && -e $files[0];
        return "the test $test, which is not in $file" if defined $test && !there($test, @files);
    }
    return undef;
}
for my $path (@args) {
    my ($name) = $path =~ m{([^/]*)\.mutant$};
    my $mutant = text($path) // "";
    my ($head, $from, $to) = $mutant =~ /\A(.*?)^--- from\n(.*)\n--- to\n(.*)\n\z/ms;
    my $fault;
    my ($file, $rung);
    if (defined $to) {
        ($file) = $head =~ /^file: (.*)$/m;
        ($rung) = $head =~ /^rung: (.*)$/m;
    }
    if (!defined $file || !defined $rung || $head !~ /\A# \S/) { $fault = "is not a mutant" }
    else {
        my $text = text("$into/$file") // "";
        my $n = () = $text =~ /\Q$from\E/g;
        my $named = $what eq "check" ? rung($rung) : undef;
        if ($n != 1) { $fault = "fits $n places of $file, not one" }
        elsif (defined $named) { $fault = "names $named" }
        elsif ($what eq "plant") {
            $text =~ s/\Q$from\E/$to/;
            open my $f, ">", "$into/$file" or die $!;
            print $f $text;
        }
    }
    if (defined $fault) { print STDERR "planted: $name $fault\n"; $faults++ }
}
exit($faults > 0);
'
check() { perl -e "$perl_text" check "$@"; }
plant() { perl -e "$perl_text" plant "$1" "$2"; }

if [ "${1:-}" = --fit ]; then
    # shellcheck disable=SC2086 # words
    check $mutants/*.mutant
    report "$(echo "$everything" | wc -l)" "mutants fit the code"
    exit
fi

# field NAME FIELD : a line of a mutant's head.
field() { sed -n "s/^$2: //p" "$mutants/$1.mutant"; }
# A different order for each commit, the same for all who look at it. Those that survive are of no use there.
shuffled() {
    commit=$(git rev-parse HEAD 2>/dev/null || date +%s)
    for name in $everything; do
        [ -n "$(field "$name" survives)" ] || echo "$(echo "$commit $name" | sha256sum | cut -c 1-16) $name"
    done | sort | cut -d ' ' -f 2
}
limit=
case ${1:-} in
    --all | --rest) names=$everything ;;
    "") if [ "$tier" = soak ]; then names=$everything; else names=$(shuffled) limit=${CONEX_SECONDS:-60}; fi ;;
    *) names=$* ;;
esac
[ "${1:-}" = --rest ] || : >"$table"
# Named ones are run though they are known to survive.
named=" $* "

work=$rig/planted
jobs=${CONEX_JOBS:-$(nproc 2>/dev/null || echo 1)}
rm -rf "$work"
mkdir -p "$work/claims" "$work/answers"

# prepare PLACE : a copy of the sources, and what has been built of other packages. One place for each worker, and one that
# remains sound: cargo takes two copies for the same package, so they must not build into the same folder.
prepare() {
    mkdir -p "$work/$1/tree/.cargo"
    git ls-files -z | xargs -0 cp --parents -t "$work/$1/tree"
    # The library is built for each mutant, and run for a moment. What it depends on stays as it was built.
    for profile in release test; do
        printf '[profile.%s.package.conex]\nopt-level = 1\ncodegen-units = 16\ndebug = false\n' $profile
    done >"$work/$1/tree/.cargo/config.toml"
    if [ ! -e "$target/planted/$1" ]; then
        mkdir -p "$target/planted/$1/rig"
        for built in debug loom park miri-rung tsan; do
            [ ! -e "$target/$built" ] || tar -C "$target" --exclude=incremental --exclude=examples --exclude='*conex*' \
                --exclude='deps/*-????????????????' -cf - "$built" | tar -C "$target/planted/$1" -xf -
        done
    fi
}

# How long a rung may take, and how long it should without a mutant.
longest=120
soon=60
# What is built at a place for the first time takes longer, whatever is built there: other packages, or std for a sanitizer.
first_build=600
# How long what a sample has begun may go on.
grace=35
# late : whether a sample's time is up.
late() { [ -n "$limit" ] && [ "$(date +%s)" -ge $((end + grace)) ]; }
# run PLACE RUNG : a rung in one of the copies. 124 if it did not end.
run() {
    built=$target/planted/$1/built-$(echo "$2" | sed 's/^\([A-Z_]*=[^ ]* \)*//; s,^ci/\([a-z]*\)\.sh.*,\1,; s/^cargo \([a-z]*\).*/\1/')
    longest_here=$longest
    if [ ! -e "$built" ]; then
        longest_here=$((longest + first_build)) && : >"$built"
    elif [ -n "$limit" ]; then
        # A sample ends in time, whatever it has come to.
        left=$((end + grace - $(date +%s)))
        [ $left -gt 0 ] || left=1
        [ $longest_here -le $left ] || longest_here=$left
    fi
    (cd "$work/$1/tree" && unset CONEX_REPORT CONEX_JOBS && CARGO_TARGET_DIR=$target/planted/$1 CONEX_TIER=commit timeout $longest_here sh -c "$2") >"$work/$1/out.txt" 2>&1
}

# What a rung says without any mutant: one that fails anyway proves nothing. It is tried beside the mutants.
answer() { echo "$work/answers/$(echo "$1" | sha256sum | cut -c 1-16)"; }
# ask RUNG : has it tried, unless it has just passed, as far as its commit tier goes. (A bare return would give what the caller
# found before the call, and end the worker.)
ask() {
    case $1 in
        "ci/loom.sh lib:"*) ;;
        "CONEX_SEEDS=1 ci/miri.sh handovers"* | ci/loom.sh* | ci/park.sh* | ci/bounds.sh*)
            case " ${CONEX_PASSED:-} " in *" $(echo "$1" | sed -n 's,^\(CONEX_SEEDS=1 \)*ci/\([a-z]*\)\.sh.*,\2,p') "*) return 0 ;; esac ;;
    esac
    echo "$1" >>"$work/rungs"
}
# Tries what was asked for, until all workers are done.
prove() {
    n=0
    while :; do
        over=$([ ! -e "$work/over" ] || echo yes)
        if [ $n -lt "$(wc -l <"$work/rungs")" ]; then
            n=$((n + 1))
            by=$(sed -n "${n}p" "$work/rungs")
            [ ! -e "$(answer "$by")" ] || continue
            sound_begin=$(date +%s)
            if run sound "$by"; then
                echo yes >"$(answer "$by")"
                took=$(($(date +%s) - sound_begin))
                [ $took -le $soon ] || [ "$longest_here" -gt $longest ] || say "'$by' takes $took s without any mutant: more than $soon" >&2
            elif late; then
                echo late >"$(answer "$by")"
            else
                cat "$work/sound/out.txt"
                say "'$by' fails without any mutant" >&2
                echo no >"$(answer "$by")"
            fi
        elif [ -n "$over" ]; then
            break
        else
            sleep 1
        fi
    done
}

# verdict NAME WORD : keeps it for the end.
verdict() { echo "$1 $2" >>"$table"; }

# one N NAME : plants a bug in a worker's tree, has it looked for, and takes it out again.
one() {
    by=$(field "$2" rung) file=$(field "$2" file) why=$(field "$2" survives)
    case $named in *" $2 "*) why= ;; esac
    [ -n "$why" ] || ask "$by"
    tree=$work/$1/tree
    if ! plant "$mutants/$2.mutant" "$tree"; then
        verdict "$2" UNFIT
        return
    fi
    begin=$(date +%s)
    if [ -n "$why" ]; then
        word=survives
        run "$1" "cargo check --quiet --lib" || word=UNFIT
    else
        status=0
        run "$1" "$by" || status=$?
        if [ $status = 0 ]; then
            word=SURVIVED
        elif [ $status != 124 ] || [ -n "$(field "$2" hangs)" ]; then
            word=killed
        elif late; then
            word=late
        else
            word=HANGS
        fi
        # A mutant that does not compile says nothing of the rung.
        # shellcheck disable=SC2016 # a text
        ! grep -q 'could not compile `conex`' "$work/$1/out.txt" || word=UNFIT
    fi
    case $word in
        survives) say "$2 survives, as is known: $why" ;;
        late) say "$2: '$by' was not done in time" ;;
        UNFIT) cat "$work/$1/out.txt" && say "$2 does not compile" >&2 ;;
        HANGS) cat "$work/$1/out.txt" && say "$2: '$by' did not end in $longest_here s, and nothing says that it should not: no proof" >&2 ;;
        *) say "$2: $word by '$by' in $(($(date +%s) - begin)) s: $(sed -n '1s/^# //p' "$mutants/$2.mutant")" ;;
    esac
    verdict "$2" $word
    cp "$work/sound/tree/$file" "$tree/$file"
    touch "$tree/$file" # newer than what was built with the mutant
}

worker() {
    prepare "$1"
    for name in $names; do
        if [ -n "$limit" ] && [ "$(date +%s)" -ge "$end" ]; then break; fi
        if [ "${first:-}" = --rest ] && grep -q "^$name " "$work/before"; then continue; fi
        if mkdir "$work/claims/$name" 2>/dev/null; then one "$1" "$name"; fi
    done
}

first=${1:-}
cp "$table" "$work/before"
end=$(($(date +%s) + ${limit:-0}))
prepare sound
: >"$work/rungs"
prove &
prover=$!
workers=
for n in $(seq "$jobs"); do
    worker "$n" &
    workers="$workers $!"
done
early=
for pid in $workers; do wait "$pid" || early=yes; done
: >"$work/over"
wait $prover || early=yes
[ -z "$early" ] || { say "something of it has ended before its time" >&2 && exit 1; }
while read -r name word; do
    said=$(cat "$(answer "$(field "$name" rung)")" 2>/dev/null || true)
    if [ "$word" = killed ] && [ "$said" = no ]; then word=UNSOUND; fi
    if [ "$word" != late ] && [ "$said" != late ]; then echo "$name $word"; fi
done <"$table" >"$work/judged"
cp "$work/judged" "$table"

killed=$(grep -c ' killed$' "$table" || true)
known=$(grep -c ' survives$' "$table" || true)
total=$(($(wc -l <"$table") - known))
# Of each kind of rung: how many.
while read -r name word; do echo "$(field "$name" rung | sed 's/^\([A-Z_]*=[^ ]* \)*//; s,^ci/\([a-z]*\)\.sh.*,\1,; s/^cargo test.*/test/') $word"; done <"$table" |
    awk '$2 == "survives" {known[$1]++; total[$1] += 0; next} {total[$1]++} $2 == "killed" {killed[$1]++}
        END {for (rung in total) printf "  %-16s %d/%d killed%s\n", rung, killed[rung], total[rung], known[rung] ? ", " known[rung] " more known to survive" : ""}' | sort
say "killed $killed of $total; $known more are known to survive"
[ "$killed" = "$total" ] || { grep -v -e ' killed$' -e ' survives$' "$table" && exit 1; }
[ $((total + known)) -gt 0 ] || { say "none was done in time" >&2 && exit 1; }
report "$total" "mutants killed, each by the rung that it names"
