// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::map`: a lock-free hash map for any number of threads.
#ifndef CONEX_MAP_HPP
#define CONEX_MAP_HPP

#include <conex/detail/map_batch.hpp>
#include <conex/detail/map_values.hpp>
#include <conex/map_types.hpp>

namespace conex {

/// A linearizable hash map: every key is an atomic register, growth and shrinking included.
///
/// \tparam K the key: `std::string`, looked up by `std::string_view`; a type whose bytes are its value
///         (`is_bytewise_equal`: integers, enumerations, pointers, structs without padding); or any other copyable type,
///         by `Hash` and `Eq`.
/// \tparam V the value: any type that can be moved and whose destructor does not throw. Kept inline in the map's entries
///         if `is_trivially_relocatable<V>` holds, otherwise in a box. Functions that return a value need a copyable `V`:
///         another thread may be looking at the value in the map, so it can never be moved out. For move-only values
///         there are `visit`, `find`, `update` and `for_each`.
/// \tparam Hash,Eq const-callable from many threads at once. They may throw: the exception reaches the caller and the
///         map is unchanged.
///
/// Any number of threads may call the member functions at once, except construction, assignment and destruction, which
/// need the map for themselves. Move-only; a map that was moved from may only be destroyed or assigned to.
///
/// Functions given to the map are called on the calling thread, under a guard of the map's domain, and may call every
/// operation of every container. An exception they throw reaches the caller and leaves the map valid.
///
/// Errors: `std::bad_alloc` for want of memory, then nothing has changed. `std::logic_error` for the use of a map that
/// was moved from. Without exceptions both print a message and abort. Every operation that allocates, or that calls a
/// function of the user, is lock-free if these are.
template <class K, class V, class Hash = default_hash<K>, class Eq = std::equal_to<>>
class map {
    static_assert(detail::object_type<K>::met && detail::object_type<V>::met);
    using core = detail::map_values<K, V, Hash, Eq>;

public:
    using key_type = K;
    using mapped_type = V;
    using hasher = Hash;
    using key_equal = Eq;
    using options = map_options;
    /// How keys are given and shown: `std::string_view` for `std::string`, otherwise `const K&`. A view that is shown to
    /// a function is valid during the call.
    using key_view = typename core::view;

    /// An empty map in the default domain. Allocates; throws `std::bad_alloc`.
    map() : map(options()) {}

    /// An empty map in the given domain, which must outlive it. Allocates; throws `std::bad_alloc`.
    explicit map(domain& home) : map(options{&home}) {}

    /// An empty map made to measure. Allocates; throws `std::bad_alloc`, and `std::logic_error` for options that
    /// contradict themselves.
    explicit map(const options& wanted, Hash hash = Hash(), Eq equal = Eq())
        : core_(settings(wanted), std::move(hash), std::move(equal)) {}

    /// Takes the other's entries and handle. Allocates nothing.
    map(map&&) noexcept = default;
    /// Destroys this map's entries and takes the other's. Allocates nothing.
    map& operator=(map&&) noexcept = default;
    /// Destroys all entries, those removed and not yet freed included, on this thread.
    ~map() = default;

    // ---- reading -------------------------------------------------------------------------------------------------

    /// A copy of the key's value, or `std::nullopt`.
    ///
    /// Lock-free; allocates nothing but what the copy does. Throws what the copy constructor throws.
    [[nodiscard]] std::optional<V> get(key_view key) const {
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        return core_.get(key);
    }

    /// Whether the key is present. Lock-free; allocates nothing.
    [[nodiscard]] bool contains(key_view key) const {
        bool found = false;
        core_.run(key, detail::on_throw::miss, [&](const void* data, std::size_t size) {
            return conex_map_contains(native_handle(), data, size, &found);
        });
        return found;
    }

    /// Calls `look(const V&)` with the key's value, where it is, or with a copy if it is small and trivially copyable.
    ///
    /// \param look what it returns is ignored; the reference is valid during the call. Other threads may replace or
    ///        remove the entry meanwhile; the value itself does not change.
    /// \return whether the key is present.
    ///
    /// Lock-free if the allocator is; allocates a guard, if there is no copy.
    template <class F>
    bool visit(key_view key, F&& look) const {
        static_assert(std::is_invocable_v<F&, const V&>, "conex: visit needs a function that takes a const V&");
        return core_.visit(key, look);
    }

    /// The key's value where it is, or null.
    ///
    /// \param session a guard of the map's domain, on this thread. The value stays valid and unchanged until the guard
    ///        is refreshed or destroyed, or the map is, even if the entry is replaced or removed meanwhile.
    ///
    /// Lock-free if the allocator is. Allocates, for a copy that the guard keeps, if key and value are trivially copyable
    /// and have at most 8 bytes: then `get` is cheaper. Throws `std::logic_error` for a guard of another domain.
    [[nodiscard]] const V* find(const guard& session, key_view key) const { return core_.find(session, key); }

    // ---- changing one key ----------------------------------------------------------------------------------------

    /// Adds the key if it is absent.
    ///
    /// \return whether it was added. If not, or if an exception is thrown, an rvalue `value` is as it was.
    ///
    /// Lock-free; allocates.
    bool insert(key_view key, const V& value) { return core_.insert(key, value); }
    /// As above; moves `value` if it is added.
    bool insert(key_view key, V&& value) { return core_.insert(key, std::move(value)); }

    /// Gives the key this value, whether or not it is present.
    ///
    /// \return true if the key was added, false if its value was replaced. The old value is destroyed when no thread can
    ///         be reading it.
    ///
    /// Lock-free; allocates.
    bool insert_or_assign(key_view key, const V& value) { return core_.assign(key, value); }
    /// As above; moves `value`.
    bool insert_or_assign(key_view key, V&& value) { return core_.assign(key, std::move(value)); }

    /// Gives the key this value if it is present.
    ///
    /// \return whether it was. If not, or if an exception is thrown, an rvalue `value` is as it was.
    ///
    /// Lock-free; allocates.
    bool replace(key_view key, const V& value) { return core_.replace(key, value); }
    /// As above; moves `value` if the key is present.
    bool replace(key_view key, V&& value) { return core_.replace(key, std::move(value)); }

    /// Gives the key this value, whether or not it is present, and returns a copy of the old one.
    ///
    /// \return the old value, or `std::nullopt` if the key was added. Lock-free; allocates.
    std::optional<V> exchange(key_view key, const V& value) {
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        return core_.exchange(key, value);
    }

    /// Removes the key. The value is destroyed when no thread can be reading it.
    ///
    /// \return whether it was present.
    ///
    /// Lock-free if the allocator is; allocates only where more keys than a bucket holds have met in one.
    bool erase(key_view key) {
        return core_.run(key, detail::on_throw::miss, [&](const void* data, std::size_t size) {
            return conex_map_remove(native_handle(), data, size, nullptr);
        }) == CONEX_OK;
    }

    /// Removes the key and returns a copy of its value, or `std::nullopt` if it was absent. Lock-free.
    std::optional<V> take(key_view key) {
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        return core_.take(key);
    }

    /// Removes the key if `condition(const V&)` holds for its value, as one atomic step.
    ///
    /// \param condition may be called more than once, when other threads change the value meanwhile.
    /// \return whether it was removed. Lock-free.
    template <class P>
    bool erase_if(key_view key, P&& condition) {
        static_assert(std::is_invocable_r_v<bool, P&, const V&>, "conex: erase_if needs a predicate on a const V&");
        return update(key, [&condition](const V* old, slot<V>& next) {
                   if (old != nullptr && condition(*old)) next.remove();
               }) == change::removed;
    }

    /// Replaces the key's value by `desired` if it equals `expected`, as one atomic step.
    ///
    /// Values that are `is_bytewise_equal` are compared by their bytes, all others with `==`.
    ///
    /// \param expected becomes a copy of the key's value if that is another; stays as it is if the key is absent.
    /// \return whether the value was replaced. Lock-free; allocates.
    bool compare_exchange(key_view key, V& expected, const V& desired) {
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        return core_.compare_exchange(key, expected, desired);
    }

    /// Computes what becomes of the key from what it is, as one atomic step.
    ///
    /// \param decide called as `decide(const V* old, conex::slot<V>& next)`; `old` is null if the key is absent. It calls
    ///        `next.store(...)` to insert or replace, `next.remove()`, or nothing. It may be called more than once, when
    ///        the map is changed meanwhile: it should have no other effect. If it changes this map at every call, it may
    ///        be called for ever.
    /// \return what was done. Lock-free; allocates.
    /// \code
    /// m.update("key", [](const int* old, conex::slot<int>& next) { next.store(old != nullptr ? *old * 2 : 1); });
    /// \endcode
    template <class F>
    change update(key_view key, F&& decide) {
        static_assert(std::is_invocable_v<F&, const V*, slot<V>&>,
                      "conex: update needs a function that takes (const V* old, conex::slot<V>& next)");
        return static_cast<change>(core_.update(key, decide));
    }

    /// A copy of the key's value; if the key is absent, `make()` is added first.
    ///
    /// \param make called at most once. What it returned is destroyed if another thread adds the key first.
    /// \return the value that is in the map. If moving it to the caller throws, the key has been added.
    ///
    /// Lock-free; allocates.
    template <class F>
    V get_or_insert(key_view key, F&& make) {
        static_assert(std::is_invocable_r_v<V, F&>, "conex: get_or_insert needs a function that returns a V");
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        return core_.get_or_insert(key, make);
    }

    /// Adds `delta` to the key's value; an absent key counts as 0 and is added. Wraps around.
    ///
    /// \return the previous value. Only for 8-byte integers. Lock-free; allocates for a new key at most.
    V fetch_add(key_view key, V delta) {
        static_assert(std::is_integral_v<V> && sizeof(V) == 8,
                      "conex: fetch_add is for values that are 8-byte integers");
        return core_.fetch_add(key, delta);
    }

    // ---- many keys -----------------------------------------------------------------------------------------------

    /// `get` for every key of a range, faster than one by one.
    ///
    /// \param first,last input iterators over keys.
    /// \param out an output iterator that takes a `std::optional<V>` for each key, in their order.
    /// \return how many were found.
    ///
    /// Each key is an atomic step of its own. Lock-free; allocates nothing but what copies do.
    template <class It, class Out>
    std::size_t get_n(It first, It last, Out out) const {
        static_assert(copyable, CONEX_DETAIL_NEEDS_COPY);
        if constexpr (detail::is_plain<V>) {
            check_keys<It>();
            return detail::map_get_n<core, V>(core_, first, last, out);
        } else {
            guard session(core_.home());
            std::size_t found = 0;
            for (; first != last; ++first, ++out) {
                std::optional<V> value = get(*first);
                if (value.has_value()) ++found;
                *out = std::move(value);
            }
            return found;
        }
    }

    /// `insert` for every entry of a range, faster than one by one.
    ///
    /// \param first,last input iterators over entries with members `first` (the key) and `second` (the value), such as
    ///        `std::pair`; `std::move_iterator` moves the values that are added and leaves the others as they are.
    /// \return how many were added.
    ///
    /// Each key is an atomic step of its own. When an exception is thrown, entries from the front of the range may have
    /// been added. Lock-free; allocates.
    template <class It>
    std::size_t insert_n(It first, It last) {
        return detail::map_insert_n<core, V>(core_, first, last);
    }

    /// `erase` for every key of a range, faster than one by one.
    ///
    /// \param first,last input iterators over keys.
    /// \return how many were present.
    ///
    /// Each key is an atomic step of its own. Lock-free; allocates as `erase` does.
    template <class It>
    std::size_t erase_n(It first, It last) {
        check_keys<It>();
        return detail::map_erase_n(core_, first, last);
    }

    // ---- the whole map -------------------------------------------------------------------------------------------

    /// Calls `visit(key_view, const V&)` for every entry.
    ///
    /// \param visit if it returns a `bool`, `false` stops.
    ///
    /// An entry that is present throughout is shown exactly once; one that comes or goes meanwhile, at most once. Not a
    /// snapshot. Lock-free; allocates nothing. The map may be changed from inside.
    template <class F>
    void for_each(F&& visit) const {
        core_.template each<go_on>(visit, [this](conex_visit_fn trampoline, void* ctx) {
            return conex_map_for_each(native_handle(), trampoline, ctx);
        });
    }

    /// Calls `visit(key_view, const V&)` for about `limit` entries, at least one, and remembers in `at` how far it came.
    ///
    /// \param at start with `conex::cursor()`; nothing is held in the map between two calls.
    /// \param visit if it returns a `bool`, `false` stops this call.
    /// \return true if there may be more, false at the end, when `at` is at the beginning again.
    ///
    /// A key that is present from the first call to the last is shown exactly once, also if the map grows or shrinks in
    /// between. Lock-free; allocates nothing.
    template <class F>
    bool scan(cursor& at, std::size_t limit, F&& visit) const {
        return core_.template each<go_on>(visit, [&](conex_visit_fn trampoline, void* ctx) {
            return conex_map_scan(native_handle(), &at.position, limit, trampoline, ctx);
        }) == CONEX_OK;
    }

    /// Removes every entry for which `keep(key_view, const V&)` returns false; each is an atomic step of its own.
    ///
    /// \param keep may be called more than once for an entry, when other threads change it meanwhile.
    /// \return how many were removed. Lock-free.
    template <class P>
    std::size_t retain(P&& keep) {
        static_assert(std::is_invocable_r_v<bool, P&, key_view, const V&>,
                      "conex: retain needs a predicate on (key const&, value const&)");
        std::size_t removed = 0;
        core_.template each<kept>(keep, [&](conex_keep_fn trampoline, void* ctx) {
            return conex_map_retain(native_handle(), trampoline, ctx, &removed);
        });
        return removed;
    }

    /// Removes the entries that are present; entries that other threads add meanwhile may stay.
    ///
    /// Lock-free if the allocator is; allocates only to finish growth that is under way. If that throws `std::bad_alloc`,
    /// some entries may be left.
    void clear() { core_.clear(); }

    /// Makes room for `entries` entries in all, so that adding them does not grow the map.
    ///
    /// Lock-free if the allocator is; allocates. If it throws `std::bad_alloc`, the map goes on with the room it has.
    void reserve(std::size_t entries) { detail::check(conex_map_reserve(native_handle(), entries)); }

    /// Gives memory back that the present entries do not need. Lock-free; allocates.
    void shrink() { detail::check(conex_map_shrink(native_handle())); }

    /// How many entries there are: exact when no other thread is at work. Never waits; allocates nothing.
    [[nodiscard]] std::size_t size() const {
        std::size_t entries = 0;
        detail::check(conex_map_len(native_handle(), &entries));
        return entries;
    }

    /// Whether the map has no entries: exact when no other thread is at work. Never waits; allocates nothing.
    [[nodiscard]] bool empty() const {
        bool empty = true;
        detail::check(conex_map_is_empty(native_handle(), &empty));
        return empty;
    }

    /// Figures of this moment; other threads change them meanwhile. Lock-free; allocates nothing.
    [[nodiscard]] map_stats stats() const {
        conex_map_stats now = CONEX_MAP_STATS_INIT;
        detail::check(conex_map_stats_get(native_handle(), &now));
        return {now.entries, now.buckets, now.bytes, now.growths, now.shrinks, now.resizing != 0};
    }

    /// The map of the C API, still owned by this object; null after a move. Its values cannot be copied out through it
    /// unless they are trivially copyable: they have no `clone`.
    [[nodiscard]] conex_map* native_handle() const noexcept { return core_.native(); }

private:
    static constexpr bool copyable = std::is_copy_constructible_v<V>;

    struct go_on {
        static std::int32_t of(bool answer) noexcept { return answer ? 0 : 1; }
    };
    struct kept {
        static std::int32_t of(bool answer) noexcept { return answer ? 1 : 0; }
    };

    static conex_map_options settings(const options& wanted) {
        conex_map_options made = CONEX_MAP_OPTIONS_INIT;
        made.domain = detail::named(wanted.domain);
        made.allocator = wanted.allocator;
        made.capacity = wanted.capacity;
        made.seed = wanted.seed;
        return made;
    }

    template <class It>
    static constexpr void check_keys() noexcept {
        static_assert(detail::yields_lasting_keys<decltype(*std::declval<It&>()), K>,
                      "conex: the iterator yields temporary keys; it must yield references, or std::string_view");
    }

    core core_;
};

}  // namespace conex

#endif
