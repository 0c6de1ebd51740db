// The map cases, each kind in a file of its own: map_single.hpp, map_mixed.hpp, map_growth.hpp, map_hot.hpp.
//
// An adapter is a class template over the key (`word_key` or `text_key`) and the value (`std::uint64_t` or `wide_value`):
//     explicit M(std::size_t room)            entries to make room for; 0 = start empty (ignored by maps that cannot grow
//                                             unless `static constexpr bool presized = true`: then the final size is given)
//     struct session { explicit session(M&);
//         bool get(K, V&); bool insert(K, const V&);    // if absent
//         void upsert(K, const V&); bool erase(K); }
// and optionally in the session: add(K, std::uint64_t) (insert or add), std::size_t get_n(const K*, V*, std::size_t),
// for_each(F) with F(const V&), tick(). `static constexpr bool erases = false` where keys cannot be erased while others run,
// `updates = false` where the value of a key cannot be changed (upsert is not called then).
#pragma once

#include "map_growth.hpp"
#include "map_hot.hpp"
#include "map_mixed.hpp"
#include "map_single.hpp"

namespace bench {

// What an adapter can hold besides words.
struct map_traits {
    std::size_t max_entries = ~std::size_t{0};
    bool mixes = true;  // the mixed cases; off for a form that another form of the same library stands for
};

template <class M, class = void>
struct takes_text : std::true_type {};
template <class M>
struct takes_text<M, std::void_t<decltype(M::words_only)>> : std::bool_constant<!M::words_only> {};

template <template <class, class> class Map>
void add_map(const char* name, const char* peer, semantics sem, map_traits t = {}) {
    contestant c{"map", name, peer, sem, {}};
    const auto add = [&](const std::string& id, auto fn) {
        c.cases.emplace_back(id, [fn, full = "map/" + id](const params& p, report& r) { fn(p, r, full); });
    };
    using single = map_single<Map, word_key, std::uint64_t>;
    using mixed = map_mixed<Map, word_key, std::uint64_t>;
    using growth = map_growth<Map, word_key, std::uint64_t>;
    using hot = map_hot<Map, word_key, std::uint64_t>;
    add("single-u64", single::run);
    const std::pair<const char*, std::uint32_t> sizes[] = {{"10k", 10'000}, {"1M", 1'000'000}, {"10M", 10'000'000}};
    for (const auto& s : sizes)
        if (t.mixes && s.second <= t.max_entries)
            add(std::string("mixed-u64-") + s.first,
                [n = s.second](const params& p, report& r, const std::string& id) { mixed::run(p, r, id, n, {2, 8}); });
    for (const int threads : {2, 8})
        add("grow-u64-" + std::to_string(threads) + "t",
            [threads](const params& p, report& r, const std::string& id) { growth::grow(p, r, id, threads); });
    for (const int threads : {1, 2})
        add("pause-u64-" + std::to_string(threads) + "t",
            [threads](const params& p, report& r, const std::string& id) { growth::pauses(p, r, id, threads); });
    if constexpr (can_update<Map<word_key, std::uint64_t>>::value)
        add("hot-u64", [](const params& p, report& r, const std::string& id) { hot::run(p, r, id, {2, 8}); });
    if constexpr (takes_text<Map<word_key, std::uint64_t>>::value) {
        using mixed_text = map_mixed<Map, text_key, std::uint64_t>;
        using mixed_wide = map_mixed<Map, word_key, wide_value>;
        add("single-text", map_single<Map, text_key, std::uint64_t>::run);
        if (t.mixes)
            add("mixed-text-1M",
                [](const params& p, report& r, const std::string& id) { mixed_text::run(p, r, id, 1'000'000, {2}); });
        using hot_text = map_hot<Map, text_key, std::uint64_t>;
        if constexpr (has_add<typename Map<text_key, std::uint64_t>::session, std::string_view>::value)
            add("hot-text", [](const params& p, report& r, const std::string& id) { hot_text::count(p, r, id, {2, 8}); });
        add("single-wide", map_single<Map, word_key, wide_value>::run);
        if (t.mixes)
            add("mixed-wide-1M",
                [](const params& p, report& r, const std::string& id) { mixed_wide::run(p, r, id, 1'000'000, {2}); });
    }
    contestants().push_back(std::move(c));
}

}  // namespace bench
