// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// The machinery of `conex::map`: the handle, one way to run an operation, and the trampolines.
#ifndef CONEX_DETAIL_MAP_CORE_HPP
#define CONEX_DETAIL_MAP_CORE_HPP

#include <conex/detail/keys.hpp>
#include <conex/guard.hpp>
#include <conex/slot.hpp>

namespace conex::detail {

template <class K, class V, class Hash, class Eq>
class map_core {
public:
    using keys = key_traits<K, Hash, Eq>;
    using view = typename keys::view;

    /// `settings` has everything but the key, the value and the functions.
    map_core(conex_map_options settings, Hash&& hash, Eq&& equal) {
        static_assert(element_requirements<V>::met);
        home_ = settings.domain != nullptr ? settings.domain : conex_domain_default();
        if constexpr (keys::has_callbacks) {
            memory_ = make_memory<environment>(settings.allocator, home_, std::move(hash), std::move(equal));
        } else if constexpr (!is_plain<V>) {
            memory_ = make_memory<environment>(settings.allocator, home_);
        }
        keys::describe(settings, memory_.get());
        settings.value = describe<V>(memory_.get());
        check(conex_map_new(&settings, &handle_));
    }

    map_core(map_core&& other) noexcept
        : memory_(std::move(other.memory_)), home_(other.home_), handle_(std::exchange(other.handle_, nullptr)) {}

    map_core& operator=(map_core&& other) noexcept {
        map_core taken(std::move(other));
        std::swap(memory_, taken.memory_);
        std::swap(home_, taken.home_);
        std::swap(handle_, taken.handle_);
        return *this;
    }

    ~map_core() {
        tsan_acquire(handle_);
        require_ok(conex_map_destroy(handle_), "a map was destroyed");
    }

    [[nodiscard]] conex_map* native() const noexcept { return handle_; }
    [[nodiscard]] conex_domain* home() const noexcept { return home_; }
    [[nodiscard]] memory* owner() const noexcept { return memory_.get(); }
    [[nodiscard]] const typename keys::functions* functions() const {
        if constexpr (keys::has_callbacks) {
            if (memory_ == nullptr) raise(CONEX_ERR_NULL);  // moved from: there are no functions to call
            return memory_.get();
        } else {
            return nullptr;
        }
    }

    /// Runs `call(key, size)`, a C function on one key, and reports its errors and the exceptions of callbacks.
    template <class Call>
    conex_status run(view key, on_throw answer, Call&& call) const {
        const typename keys::probe probe(functions(), key);
        typename keys::doubt doubt(answer);
        before();
        const conex_status status = call(probe.data(), probe.size());
        after();
        return doubt.check(status);
    }

    void before() const noexcept { tsan_release(handle_); }
    void after() const noexcept {
        tsan_acquire(handle_);
        if constexpr (keys::has_callbacks) tsan_release(home_);  // keys were read
    }

    using put_function = conex_status(conex_map*, const void*, std::size_t, const void*, void*);

    /// Offers `value` to insert, replace or upsert. An rvalue that is not taken is the caller's again.
    template <class U>
    conex_status put(put_function* function, view key, on_throw answer, U&& value, void* old = nullptr) {
        if constexpr (is_plain<V>) {
            return run(key, answer, [&](const void* data, std::size_t size) {
                return function(handle_, data, size, std::addressof(value), old);
            });
        } else {
            offer<V, std::remove_reference_t<U>> lent(owner(), value);
            if (!lent.prepare()) raise(CONEX_ERR_NO_MEMORY);
            return run(key, answer, [&](const void* data, std::size_t size) {
                const conex_status status = function(handle_, data, size, lent.address(), old);
                if (status == CONEX_OK || (status == CONEX_EXISTS && function == &conex_map_upsert)) lent.taken();
                return status;
            });
        }
    }

    template <class F>
    conex_change update(view key, F& decide) {
        const typename keys::probe probe(functions(), key);
        typename keys::doubt doubt(on_throw::find);
        struct context {
            map_core& self;
            typename keys::doubt& doubt;
            F& decide;
            stash caught;
        } here{*this, doubt, decide, {}};
        const conex_update_fn trampoline = [](const void*, std::size_t, const void* old, void* place,
                                              void* ctx) noexcept {
            context& at = *static_cast<context*>(ctx);
            if (at.doubt.failed()) return callback_threw;
            // If the library has to look again, and equality throws then, it must find what it did not find before, or
            // miss what it found: it will ask again, and be told to give up.
            at.doubt.answer(old != nullptr ? on_throw::miss : on_throw::find);
            tsan_acquire(at.self.handle_);
            slot<V> next(at.self.owner(), place);
            const std::int32_t decision = at.caught.run(callback_threw, [&] {
                at.decide(old != nullptr ? std::addressof(object_at<V>(old)) : nullptr, next);
                return next.settle();
            });
            tsan_release(at.self.handle_);
            tsan_release(at.self.home_);
            return decision;
        };
        before();
        conex_change change{};
        const conex_status status = conex_map_update(handle_, probe.data(), probe.size(), trampoline, &here, &change);
        after();
        if (here.caught.full()) here.caught.check(status);
        doubt.check(status);
        return change;
    }

    template <class F>
    conex_status make_absent(view key, F& make, void* out) {
        const typename keys::probe probe(functions(), key);
        typename keys::doubt doubt(on_throw::find);
        struct context {
            map_core& self;
            F& make;
            stash caught;
        } here{*this, make, {}};
        const conex_make_fn trampoline = [](void* place, void* ctx) noexcept {
            context& at = *static_cast<context*>(ctx);
            const std::int32_t status = at.caught.run(callback_threw, [&]() -> std::int32_t {
                return try_construct<V>(at.self.owner(), place, at.make()) ? CONEX_OK : CONEX_ERR_NO_MEMORY;
            });
            tsan_release(at.self.handle_);
            return status;
        };
        before();
        const conex_status status =
            conex_map_get_or_insert(handle_, probe.data(), probe.size(), trampoline, &here, out);
        after();
        if (here.caught.full()) here.caught.check(status);
        return doubt.check(status);
    }

    /// Runs `call(trampoline, ctx)`, a C function that shows entries to `visit`; `Answer` turns what `visit` returns into
    /// what the C function expects.
    template <class Answer, class F, class Call>
    conex_status each(F& visit, Call&& call) const {
        static_assert(std::is_invocable_v<F&, view, const V&>,
                      "conex: the function must be callable with (key const&, value const&); keys of a map with "
                      "std::string keys come as std::string_view");
        struct context {
            const map_core& self;
            F& visit;
            stash caught;
        } here{*this, visit, {}};
        const conex_visit_fn trampoline = [](const void* key, std::size_t size, const void* value, void* ctx) noexcept {
            context& at = *static_cast<context*>(ctx);
            tsan_acquire(at.self.handle_);
            if constexpr (keys::has_callbacks) at.self.owner()->tsan_acquire_all();
            const std::int32_t answer = at.caught.run(callback_threw, [&]() -> std::int32_t {
                if constexpr (std::is_void_v<std::invoke_result_t<F&, view, const V&>>) {
                    at.visit(keys::read(key, size), object_at<V>(value));
                    return Answer::of(true);
                } else {
                    return Answer::of(static_cast<bool>(at.visit(keys::read(key, size), object_at<V>(value))));
                }
            });
            tsan_release(at.self.home_);
            return answer;
        };
        typename keys::doubt doubt(on_throw::miss);  // to remove an entry is to look for its key
        before();
        const conex_status status = call(trampoline, static_cast<void*>(&here));
        after();
        if (here.caught.full()) here.caught.check(status);
        return doubt.check(status);
    }

    void clear() {
        typename keys::doubt doubt(on_throw::miss);
        before();
        doubt.check(conex_map_clear(handle_));
    }

private:
    using environment = typename keys::environment;

    memory_ptr<environment> memory_;
    conex_domain* home_ = nullptr;
    conex_map* handle_ = nullptr;
};

}  // namespace conex::detail

#endif
