// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::queue`: a lock-free FIFO queue for any number of producers and consumers.
#ifndef CONEX_QUEUE_HPP
#define CONEX_QUEUE_HPP

#include <conex/detail/sequence.hpp>

namespace conex {

/// How a `queue` is made. What is left as it is gets the default.
struct queue_options {
    /// Where the queue's memory waits before it is freed; must outlive the queue. Null: the default domain.
    conex::domain* domain = nullptr;
    /// Where the queue and its elements get their memory. Both functions or neither; neither: the process' allocator.
    conex_allocator allocator = {nullptr, nullptr, nullptr};
    /// A hint: how many elements a segment of the queue should hold. 0: chosen by the library.
    std::size_t segment = 0;
};

/// Thrown by `queue::push_range` when memory ran out after a part of the range had gone in.
class partial_push : public std::bad_alloc {
public:
    explicit partial_push(std::size_t count) noexcept : pushed_(count) {}
    /// How many elements, from the front of the range, are in the queue.
    [[nodiscard]] std::size_t pushed() const noexcept { return pushed_; }

private:
    std::size_t pushed_;
};

namespace detail {
struct queue_api {
    using handle = conex_queue;
    using options = conex_queue_options;
    static constexpr auto create = &conex_queue_new;
    static constexpr auto destroy = &conex_queue_destroy;
    static constexpr auto push = &conex_queue_push;
    static constexpr auto push_n = &conex_queue_push_n;
    static constexpr auto pop = &conex_queue_pop;
    static constexpr auto pop_n = &conex_queue_pop_n;
    static constexpr auto len = &conex_queue_len;
    static constexpr auto is_empty = &conex_queue_is_empty;

    static options settings(const queue_options& wanted) {
        options made = CONEX_QUEUE_OPTIONS_INIT;
        made.domain = named(wanted.domain);
        made.allocator = wanted.allocator;
        made.segment = wanted.segment;
        return made;
    }
};
}  // namespace detail

/// A linearizable, unbounded first-in, first-out queue: one total order over all producers.
///
/// \tparam T any type that can be moved and whose destructor does not throw. It is stored inside the queue's own
///         segments if `is_trivially_relocatable<T>` holds, otherwise in a box, one allocation a push.
///
/// Any number of threads may call the member functions at once, except construction, assignment and destruction, which
/// need the queue for themselves. Move-only; a queue that was moved from may only be destroyed or assigned to.
///
/// Errors: `std::bad_alloc` for want of memory, then nothing has changed. `std::logic_error` for the use of a queue
/// that was moved from. Without exceptions both print a message and abort; `try_push` reports the former instead.
template <class T>
class queue {
    static_assert(detail::object_type<T>::met);

public:
    using value_type = T;
    using options = queue_options;

    /// An empty queue in the default domain. Allocates; throws `std::bad_alloc`.
    queue() : queue(options()) {}

    /// An empty queue in the given domain, which must outlive it. Allocates; throws `std::bad_alloc`.
    explicit queue(domain& home) : queue(options{&home}) {}

    /// An empty queue made to measure. Allocates; throws `std::bad_alloc`, and `std::logic_error` for options that
    /// contradict themselves.
    explicit queue(const options& wanted) : elements_(detail::queue_api::settings(wanted)) {}

    /// Takes the other's elements and handle. Allocates nothing.
    queue(queue&&) noexcept = default;
    /// Destroys this queue's elements and takes the other's. Allocates nothing.
    queue& operator=(queue&&) noexcept = default;
    /// Destroys the elements that are left, on this thread.
    ~queue() = default;

    /// Puts a copy of `value` at the end.
    ///
    /// Lock-free if the allocator is; allocates now and then. Throws `std::bad_alloc` and what the copy constructor
    /// throws; then the queue is unchanged.
    void push(const T& value) { elements_.push(value); }

    /// Moves `value` to the end.
    ///
    /// Lock-free if the allocator is; allocates now and then. Throws `std::bad_alloc`; then `value` is as it was (a type
    /// whose move constructor may throw is copied if it can be, as in `std::vector`).
    void push(T&& value) { elements_.push(std::move(value)); }

    /// Constructs an element from `args` and puts it at the end.
    ///
    /// Lock-free if the allocator is; allocates now and then. Throws `std::bad_alloc` and what the constructor throws;
    /// then the queue is unchanged.
    template <class... A>
    void emplace(A&&... args) {
        elements_.emplace(std::forward<A>(args)...);
    }

    /// Moves `value` to the end, or reports that there was no memory.
    ///
    /// \return false for want of memory; then the queue and `value` are as they were. Needs a `T` whose move constructor
    ///         does not throw. Lock-free if the allocator is; allocates now and then; throws nothing.
    [[nodiscard]] bool try_push(std::nothrow_t, T&& value) noexcept { return elements_.try_push(std::move(value)); }

    /// Pushes the elements of a range in their order. Each is an atomic step of its own: a consumer may take the first
    /// before the last is in.
    ///
    /// \param first,last input iterators over what a `T` can be made from; `std::move_iterator` moves.
    ///
    /// Lock-free if the allocator is; allocates. Throws what the constructor of `T` or the iterators throw, or
    /// `std::bad_alloc`: then the queue is unchanged. Throws `partial_push`, which is a `std::bad_alloc`, when memory ran
    /// out with some elements in. Elements moved from a range of forward iterators and not pushed are back in it if
    /// their move cannot throw.
    template <class It>
    void push_range(It first, It last) {
        conex_status status = CONEX_OK;
        [[maybe_unused]] const std::size_t pushed = elements_.push_range(first, last, status);
#if CONEX_DETAIL_EXCEPTIONS
        if (status == CONEX_ERR_NO_MEMORY && pushed != 0) throw partial_push(pushed);
#endif
        detail::check(status);
    }

    /// Takes the element at the front, or `std::nullopt` when the queue is empty.
    ///
    /// Lock-free; allocates nothing. If the move constructor of `T` throws, the element is destroyed.
    [[nodiscard]] std::optional<T> try_pop() { return elements_.try_pop(); }

    /// Takes the element at the front into `out`.
    ///
    /// \return false when the queue is empty; then `out` is as it was.
    ///
    /// Lock-free; allocates nothing. If the move assignment of `T` throws, the element is destroyed.
    [[nodiscard]] bool try_pop(T& out) { return elements_.try_pop(out); }

    /// Takes up to `max` elements, each in an atomic step, and writes them to `out` in their order.
    ///
    /// \param out an output iterator; a `T*` with room for `max` of trivially copyable `T` is written directly.
    /// \return how many were taken; fewer than `max` when the queue was found empty.
    ///
    /// Lock-free; allocates nothing. If writing to `out` throws, up to a kilobyte of elements already taken are
    /// destroyed.
    template <class Out>
    std::size_t pop_into(Out out, std::size_t max) {
        if constexpr (std::is_same_v<Out, T*>) {
            if constexpr (detail::is_plain<T>) return elements_.pop_into(out, max);
        }
        constexpr std::size_t step = detail::batch<T>::inline_capacity;
        std::size_t taken = 0;
        while (taken < max) {
            const std::size_t wanted = max - taken < step ? max - taken : step;
            const std::size_t got = elements_.pop_into(out, wanted);
            taken += got;
            if (got < wanted) break;
        }
        return taken;
    }

    /// How many elements there are, about: exact when no other thread is at work. Never waits, allocates nothing.
    [[nodiscard]] std::size_t size_approx() const { return elements_.size_approx(); }

    /// Whether the queue was empty at one moment during the call. Lock-free; allocates nothing.
    [[nodiscard]] bool empty() const { return elements_.empty(); }

    /// The queue of the C API, still owned by this object; null after a move.
    [[nodiscard]] conex_queue* native_handle() const noexcept { return elements_.native(); }

private:
    detail::sequence<detail::queue_api, T> elements_;
};

}  // namespace conex

#endif
