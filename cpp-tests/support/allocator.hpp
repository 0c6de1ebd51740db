// SPDX-License-Identifier: MIT OR Apache-2.0
// Allocator hooks that count every byte, check every free, and fail when they are told to.
#ifndef CONEX_TESTS_ALLOCATOR_HPP
#define CONEX_TESTS_ALLOCATOR_HPP

#include <conex/conex.h>

#include <map>
#include <mutex>
#include <new>

#include "support/check.hpp"

namespace support {

class counting_allocator {
public:
    counting_allocator() = default;
    counting_allocator(const counting_allocator&) = delete;
    counting_allocator& operator=(const counting_allocator&) = delete;
    ~counting_allocator() { CHECK(live_.empty()); }

    [[nodiscard]] conex_allocator hooks() noexcept { return {&alloc, &free, this}; }

    /// The allocation after `calls` more fails, and all after it; negative: none.
    void fail_after(long calls) {
        const std::lock_guard<std::mutex> lock(mutex_);
        left_ = calls;
    }

    [[nodiscard]] std::size_t bytes() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return bytes_;
    }
    [[nodiscard]] std::size_t blocks() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return live_.size();
    }
    [[nodiscard]] std::size_t calls() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return calls_;
    }
    [[nodiscard]] std::size_t refusals() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return refusals_;
    }

private:
    struct block {
        std::size_t size;
        std::size_t align;
    };

    static void* alloc(std::size_t size, std::size_t align, void* ctx) {
        counting_allocator& self = *static_cast<counting_allocator*>(ctx);
        const std::lock_guard<std::mutex> lock(self.mutex_);
        CHECK(size != 0 && align != 0 && (align & (align - 1)) == 0);
        ++self.calls_;
        if (self.left_ == 0) {
            ++self.refusals_;
            return nullptr;
        }
        if (self.left_ > 0) --self.left_;
        void* const made = ::operator new(size, std::align_val_t(align), std::nothrow);
        if (made == nullptr) return nullptr;
        self.live_[made] = {size, align};
        self.bytes_ += size;
        return made;
    }

    static void free(void* ptr, std::size_t size, std::size_t align, void* ctx) {
        counting_allocator& self = *static_cast<counting_allocator*>(ctx);
        const std::lock_guard<std::mutex> lock(self.mutex_);
        const auto found = self.live_.find(ptr);
        if (!CHECK(found != self.live_.end())) return;
        CHECK(found->second.size == size && found->second.align == align);
        self.bytes_ -= found->second.size;
        ::operator delete(ptr, std::align_val_t(found->second.align));
        self.live_.erase(found);
    }

    mutable std::mutex mutex_;
    std::map<void*, block> live_;
    std::size_t bytes_ = 0;
    std::size_t calls_ = 0;
    std::size_t refusals_ = 0;
    long left_ = -1;
};

}  // namespace support

#endif
