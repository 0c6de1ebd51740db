/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The map in C: every function, every ordinary status, with words, byte strings and owned values. */
#include <conex/conex.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

/* ---- words ---------------------------------------------------------------------------------------------------- */

static int32_t add_one(const void *key, size_t key_len, const void *old, void *value, void *ctx) {
    uint64_t v = 0;
    (void)key;
    CHECK(key_len == 8);
    if (old != NULL) memcpy(&v, old, sizeof v);
    v++;
    memcpy(value, &v, sizeof v);
    ++*(int *)ctx;
    return CONEX_STORE;
}

static int32_t decide(const void *key, size_t key_len, const void *old, void *value, void *ctx) {
    (void)key;
    (void)key_len;
    (void)old;
    (void)value;
    return *(int32_t *)ctx;
}

static int32_t make_seven(void *value, void *ctx) {
    uint64_t v = 7;
    memcpy(value, &v, sizeof v);
    ++*(int *)ctx;
    return 0;
}

static int32_t make_nothing(void *value, void *ctx) {
    (void)value;
    (void)ctx;
    return CONEX_ERR_NO_MEMORY;
}

struct seen {
    unsigned char key[4096];
    size_t count;
    size_t stop_at;
    int32_t answer;
};

static int32_t see(const void *key, size_t key_len, const void *value, void *ctx) {
    struct seen *s = ctx;
    uint64_t k, v;
    CHECK(key_len == 8);
    memcpy(&k, key, sizeof k);
    memcpy(&v, value, sizeof v);
    CHECK(v == k * 3);
    CHECK(k < sizeof s->key && s->key[k] == 0);
    s->key[k] = 1;
    s->count++;
    return s->count == s->stop_at ? s->answer : 0;
}

static int32_t keep_even(const void *key, size_t key_len, const void *value, void *ctx) {
    uint64_t k;
    (void)key_len;
    (void)value;
    (void)ctx;
    memcpy(&k, key, sizeof k);
    return k % 2 == 0;
}

static void words(void) {
    conex_map *m = NULL;
    uint64_t k = 1, k2 = 2, v = 10, v2 = 20, out = 99;
    int runs = 0;
    int32_t answer;
    bool flag;
    size_t n;
    conex_change change;

    CHECK(conex_map_new(NULL, &m) == CONEX_OK);
    CHECK(conex_map_is_empty(m, &flag) == CONEX_OK && flag);
    CHECK(conex_map_len(m, &n) == CONEX_OK && n == 0);
    CHECK(conex_map_get(m, &k, 8, &out) == CONEX_NOT_FOUND && out == 99);
    CHECK(conex_map_contains(m, &k, 8, &flag) == CONEX_OK && !flag);
    CHECK(conex_map_replace(m, &k, 8, &v, &out) == CONEX_NOT_FOUND && out == 99);
    CHECK(conex_map_remove(m, &k, 8, &out) == CONEX_NOT_FOUND && out == 99);
    CHECK(conex_map_remove(m, &k, 8, NULL) == CONEX_NOT_FOUND);
    CHECK(conex_map_compare_exchange(m, &k, 8, &v, &v2, &out) == CONEX_NOT_FOUND && out == 99);

    CHECK(conex_map_insert(m, &k, 8, &v, &out) == CONEX_OK && out == 99);
    CHECK(conex_map_insert(m, &k, 8, &v2, &out) == CONEX_EXISTS && out == 10);
    CHECK(conex_map_insert(m, &k, 8, &v2, NULL) == CONEX_EXISTS);
    CHECK(conex_map_get(m, &k, 8, &out) == CONEX_OK && out == 10);
    CHECK(conex_map_contains(m, &k, 8, &flag) == CONEX_OK && flag);
    CHECK(conex_map_is_empty(m, &flag) == CONEX_OK && !flag);
    CHECK(conex_map_len(m, &n) == CONEX_OK && n == 1);

    out = 99;
    CHECK(conex_map_upsert(m, &k2, 8, &v2, &out) == CONEX_OK && out == 99);
    CHECK(conex_map_upsert(m, &k2, 8, &v, &out) == CONEX_EXISTS && out == 20);
    CHECK(conex_map_upsert(m, &k2, 8, &v, NULL) == CONEX_EXISTS);
    CHECK(conex_map_replace(m, &k2, 8, &v2, &out) == CONEX_OK && out == 10);
    CHECK(conex_map_replace(m, &k2, 8, &v2, NULL) == CONEX_OK);
    CHECK(conex_map_compare_exchange(m, &k2, 8, &v, &v, &out) == CONEX_MISMATCH && out == 20);
    CHECK(conex_map_compare_exchange(m, &k2, 8, &v, &v, NULL) == CONEX_MISMATCH);
    CHECK(conex_map_compare_exchange(m, &k2, 8, &v2, &v, &out) == CONEX_OK);
    CHECK(conex_map_get(m, &k2, 8, &out) == CONEX_OK && out == 10);
    CHECK(conex_map_remove(m, &k2, 8, &out) == CONEX_OK && out == 10);
    CHECK(conex_map_get(m, &k2, 8, &out) == CONEX_NOT_FOUND);

    CHECK(conex_map_update(m, &k2, 8, add_one, &runs, &change) == CONEX_OK && change == CONEX_INSERTED && runs == 1);
    CHECK(conex_map_update(m, &k2, 8, add_one, &runs, &change) == CONEX_OK && change == CONEX_REPLACED);
    CHECK(conex_map_update(m, &k2, 8, add_one, &runs, NULL) == CONEX_OK);
    CHECK(conex_map_get(m, &k2, 8, &out) == CONEX_OK && out == 3);
    answer = CONEX_KEEP;
    CHECK(conex_map_update(m, &k2, 8, decide, &answer, &change) == CONEX_OK && change == CONEX_UNCHANGED);
    answer = CONEX_REMOVE;
    CHECK(conex_map_update(m, &k2, 8, decide, &answer, &change) == CONEX_OK && change == CONEX_REMOVED);
    CHECK(conex_map_update(m, &k2, 8, decide, &answer, &change) == CONEX_OK && change == CONEX_UNCHANGED);
    answer = CONEX_ERR_STALLED;
    CHECK(conex_map_update(m, &k, 8, decide, &answer, &change) == CONEX_ERR_STALLED);
    CHECK(conex_map_get(m, &k, 8, &out) == CONEX_OK && out == 10);

    runs = 0;
    CHECK(conex_map_get_or_insert(m, &k2, 8, make_seven, &runs, &out) == CONEX_OK && out == 7 && runs == 1);
    CHECK(conex_map_get_or_insert(m, &k, 8, make_seven, &runs, &out) == CONEX_EXISTS && out == 10 && runs == 1);
    CHECK(conex_map_get_or_insert(m, &k, 8, make_seven, &runs, NULL) == CONEX_EXISTS);
    CHECK(conex_map_remove(m, &k2, 8, NULL) == CONEX_OK);
    CHECK(conex_map_get_or_insert(m, &k2, 8, make_nothing, NULL, &out) == CONEX_ERR_NO_MEMORY && out == 10);
    CHECK(conex_map_contains(m, &k2, 8, &flag) == CONEX_OK && !flag);
    CHECK(conex_map_get_or_insert(m, &k2, 8, make_seven, &runs, NULL) == CONEX_OK);

    CHECK(conex_map_fetch_add(m, &k2, 8, 3, &out) == CONEX_OK && out == 7);
    CHECK(conex_map_fetch_add(m, &k2, 8, UINT64_MAX, NULL) == CONEX_OK);
    CHECK(conex_map_get(m, &k2, 8, &out) == CONEX_OK && out == 9);
    k = 77;
    CHECK(conex_map_fetch_add(m, &k, 8, 5, &out) == CONEX_OK && out == 0);
    CHECK(conex_map_get(m, &k, 8, &out) == CONEX_OK && out == 5);
    CHECK(conex_map_clear(m) == CONEX_OK);
    CHECK(conex_map_is_empty(m, &flag) == CONEX_OK && flag);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(conex_map_destroy(NULL) == CONEX_OK);
}

static void whole(void) {
    enum { entries = 3000 };
    static struct seen s;
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    conex_map_stats stats = CONEX_MAP_STATS_INIT;
    conex_map *m = NULL;
    uint64_t k, v, cursor, *keys, *values;
    conex_status *statuses, status;
    size_t n, before;

    o.capacity = 10;
    o.seed = 1;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    CHECK(conex_map_reserve(m, 100) == CONEX_OK);
    keys = malloc(entries * sizeof *keys);
    values = malloc(entries * sizeof *values);
    statuses = malloc(entries * sizeof *statuses);
    if (keys == NULL || values == NULL || statuses == NULL) {
        CHECK(0);
        return;
    }
    for (k = 0; k < entries; k++) {
        keys[k] = k;
        values[k] = k * 3;
    }
    k = 5;
    v = 15;
    CHECK(conex_map_insert(m, &k, 8, &v, NULL) == CONEX_OK);
    n = 0;
    CHECK(conex_map_insert_n(m, keys, values, entries, statuses, &n) == CONEX_OK && n == entries - 1);
    for (k = 0; k < entries; k++) CHECK(statuses[k] == (k == 5 ? CONEX_EXISTS : CONEX_OK));
    CHECK(conex_map_insert_n(m, NULL, NULL, 0, NULL, &n) == CONEX_OK && n == 0);
    memset(values, 0, entries * sizeof *values);
    keys[7] = 100000;
    CHECK(conex_map_get_n(m, keys, entries, values, statuses, &n) == CONEX_OK && n == entries - 1);
    for (k = 0; k < entries; k++) {
        CHECK(statuses[k] == (k == 7 ? CONEX_NOT_FOUND : CONEX_OK));
        if (k != 7) CHECK(values[k] == k * 3);
    }
    CHECK(conex_map_get_n(m, keys, 1, values, statuses, NULL) == CONEX_OK);
    keys[7] = 7;

    CHECK(conex_map_stats_get(m, &stats) == CONEX_OK);
    CHECK(stats.struct_size == sizeof stats && stats.entries == entries && stats.buckets > 0 && stats.growths > 0);

    CHECK(conex_map_for_each(m, see, &s) == CONEX_OK && s.count == entries);
    memset(&s, 0, sizeof s);
    s.stop_at = 10;
    s.answer = 1;
    CHECK(conex_map_for_each(m, see, &s) == CONEX_OK && s.count == 10);
    memset(&s, 0, sizeof s);
    s.stop_at = 10;
    s.answer = CONEX_ERR_INVALID;
    CHECK(conex_map_for_each(m, see, &s) == CONEX_ERR_INVALID && s.count == 10);
    memset(&s, 0, sizeof s);
    cursor = 0;
    do {
        before = s.count;
        status = conex_map_scan(m, &cursor, 100, see, &s);
        CHECK(status == CONEX_OK || status == CONEX_EMPTY);
        CHECK(s.count > before || status == CONEX_EMPTY);
    } while (status == CONEX_OK);
    CHECK(cursor == 0 && s.count == entries);

    CHECK(conex_map_retain(m, keep_even, NULL, &n) == CONEX_OK && n == entries / 2);
    CHECK(conex_map_retain(m, keep_even, NULL, NULL) == CONEX_OK);
    CHECK(conex_map_remove_n(m, keys, entries, statuses, &n) == CONEX_OK && n == entries / 2);
    for (k = 0; k < entries; k++) CHECK(statuses[k] == (k % 2 == 0 ? CONEX_OK : CONEX_NOT_FOUND));
    CHECK(conex_map_shrink(m) == CONEX_OK);
    CHECK(conex_map_len(m, &n) == CONEX_OK && n == 0);
    cursor = 0;
    CHECK(conex_map_scan(m, &cursor, 1, see, &s) == CONEX_EMPTY && cursor == 0);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    free(keys);
    free(values);
    free(statuses);
}

/* ---- byte strings as keys, owned strings as values -------------------------------------------------------------- */

static long alive = 0;

static char *copy_of(const char *text) {
    char *made = malloc(strlen(text) + 1);
    if (made == NULL) abort();
    strcpy(made, text);
    alive++;
    return made;
}

static void drop_string(void *element, void *ctx) {
    CHECK(ctx == &alive);
    free(*(char **)element);
    alive--;
}

static int32_t clone_string(void *to, const void *from, void *ctx) {
    CHECK(ctx == &alive);
    *(char **)to = copy_of(*(char *const *)from);
    return 0;
}

static int32_t refuse_clone(void *to, const void *from, void *ctx) {
    (void)to;
    (void)from;
    (void)ctx;
    return CONEX_ERR_NO_MEMORY;
}

static void strings(void) {
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    conex_map *m = NULL;
    conex_domain *home = NULL;
    conex_guard *g = NULL;
    char *v, *out = NULL;
    const void *ref = NULL;
    conex_bytes keys[3];
    conex_status statuses[3];
    char *values[3] = {NULL, NULL, NULL};
    bool flag;
    size_t n;

    CHECK(conex_domain_new(NULL, &home) == CONEX_OK);
    o.key = CONEX_KEY_BYTES;
    o.value.drop = drop_string;
    o.value.clone = clone_string;
    o.value.ctx = &alive;
    o.domain = home;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    v = copy_of("one");
    CHECK(conex_map_insert(m, "key", 3, &v, NULL) == CONEX_OK);
    CHECK(conex_map_get(m, "key", 3, &out) == CONEX_OK && strcmp(out, "one") == 0);
    drop_string(&out, &alive);
    CHECK(conex_map_get(m, "ke", 2, &out) == CONEX_NOT_FOUND);
    CHECK(conex_map_get(m, "key\0", 4, &out) == CONEX_NOT_FOUND);

    /* the empty key is a key */
    v = copy_of("empty");
    CHECK(conex_map_upsert(m, "", 0, &v, NULL) == CONEX_OK);
    CHECK(conex_map_contains(m, "", 0, &flag) == CONEX_OK && flag);

    /* references under a guard outlive the entry */
    CHECK(conex_guard_enter(home, &g) == CONEX_OK);
    CHECK(conex_map_get_ref(m, g, "none", 4, &ref) == CONEX_NOT_FOUND && ref == NULL);
    CHECK(conex_map_get_ref(m, g, "key", 3, &ref) == CONEX_OK && ref != NULL);
    v = copy_of("two");
    CHECK(conex_map_upsert(m, "key", 3, &v, &out) == CONEX_EXISTS && strcmp(out, "one") == 0);
    drop_string(&out, &alive);
    CHECK(strcmp(*(char *const *)ref, "one") == 0);
    CHECK(conex_map_remove(m, "key", 3, &out) == CONEX_OK && strcmp(out, "two") == 0);
    drop_string(&out, &alive);
    CHECK(strcmp(*(char *const *)ref, "one") == 0);
    CHECK(conex_guard_leave(g) == CONEX_OK);

    /* comparing bytes of owned values makes no sense */
    v = copy_of("x");
    CHECK(conex_map_compare_exchange(m, "", 0, &v, &v, NULL) == CONEX_ERR_INVALID);
    CHECK(conex_map_fetch_add(m, "", 0, 1, NULL) == CONEX_ERR_INVALID);
    CHECK(conex_map_insert(m, "", 0, &v, &out) == CONEX_EXISTS && strcmp(out, "empty") == 0);
    drop_string(&out, &alive);
    drop_string(&v, &alive);

    keys[0].data = "a";
    keys[0].len = 1;
    keys[1].data = "";
    keys[1].len = 0;
    keys[2].data = "ccc";
    keys[2].len = 3;
    values[0] = copy_of("A");
    values[1] = copy_of("B");
    values[2] = copy_of("C");
    CHECK(conex_map_insert_n(m, keys, values, 3, statuses, &n) == CONEX_OK && n == 2);
    CHECK(statuses[0] == CONEX_OK && statuses[1] == CONEX_EXISTS && statuses[2] == CONEX_OK);
    drop_string(&values[1], &alive);
    memset(values, 0, sizeof values);
    keys[0].data = "none";
    keys[0].len = 4;
    CHECK(conex_map_get_n(m, keys, 3, values, statuses, &n) == CONEX_OK && n == 2);
    CHECK(statuses[0] == CONEX_NOT_FOUND && strcmp(values[1], "empty") == 0 && strcmp(values[2], "C") == 0);
    drop_string(&values[1], &alive);
    drop_string(&values[2], &alive);
    CHECK(conex_map_remove_n(m, keys, 3, statuses, &n) == CONEX_OK && n == 2);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(alive == 0);

    /* a clone that fails changes nothing; a value without clone cannot be copied out */
    o.value.clone = refuse_clone;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    v = copy_of("one");
    CHECK(conex_map_insert(m, "key", 3, &v, NULL) == CONEX_OK);
    out = NULL;
    CHECK(conex_map_get(m, "key", 3, &out) == CONEX_ERR_NO_MEMORY && out == NULL);
    CHECK(conex_map_remove(m, "key", 3, &out) == CONEX_ERR_NO_MEMORY && out == NULL);
    v = copy_of("two");
    CHECK(conex_map_upsert(m, "key", 3, &v, &out) == CONEX_ERR_NO_MEMORY && out == NULL);
    CHECK(conex_map_replace(m, "key", 3, &v, &out) == CONEX_ERR_NO_MEMORY && out == NULL);
    CHECK(conex_map_contains(m, "key", 3, &flag) == CONEX_OK && flag);
    CHECK(conex_map_replace(m, "key", 3, &v, NULL) == CONEX_OK);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(alive == 0);
    o.value.clone = NULL;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    v = copy_of("one");
    CHECK(conex_map_insert(m, "key", 3, &v, NULL) == CONEX_OK);
    CHECK(conex_map_get(m, "key", 3, &out) == CONEX_ERR_INVALID);
    CHECK(conex_map_remove(m, "key", 3, &out) == CONEX_ERR_INVALID);
    CHECK(conex_map_remove(m, "key", 3, NULL) == CONEX_OK);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(alive == 0);
    CHECK(conex_domain_destroy(home) == CONEX_OK);
}

/* ---- the user's own hash and equality --------------------------------------------------------------------------- */

static uint64_t hash_text(const void *key, size_t key_len, uint64_t seed, void *ctx) {
    CHECK(key_len == sizeof(char *));
    CHECK(ctx == &alive);
    return (uint64_t)(unsigned char)**(char *const *)key ^ seed;
}

static bool equal_text(const void *a, size_t a_len, const void *b, size_t b_len, void *ctx) {
    CHECK(a_len == sizeof(char *) && b_len == sizeof(char *));
    CHECK(ctx == &alive);
    return strcmp(*(char *const *)a, *(char *const *)b) == 0;
}

static void own_functions(void) {
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    conex_map *m = NULL;
    char text[4] = "aaa";
    char *key = text;
    const char *again = "aab";
    uint64_t v, out;
    size_t n;

    o.key_element.size = sizeof(char *);
    o.key_element.align = sizeof(char *);
    o.key_element.drop = drop_string;
    o.key_element.clone = clone_string;
    o.key_element.ctx = &alive;
    o.hash = hash_text;
    o.equal = equal_text;
    o.key_ctx = &alive;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    for (v = 0; v < 26; v++) {
        text[2] = (char)('a' + (int)v);
        CHECK(conex_map_insert(m, &key, sizeof key, &v, NULL) == CONEX_OK);
        CHECK(conex_map_insert(m, &key, sizeof key, &v, NULL) == CONEX_EXISTS);
    }
    CHECK(alive == 26); /* the map has its own copies, and no more than it needs */
    CHECK(conex_map_get(m, &again, sizeof again, &out) == CONEX_OK && out == 1);
    CHECK(conex_map_remove(m, &again, sizeof again, &out) == CONEX_OK && out == 1);
    CHECK(conex_map_len(m, &n) == CONEX_OK && n == 25);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(alive == 0);
}

int main(void) {
    words();
    whole();
    strings();
    own_functions();
    return check_result();
}
