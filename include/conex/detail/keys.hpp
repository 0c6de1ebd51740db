// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// How a key becomes what the C layer hashes, compares and stores.
///
///     bytewise   CONEX_KEY_FIXED   the key's own bytes           no callbacks
///     string     CONEX_KEY_BYTES   the characters                no callbacks; looked up by std::string_view
///     hashed     CONEX_KEY_FIXED   a hashed_key (see there)      hash, equal, clone, drop
///
/// Each has a `key_traits` with the type `view`, in which keys go into the C++ functions and come out of them; the
/// class `probe`, one key for the time of one operation; the class `probes`, a row of them; and the class `doubt`, which
/// stands for the operation while the library calls back.
#ifndef CONEX_DETAIL_KEYS_HPP
#define CONEX_DETAIL_KEYS_HPP

#include <conex/detail/element.hpp>
#include <conex/detail/stash.hpp>
#include <conex/hash.hpp>

#include <string>
#include <string_view>

namespace conex::detail {

enum class key_kind { bytewise, string, hashed };

template <class K, class Hash, class Eq>
constexpr bool is_default_comparison = std::is_same_v<Hash, default_hash<K>> &&
                                       (std::is_same_v<Eq, std::equal_to<>> || std::is_same_v<Eq, std::equal_to<K>>);

template <class K, class Hash, class Eq>
constexpr key_kind key_kind_of = !is_default_comparison<K, Hash, Eq> ? key_kind::hashed
                                 : std::is_same_v<K, std::string>    ? key_kind::string
                                 : is_bytewise_equal<K>::value       ? key_kind::bytewise
                                                                     : key_kind::hashed;

/// What an operation is to find when the equality function throws in it, so that it changes nothing.
enum class on_throw { find, miss };

/// One operation on keys whose callbacks may throw: keeps the exception, and answers for equality from then on. A callback
/// finds the doubt of the operation that it belongs to through the thread; operations nest when a function that was given
/// to one calls another.
class doubt {
public:
    explicit doubt(on_throw at_first) noexcept : answer_(at_first), outer_(std::exchange(current(), this)) {}
    doubt(const doubt&) = delete;
    doubt& operator=(const doubt&) = delete;
    ~doubt() { current() = outer_; }

    /// What to answer from here on.
    void answer(on_throw changed) noexcept { answer_ = changed; }

    [[nodiscard]] bool failed() const noexcept { return caught_.full(); }
    conex_status check(conex_status status) { return caught_.check(status); }

    /// The result of `compare` in the operation that this thread is in.
    template <class F>
    static bool settle(F&& compare) noexcept {
        doubt* const here = current();
        if (here == nullptr) return compare();  // someone works on the C map itself
        const bool instead = here->answer_ == on_throw::find;
        return here->failed() ? instead : here->caught_.run(instead, compare);
    }

    /// Runs `copy`, which returns a status, in the operation that this thread is in.
    template <class F>
    static std::int32_t attempt(F&& copy) noexcept {
        doubt* const here = current();
        return here == nullptr ? copy() : here->caught_.run(callback_threw, copy);
    }

private:
    static doubt*& current() noexcept {
        static thread_local doubt* innermost = nullptr;
        return innermost;
    }

    on_throw answer_;
    doubt* outer_;
    stash caught_;
};

/// The same for keys without callbacks, or with callbacks that do not throw.
struct no_doubt {
    explicit no_doubt(on_throw) noexcept {}
    static void answer(on_throw) noexcept {}
    [[nodiscard]] static bool failed() noexcept { return false; }
    static conex_status check(conex_status status) { return detail::check(status); }
    template <class F>
    static bool settle(F&& compare) noexcept {
        return compare();
    }
    template <class F>
    static std::int32_t attempt(F&& copy) noexcept {
        return copy();
    }
};

/// For keys that need no callbacks there is nothing to keep.
struct no_functions {};

template <class K, class Hash, class Eq, key_kind = key_kind_of<K, Hash, Eq>>
struct key_traits;

template <class K, class Hash, class Eq>
struct key_traits<K, Hash, Eq, key_kind::bytewise> {
    static_assert(element_requirements<K>::met && std::is_trivially_copyable_v<K>);
    using view = const K&;
    using functions = no_functions;
    using environment = memory;
    using doubt = no_doubt;
    static constexpr bool has_callbacks = false;
    static constexpr bool may_throw = false;

    using row_entry = K;

    static void describe(conex_map_options& made, memory*) noexcept {
        made.key_element.size = sizeof(K);
        made.key_element.align = alignof(K);
    }
    static view read(const void* key, std::size_t) noexcept { return *static_cast<const K*>(key); }

    class probe {
    public:
        probe(const functions*, view key) noexcept : key_(key) {}
        [[nodiscard]] const void* data() const noexcept { return std::addressof(key_); }
        [[nodiscard]] std::size_t size() const noexcept { return sizeof(K); }

    private:
        const K& key_;
    };

    template <std::size_t N>
    class probes {
    public:
        explicit probes(const functions*) noexcept {}
        void add(view key) noexcept { std::memcpy(row_ + sizeof(K) * count_++, std::addressof(key), sizeof(K)); }
        [[nodiscard]] std::size_t size() const noexcept { return count_; }
        [[nodiscard]] const void* data() const noexcept { return row_; }

    private:
        alignas(K) unsigned char row_[sizeof(K) * N];
        std::size_t count_ = 0;
    };
};

template <class Hash, class Eq>
struct key_traits<std::string, Hash, Eq, key_kind::string> {
    using view = std::string_view;
    using functions = no_functions;
    using environment = memory;
    using doubt = no_doubt;
    static constexpr bool has_callbacks = false;
    static constexpr bool may_throw = false;

    using row_entry = conex_bytes;

    static void describe(conex_map_options& made, memory*) noexcept { made.key = CONEX_KEY_BYTES; }
    static view read(const void* key, std::size_t size) noexcept {
        return size == 0 ? view() : view(static_cast<const char*>(key), size);
    }
    /// A default-made view has no address, which the C functions would refuse.
    static const void* address(view key) noexcept { return key.data() != nullptr ? key.data() : ""; }

    class probe {
    public:
        probe(const functions*, view key) noexcept : key_(key) {}
        [[nodiscard]] const void* data() const noexcept { return address(key_); }
        [[nodiscard]] std::size_t size() const noexcept { return key_.size(); }

    private:
        view key_;
    };

    template <std::size_t N>
    class probes {
    public:
        explicit probes(const functions*) noexcept {}
        void add(view key) noexcept { row_[count_++] = {address(key), key.size()}; }
        [[nodiscard]] std::size_t size() const noexcept { return count_; }
        [[nodiscard]] const void* data() const noexcept { return row_; }

    private:
        conex_bytes row_[N];
        std::size_t count_ = 0;
    };
};

/// A key with its hash, which is computed before the C function is called: a hash function that throws does so where
/// nothing has happened yet, and growth of the map calls no user code.
///
/// In the map it owns the key; as a probe it refers to the caller's.
template <class K>
struct hashed_key {
    std::uint64_t hash;
    alignas(image<K>) unsigned char key_image[sizeof(image<K>)];

    [[nodiscard]] const K& key() const noexcept { return object_at<K>(static_cast<const void*>(key_image)); }

    /// Relocatable keys are lent by their bytes, boxed keys by their address; either way nobody ends them here.
    void refer_to(const K& key) noexcept {
        if constexpr (is_boxed<K>) {
            ::new (static_cast<void*>(key_image)) image<K>(const_cast<K*>(std::addressof(key)));
        } else {
            std::memcpy(key_image, static_cast<const void*>(std::addressof(key)), sizeof(K));
        }
    }
};

template <class K, class Hash, class Eq>
struct key_traits<K, Hash, Eq, key_kind::hashed> {
    static_assert(element_requirements<K>::met);
    static_assert(std::is_copy_constructible_v<K>,
                  "conex: the map keeps its own copy of a key: a key must be copyable");
    static_assert(std::is_invocable_r_v<std::size_t, const Hash&, const K&>,
                  "conex: Hash must be callable as hash(key), also when const");
    static_assert(std::is_invocable_r_v<bool, const Eq&, const K&, const K&>,
                  "conex: Eq must be callable as equal(key, key), also when const");

    using view = const K&;
    using stored = hashed_key<K>;
    using row_entry = stored;
    static constexpr bool has_callbacks = true;
    static constexpr bool may_throw =
        CONEX_DETAIL_EXCEPTIONS != 0 && !std::is_nothrow_invocable_v<const Eq&, const K&, const K&>;
    using doubt =
        std::conditional_t<may_throw || (CONEX_DETAIL_EXCEPTIONS != 0 && !std::is_nothrow_copy_constructible_v<K>),
                           detail::doubt, no_doubt>;

    /// The functions live beside the memory hooks: the `ctx` of all callbacks is the `memory` that derives from this.
    struct functions {
        Hash hash;
        Eq equal;
    };
    struct environment : memory, functions {
        environment(const conex_allocator& hooks, const conex_domain* domain, Hash&& hasher, Eq&& comparer)
            : memory(hooks, domain), functions{std::move(hasher), std::move(comparer)} {}
    };

    static void describe(conex_map_options& made, environment* ctx) noexcept {
        made.key_element.size = sizeof(stored);
        made.key_element.align = alignof(stored);
        made.key_element.clone = &clone;
        made.key_element.drop = &drop_key;
        made.key_element.ctx = static_cast<memory*>(ctx);
        made.hash = &mix;
        made.equal = &equal;
        made.key_ctx = ctx;
    }

    static view read(const void* key, std::size_t) noexcept { return static_cast<const stored*>(key)->key(); }

    class probe {
    public:
        probe(const functions* with, view key) {
            key_.hash = with->hash(key);
            key_.refer_to(key);
        }
        [[nodiscard]] const void* data() const noexcept { return &key_; }
        [[nodiscard]] std::size_t size() const noexcept { return sizeof(stored); }

    private:
        stored key_;
    };

    template <std::size_t N>
    class probes {
    public:
        explicit probes(const functions* with) noexcept : functions_(with) {}
        void add(view key) {
            row_[count_].hash = functions_->hash(key);
            row_[count_].refer_to(key);
            ++count_;
        }
        [[nodiscard]] std::size_t size() const noexcept { return count_; }
        [[nodiscard]] const void* data() const noexcept { return row_; }

    private:
        const functions* functions_;
        stored row_[N];
        std::size_t count_ = 0;
    };

private:
    static std::uint64_t mix(const void* key, std::size_t, std::uint64_t seed, void*) noexcept {
        std::uint64_t h = static_cast<const stored*>(key)->hash ^ seed;
        h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93U;
        h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93U;
        return h ^ (h >> 32);
    }

    static bool equal(const void* left, std::size_t, const void* right, std::size_t, void* ctx) noexcept {
        const stored& a = *static_cast<const stored*>(left);
        const stored& b = *static_cast<const stored*>(right);
        const environment& with = *static_cast<environment*>(ctx);
        with.tsan_acquire_all();
        if (a.hash != b.hash) return false;
        return doubt::settle([&] { return static_cast<bool>(with.equal(a.key(), b.key())); });
    }

    static std::int32_t clone(void* to, const void* from, void* ctx) noexcept {
        memory* const owner = static_cast<memory*>(ctx);
        const std::int32_t status = doubt::attempt([&]() -> std::int32_t {
            const stored& lent = *static_cast<const stored*>(from);
            stored& made = *::new (to) stored;
            made.hash = lent.hash;
            return try_construct<K>(owner, made.key_image, lent.key()) ? CONEX_OK : CONEX_ERR_NO_MEMORY;
        });
        tsan_release(owner);
        return status;
    }

    static void drop_key(void* key, void* ctx) noexcept {
        memory* const owner = static_cast<memory*>(ctx);
        owner->tsan_acquire_all();
        end<K>(owner, static_cast<stored*>(key)->key_image);
    }
};

}  // namespace conex::detail

#endif
