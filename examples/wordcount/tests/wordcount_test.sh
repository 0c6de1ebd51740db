#!/bin/sh
# Tests wordcount against an independent count with grep, sort and uniq, and all its ways to fail.
#   wordcount_test.sh PROGRAM
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL

die() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect CODE TEXT ARGUMENT... : the program ends with CODE, and what it says holds TEXT. After an error there is no table.
expect() {
    code=$1 text=$2
    shift 2
    got=0
    "$program" "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" -eq "$code" ] || die "wordcount $* ended with $got, not $code: $(cat "$work/err")"
    grep -q -e "$text" "$work/out" "$work/err" || die "wordcount $* does not say '$text': $(cat "$work/out" "$work/err")"
    [ "$code" -ne 2 ] || [ ! -s "$work/out" ] || die "wordcount $* failed and still printed: $(cat "$work/out")"
    echo "ok: wordcount $* -> $code, $text"
}

# A corpus with everything that could go wrong at a seam: files larger than a buffer, words across its end, an empty
# file, UTF-8, markup, a binary file, a file name with a space, many small files.
mkdir -p "$work/text/sub folder"
awk 'BEGIN { srand(7); for (i = 0; i < 300000; i++) {
    n = int(exp(rand() * 8)); w = ""; while (n > 0) { w = w sprintf("%c", 97 + n % 26); n = int(n / 26) }
    printf "%s%s", (i % 11 ? w : toupper(w)), (i % 13 ? " " : ", the\n") } }' >"$work/text/large.txt"
tr -d '\n' <"$work/text/large.txt" >"$work/text/sub folder/one line.txt"
awk 'BEGIN { for (i = 0; i < 50000; i++) printf "x%dy ", i }' >"$work/text/digits.txt"
printf 'na\303\257ve \342\200\234quoted\342\200\235 \316\261\316\262\316\263 \342\200\224 don\342\200\231t stop\302\240here\n' >"$work/text/utf8.txt"
: >"$work/text/empty.txt"
printf 'last word without a newline' >"$work/text/end.txt"
head -c 131072 /dev/zero | tr '\0' 'q' >"$work/text/exactly_one_buffer.txt"
for i in 1 2 3 4 5 6 7 8 9; do printf 'small file number %d\n' "$i" >"$work/text/sub folder/$i.txt"; done

# What a word is, said once more in another language (words.hpp has the first). Prints "count word".
count_words() {
    find "$1" -type f -exec cat {} + | grep -aoP '[A-Za-z\xC3-\xE1\xE3-\xFF][A-Za-z0-9\x80-\xC1\xC3-\xE1\xE3-\xFF]*' |
        tr '[:upper:]' '[:lower:]' | sort | uniq -c | awk '{ print $1, $2 }' | sort
}
# The same from the program's table: rank, word, count with spaces between its digits' groups, share with a decimal point.
table_counts() {
    awk '/^ *[0-9]+  / { n = ""; for (i = 3; i <= NF && $i ~ /^[0-9]+$/; i++) n = n $i; print n, $2 }' | sort
}
# A file's end ends a word: the oracle sees one stream, so each file gets a newline there first.
mkdir "$work/lines"
find "$work/text" -type f | while read -r file; do { cat "$file"; echo; } >"$work/lines/$(echo "$file" | tr / _)"; done
count_words "$work/lines" >"$work/expected"
[ "$(wc -l <"$work/expected")" -gt 2000 ] || die "the corpus has only $(wc -l <"$work/expected") different words"

for threads in 1 2 7; do
    "$program" --threads "$threads" --top 1000000 "$work/text" >"$work/table"
    table_counts <"$work/table" >"$work/counted"
    diff "$work/expected" "$work/counted" >"$work/diff" || die "--threads $threads counts differently: $(head -n 5 "$work/diff")"
    echo "ok: --threads $threads counts $(wc -l <"$work/counted") words as grep does"
done

expect 0 'All 3 counted the same' --compare --threads 3 "$work/text"
expect 0 'with 1 thread:' --threads 1 "$work/text/utf8.txt"
[ "$("$program" --top 3 "$work/text" | table_counts | wc -l)" -eq 3 ] || die "--top 3 prints other than 3 words"
[ "$("$program" "$work/text" | table_counts | wc -l)" -eq 20 ] || die "the table has other than 20 words"

# In HTML, tags and entities are not words, wherever a buffer ends.
awk 'BEGIN { for (i = 0; i < 40000; i++) printf "<p class=\"c\">one &amp; two<br/>" }' >"$work/page.html"
"$program" "$work/page.html" | table_counts >"$work/counted"
[ "$(cat "$work/counted")" = "$(printf '40000 one\n40000 two')" ] || die "HTML: $(cat "$work/counted")"

# Several paths are all counted, a binary file is not, and nothing is nothing.
printf 'zero \000 byte\n' >"$work/binary"
expect 0 '^8 words, 8 different' "$work/text/sub folder/1.txt" -- "$work/text/end.txt" "$work/binary"
expect 0 '^0 words, 0 different' "$work/text/empty.txt"
mkdir "$work/nothing"
expect 0 'in 0 files' "$work/nothing"
expect 0 'usage:' --help

expect 2 "there is no file or folder '$work/absent'" "$work/text" "$work/absent"
expect 2 'neither a file nor a folder' /dev/null
expect 2 'needs a number from 1 to 1024' --threads 0 "$work/text"
expect 2 "not '-1'" --threads -1 "$work/text"
expect 2 "not '2x'" --threads 2x "$work/text"
expect 2 'needs a number' "$work/text" --threads
expect 2 'needs a number' --top 0 "$work/text"
expect 2 "no option '--fast'" --fast "$work/text"
expect 2 'there is no file' ''
# A file that opens and then cannot be read, for root too.
[ ! -e /proc/self/mem ] || expect 2 'cannot read /proc/self/mem' "$work/text" /proc/self/mem
[ ! -e /proc/self/mem ] || expect 2 'cannot read /proc/self/mem' --compare /proc/self/mem
if [ "$(id -u)" -ne 0 ]; then
    cp "$work/text/utf8.txt" "$work/text/secret.txt"
    chmod 000 "$work/text/secret.txt"
    expect 2 'secret.txt: Permission denied' "$work/text"
fi
if [ -e /dev/full ]; then
    got=0
    "$program" "$work/text" >/dev/full 2>"$work/err" || got=$?
    [ "$got" -eq 2 ] || die "a full disk goes unnoticed: exit code $got"
fi
echo "all passed"
