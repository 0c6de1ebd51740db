// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// Operations of `conex::map` on ranges of keys, in groups that fit on the stack: no allocation, and the library can
/// prefetch a group at once.
#ifndef CONEX_DETAIL_MAP_BATCH_HPP
#define CONEX_DETAIL_MAP_BATCH_HPP

#include <conex/detail/map_core.hpp>

#include <optional>

namespace conex::detail {

/// Keys to a call: at most 32, fewer for entries so large that 32 of them would strain the stack.
template <std::size_t EntrySize>
constexpr std::size_t group_size = EntrySize >= 8192       ? 1
                                   : 8192 / EntrySize < 32 ? 8192 / EntrySize
                                                           : 32;

/// A group's keys are only lent, so what an iterator yields must outlive the step to the next one.
template <class Yielded, class K>
constexpr bool yields_lasting_keys = std::is_reference_v<Yielded> || std::is_trivially_copyable_v<K> ||
                                     std::is_same_v<std::remove_cv_t<Yielded>, std::string_view>;

/// Values offered to the map, some of which it takes. The others go back to where they were moved from.
template <class V, std::size_t N>
class value_group {
public:
    explicit value_group(memory* owner) noexcept : owner_(owner) {}
    value_group(const value_group&) = delete;
    value_group& operator=(const value_group&) = delete;
    ~value_group() {
        for (std::size_t i = 0; i < count_; ++i) {
            if (taken_[i]) continue;
            if constexpr (std::is_nothrow_move_constructible_v<V>) {
                if (lender_[i] != nullptr) restore(*lender_[i], object_at<V>(slot(i)));
            }
            end<V>(owner_, slot(i));
        }
    }

    template <class U>
    void add(U&& value) {
        lender_[count_] = nullptr;
        taken_[count_] = false;
        if constexpr (std::is_lvalue_reference_v<U>) {
            construct(value);
        } else {
            construct(std::move_if_noexcept(value));
            lender_[count_] = std::addressof(value);
        }
        ++count_;
    }

    [[nodiscard]] const void* data() const noexcept { return row_; }
    void taken(std::size_t index) noexcept { taken_[index] = true; }

private:
    unsigned char* slot(std::size_t index) noexcept { return row_ + index * sizeof(image<V>); }

    template <class U>
    void construct(U&& value) {
        if (!try_construct<V>(owner_, slot(count_), std::forward<U>(value))) raise(CONEX_ERR_NO_MEMORY);
    }

    memory* owner_;
    std::size_t count_ = 0;
    V* lender_[N];
    bool taken_[N];
    alignas(image<V>) unsigned char row_[N * sizeof(image<V>)];
};

/// \return how many keys were found.
template <class Core, class V, class It, class Out>
std::size_t map_get_n(const Core& core, It first, It last, Out& out) {
    using keys = typename Core::keys;
    constexpr std::size_t group = group_size<sizeof(V) + sizeof(typename keys::row_entry)>;
    std::size_t found = 0;
    while (first != last) {
        typename keys::template probes<group> row(core.functions());
        for (; first != last && row.size() < group; ++first) row.add(*first);
        alignas(V) unsigned char values[sizeof(V) * group];
        conex_status statuses[group];
        std::size_t count = 0;
        typename keys::doubt doubt(on_throw::miss);
        core.before();
        const conex_status status = conex_map_get_n(core.native(), row.data(), row.size(), values, statuses, &count);
        core.after();
        doubt.check(status);
        for (std::size_t i = 0; i < row.size(); ++i, ++out) {
            if (statuses[i] == CONEX_OK) {
                *out = std::optional<V>(object_at<V>(values + i * sizeof(V)));
            } else {
                *out = std::optional<V>();
            }
        }
        found += count;
    }
    return found;
}

/// \return how many entries were inserted.
template <class Core, class V, class It>
std::size_t map_insert_n(Core& core, It first, It last) {
    using keys = typename Core::keys;
    constexpr std::size_t group = group_size<sizeof(image<V>) + sizeof(typename keys::row_entry)>;
    std::size_t inserted = 0;
    while (first != last) {
        typename keys::template probes<group> row(core.functions());
        value_group<V, group> values(core.owner());
        for (; first != last && row.size() < group; ++first) {
            auto&& entry = *first;
            static_assert(std::is_reference_v<decltype(*first)>,
                          "conex: insert_n needs iterators that yield references");
            row.add(entry.first);
            values.add(std::forward<decltype(entry)>(entry).second);
        }
        conex_status statuses[group];
        for (conex_status& each : statuses) each = CONEX_EXISTS;  // what an early end leaves untouched was not taken
        typename keys::doubt doubt(on_throw::find);
        core.before();
        const conex_status status =
            conex_map_insert_n(core.native(), row.data(), values.data(), row.size(), statuses, nullptr);
        core.after();
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (statuses[i] != CONEX_OK) continue;
            values.taken(i);
            ++inserted;
        }
        doubt.check(status);
    }
    return inserted;
}

/// \return how many keys were removed.
template <class Core, class It>
std::size_t map_erase_n(Core& core, It first, It last) {
    using keys = typename Core::keys;
    constexpr std::size_t group = group_size<sizeof(typename keys::row_entry)>;
    std::size_t removed = 0;
    while (first != last) {
        typename keys::template probes<group> row(core.functions());
        for (; first != last && row.size() < group; ++first) row.add(*first);
        conex_status statuses[group];
        std::size_t count = 0;
        typename keys::doubt doubt(on_throw::miss);
        core.before();
        const conex_status status = conex_map_remove_n(core.native(), row.data(), row.size(), statuses, &count);
        core.after();
        doubt.check(status);
        removed += count;
    }
    return removed;
}

}  // namespace conex::detail

#endif
