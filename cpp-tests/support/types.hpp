// SPDX-License-Identifier: MIT OR Apache-2.0
// Element types that give a container trouble, each of them counted and checked.
#ifndef CONEX_TESTS_TYPES_HPP
#define CONEX_TESTS_TYPES_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "support/check.hpp"

namespace types {

/// How many objects of the counted types below are alive. A test that starts and ends at the same number lost none and
/// destroyed none twice.
inline std::atomic<long> alive{0};

/// Holds a canary: alive, or dead. Using or destroying a dead one fails the test.
class life {
public:
    life() noexcept { alive.fetch_add(1, std::memory_order_relaxed); }
    life(const life& other) noexcept : life() { other.verify(); }
    life& operator=(const life& other) noexcept {
        verify();
        other.verify();
        return *this;
    }
    ~life() {
        verify();
        canary_ = dead;
        alive.fetch_sub(1, std::memory_order_relaxed);
    }
    void verify() const noexcept { CHECK(canary_ == living); }

private:
    static constexpr std::uint64_t living = 0x11FE11FE11FE11FE;
    static constexpr std::uint64_t dead = 0xDEADDEADDEADDEAD;
    volatile std::uint64_t canary_ = living;
};

/// Movable and copyable, not relocatable: it knows its own address.
class tracked {
public:
    explicit tracked(std::uint64_t v = 0) noexcept : value_(v) {}
    tracked(const tracked& other) noexcept : value_(other.get()) {}
    tracked(tracked&& other) noexcept : value_(other.get()) { other.value_ = moved_from; }
    tracked& operator=(const tracked& other) noexcept {
        value_ = other.get();
        return *this;
    }
    tracked& operator=(tracked&& other) noexcept {
        const std::uint64_t v = other.get();
        other.value_ = moved_from;
        value_ = v;
        return *this;
    }
    ~tracked() { CHECK(self_ == this); }
    [[nodiscard]] std::uint64_t get() const noexcept {
        CHECK(self_ == this);
        life_.verify();
        return value_;
    }
    friend bool operator==(const tracked& a, const tracked& b) noexcept { return a.get() == b.get(); }

    static constexpr std::uint64_t moved_from = 0xFFFFFFFFFFFFFFFF;

private:
    const tracked* self_ = this;
    std::uint64_t value_;
    life life_;
};

/// Move-only.
class move_only {
public:
    explicit move_only(std::uint64_t v = 0) noexcept : inner_(v) {}
    move_only(move_only&&) noexcept = default;
    move_only& operator=(move_only&&) noexcept = default;
    move_only(const move_only&) = delete;
    move_only& operator=(const move_only&) = delete;
    [[nodiscard]] std::uint64_t get() const noexcept { return inner_.get(); }

private:
    tracked inner_;
};

#if defined(__cpp_exceptions)
/// What `fuse` throws.
struct burnt {};

/// Throws `burnt` at the n-th call of `spend`, and at every later one; a negative count never burns.
class fuse {
public:
    void set(long calls) noexcept { left_.store(calls); }
    void spend() {
        if (left_.load() < 0) return;
        if (left_.fetch_sub(1) <= 0) {
            left_.store(0);
            throw burnt();
        }
    }

private:
    std::atomic<long> left_{-1};
};

inline fuse copies;

/// Its copies throw when the fuse `copies` burns, and it has no move: moving it is copying it.
class throwing_copy {
public:
    explicit throwing_copy(std::uint64_t v = 0) noexcept : value_(v) {}
    throwing_copy(const throwing_copy& other) : value_(other.value_), life_(other.life_) { copies.spend(); }
    throwing_copy& operator=(const throwing_copy& other) {
        copies.spend();
        value_ = other.value_;
        return *this;
    }
    ~throwing_copy() = default;
    [[nodiscard]] std::uint64_t get() const noexcept {
        life_.verify();
        return value_;
    }
    friend bool operator==(const throwing_copy& a, const throwing_copy& b) noexcept { return a.value_ == b.value_; }

private:
    std::uint64_t value_;
    life life_;
};
#endif

/// Plain, with an alignment of its own, which its constructor checks.
template <std::size_t Align, std::size_t Size = Align>
struct alignas(Align) plain {
    std::uint64_t words[Size / 8];

    explicit plain(std::uint64_t v = 0) noexcept {
        for (std::uint64_t& word : words) word = v;
    }
    plain(const plain&) = default;
    plain& operator=(const plain&) = default;
    /// The value, if the object is whole and where it may be.
    [[nodiscard]] std::uint64_t get() const noexcept {
        CHECK(reinterpret_cast<std::uintptr_t>(this) % Align == 0);
        for (const std::uint64_t word : words) {
            if (!CHECK(word == words[0])) break;
        }
        return words[0];
    }
    friend bool operator==(const plain& a, const plain& b) noexcept { return a.get() == b.get(); }
};

using kilobyte = plain<8, 1024>;

/// Over-aligned and not relocatable.
struct alignas(128) aligned_tracked {
    tracked inner;

    explicit aligned_tracked(std::uint64_t v = 0) noexcept : inner(v) { verify(); }
    aligned_tracked(const aligned_tracked& other) noexcept : inner(other.inner) { verify(); }
    aligned_tracked(aligned_tracked&& other) noexcept : inner(std::move(other.inner)) { verify(); }
    aligned_tracked& operator=(const aligned_tracked&) = default;
    aligned_tracked& operator=(aligned_tracked&&) = default;
    ~aligned_tracked() = default;
    [[nodiscard]] std::uint64_t get() const noexcept {
        verify();
        return inner.get();
    }
    void verify() const noexcept { CHECK(reinterpret_cast<std::uintptr_t>(this) % 128 == 0); }
    friend bool operator==(const aligned_tracked& a, const aligned_tracked& b) noexcept { return a.get() == b.get(); }
};

enum class colour : std::uint16_t { red = 1, green = 2 };

static_assert(sizeof(kilobyte) == 1024);
static_assert(std::is_trivially_copyable_v<kilobyte>);

/// The test in between loses and duplicates nothing.
class balance {
public:
    balance() = default;
    balance(const balance&) = delete;
    balance& operator=(const balance&) = delete;
    ~balance() { CHECK(alive.load() == before_); }

private:
    long before_ = alive.load();
};

}  // namespace types

#endif
