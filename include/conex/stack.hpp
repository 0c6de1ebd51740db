// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::stack`: a lock-free LIFO stack for any number of threads.
#ifndef CONEX_STACK_HPP
#define CONEX_STACK_HPP

#include <conex/detail/sequence.hpp>
#include <conex/detail/stash.hpp>

#include <vector>

namespace conex {

/// How a `stack` is made. What is left as it is gets the default.
struct stack_options {
    /// Where the stack's memory waits before it is freed; must outlive the stack. Null: the default domain.
    conex::domain* domain = nullptr;
    /// Where the stack and its elements get their memory. Both functions or neither; neither: the process' allocator.
    conex_allocator allocator = {nullptr, nullptr, nullptr};
};

namespace detail {
struct stack_api {
    using handle = conex_stack;
    using options = conex_stack_options;
    static constexpr auto create = &conex_stack_new;
    static constexpr auto destroy = &conex_stack_destroy;
    static constexpr auto push = &conex_stack_push;
    static constexpr auto push_n = &conex_stack_push_n;
    static constexpr auto pop = &conex_stack_pop;
    static constexpr auto pop_n = &conex_stack_pop_n;
    static constexpr auto len = &conex_stack_len;
    static constexpr auto is_empty = &conex_stack_is_empty;

    static options settings(const stack_options& wanted) {
        options made = CONEX_STACK_OPTIONS_INIT;
        made.domain = named(wanted.domain);
        made.allocator = wanted.allocator;
        return made;
    }
};
}  // namespace detail

/// A linearizable last-in, first-out stack.
///
/// \tparam T any type that can be moved and whose destructor does not throw. It is stored inside the stack's own nodes
///         if `is_trivially_relocatable<T>` holds, otherwise in a box, one more allocation a push.
///
/// Any number of threads may call the member functions at once, except construction, assignment and destruction, which
/// need the stack for themselves. Move-only; a stack that was moved from may only be destroyed or assigned to.
///
/// Errors: `std::bad_alloc` for want of memory, then nothing has changed. `std::logic_error` for the use of a stack
/// that was moved from. Without exceptions both print a message and abort; `try_push` reports the former instead.
template <class T>
class stack {
    static_assert(detail::object_type<T>::met);

public:
    using value_type = T;
    using options = stack_options;

    /// An empty stack in the default domain. Allocates; throws `std::bad_alloc`.
    stack() : stack(options()) {}

    /// An empty stack in the given domain, which must outlive it. Allocates; throws `std::bad_alloc`.
    explicit stack(domain& home) : stack(options{&home}) {}

    /// An empty stack made to measure. Allocates; throws `std::bad_alloc`, and `std::logic_error` for options that
    /// contradict themselves.
    explicit stack(const options& wanted) : elements_(detail::stack_api::settings(wanted)) {}

    /// Takes the other's elements and handle. Allocates nothing.
    stack(stack&&) noexcept = default;
    /// Destroys this stack's elements and takes the other's. Allocates nothing.
    stack& operator=(stack&&) noexcept = default;
    /// Destroys the elements that are left, on this thread.
    ~stack() = default;

    /// Puts a copy of `value` on top.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc` and what the copy constructor throws; then the
    /// stack is unchanged.
    void push(const T& value) { elements_.push(value); }

    /// Moves `value` on top.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`; then `value` is as it was (a type whose move
    /// constructor may throw is copied if it can be, as in `std::vector`).
    void push(T&& value) { elements_.push(std::move(value)); }

    /// Constructs an element from `args` and puts it on top.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc` and what the constructor throws; then the
    /// stack is unchanged.
    template <class... A>
    void emplace(A&&... args) {
        elements_.emplace(std::forward<A>(args)...);
    }

    /// Moves `value` on top, or reports that there was no memory.
    ///
    /// \return false for want of memory; then the stack and `value` are as they were. Needs a `T` whose move constructor
    ///         does not throw. Lock-free if the allocator is; allocates; throws nothing.
    [[nodiscard]] bool try_push(std::nothrow_t, T&& value) noexcept { return elements_.try_push(std::move(value)); }

    /// Pushes all elements of a range in one atomic step: no other thread sees a part of it. The last one ends on top.
    ///
    /// \param first,last input iterators over what a `T` can be made from; `std::move_iterator` moves.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`, and what the constructor of `T` or the
    /// iterators throw; then the stack is unchanged, and elements moved from a range of forward iterators are back in it
    /// if their move cannot throw.
    template <class It>
    void push_range(It first, It last) {
        conex_status status = CONEX_OK;
        elements_.push_range(first, last, status);
        detail::check(status);
    }

    /// Takes the top element, or `std::nullopt` when the stack is empty.
    ///
    /// Lock-free; needs no memory: a thread's first use of the stack allocates a small block, and goes without it if there is
    /// none. If the move constructor of `T` throws, the element is destroyed.
    [[nodiscard]] std::optional<T> try_pop() { return elements_.try_pop(); }

    /// Takes the top element into `out`.
    ///
    /// \return false when the stack is empty; then `out` is as it was.
    ///
    /// Lock-free; allocates nothing. If the move assignment of `T` throws, the element is destroyed.
    [[nodiscard]] bool try_pop(T& out) { return elements_.try_pop(out); }

    /// Takes up to `max` elements in one atomic step and writes them to `out`, the former top first.
    ///
    /// \param out an output iterator; a `T*` with room for `max` of trivially copyable `T` is written directly.
    /// \return how many were taken; 0 when the stack is empty.
    ///
    /// Lock-free; allocates a buffer for `max` elements if they exceed about a kilobyte. Throws `std::bad_alloc`, then
    /// nothing was taken; if writing to `out` throws, the elements not yet written are destroyed.
    template <class Out>
    std::size_t pop_into(Out out, std::size_t max) {
        return elements_.pop_into(out, max);
    }

    /// Takes all elements in one atomic step, the former top first.
    ///
    /// Lock-free if the allocator is; allocates the vector. Throws `std::bad_alloc`; elements that were taken and not
    /// yet stored are then destroyed. `consume_all` needs no memory.
    [[nodiscard]] std::vector<T> pop_all() {
        std::vector<T> taken;
        taken.reserve(size_approx());
        consume_all([&taken](T&& value) { taken.push_back(std::move(value)); });
        return taken;
    }

    /// Takes all elements in one atomic step, then calls `consume(T&&)` for each, the former top first.
    ///
    /// \param consume called on this thread, outside any guard; may use the stack.
    /// \return how many were taken.
    ///
    /// Lock-free if `consume` is; allocates nothing. An exception from `consume` reaches the caller; the elements that
    /// it has not seen are destroyed.
    template <class F>
    std::size_t consume_all(F&& consume) {
        static_assert(std::is_invocable_v<F&, T&&>, "conex: consume_all needs a function that takes a T&&");
        struct context {
            F& consume;
            const conex_stack* self;
            detail::memory* owner;
            detail::stash caught;
        } here{consume, native_handle(), elements_.owner(), {}};
        const conex_take_fn take = [](void* image, void* ctx) noexcept {
            context& at = *static_cast<context*>(ctx);
            detail::tsan_acquire(at.self);
            if (!at.caught.full()) {
                at.caught.run(0, [&] {
                    static_cast<void>(at.consume(std::move(detail::object_at<T>(image))));
                    return 0;
                });
            }
            detail::end<T>(at.owner, image);
        };
        std::size_t count = 0;
        here.caught.check(conex_stack_pop_all(native_handle(), take, &here, &count));
        return count;
    }

    /// Takes all elements in one atomic step and destroys them, on this thread.
    ///
    /// \return how many there were. Lock-free; allocates nothing.
    std::size_t clear() {
        std::size_t count = 0;
        detail::check(conex_stack_pop_all(native_handle(), nullptr, nullptr, &count));
        return count;
    }

    /// How many elements there are, about: exact when no other thread is at work. Never waits, allocates nothing.
    [[nodiscard]] std::size_t size_approx() const { return elements_.size_approx(); }

    /// Whether the stack was empty at one moment during the call. Wait-free; allocates nothing.
    [[nodiscard]] bool empty() const { return elements_.empty(); }

    /// The stack of the C API, still owned by this object; null after a move.
    [[nodiscard]] conex_stack* native_handle() const noexcept { return elements_.native(); }

private:
    detail::sequence<detail::stack_api, T> elements_;
};

}  // namespace conex

#endif
