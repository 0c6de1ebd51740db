// The containers that threads share: conex's, and for --compare the classic ones behind a mutex.
#pragma once

#include <conex/conex.hpp>

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

struct conex_containers {
    template <class T>
    using stack = conex::stack<T>;
    template <class T>
    using queue = conex::queue<T>;
    using counts = conex::map<std::string, std::uint64_t>;
    using session = conex::guard; // many operations for the price of one entry
};

struct locked_containers {
    template <class T>
    class stack {
    public:
        void push(T value)
        {
            const std::lock_guard lock(mutex_);
            values_.push_back(std::move(value));
        }
        std::optional<T> try_pop()
        {
            const std::lock_guard lock(mutex_);
            if (values_.empty()) return std::nullopt;
            std::optional<T> value(std::move(values_.back()));
            values_.pop_back();
            return value;
        }

    private:
        std::mutex mutex_;
        std::vector<T> values_;
    };

    template <class T>
    class queue {
    public:
        void push(T value)
        {
            const std::lock_guard lock(mutex_);
            values_.push_back(std::move(value));
        }
        std::optional<T> try_pop()
        {
            const std::lock_guard lock(mutex_);
            if (values_.empty()) return std::nullopt;
            std::optional<T> value(std::move(values_.front()));
            values_.pop_front();
            return value;
        }

    private:
        std::mutex mutex_;
        std::deque<T> values_;
    };

    class counts {
    public:
        void fetch_add(std::string_view word, std::uint64_t delta)
        {
            const std::lock_guard lock(mutex_);
            key_.assign(word); // a key kept between calls: looking up a word allocates nothing
            counts_[key_] += delta;
        }
        template <class F>
        void for_each(F f) const
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [word, count] : counts_) f(word, count);
        }

    private:
        mutable std::mutex mutex_;
        std::string key_;
        std::unordered_map<std::string, std::uint64_t> counts_;
    };

    struct session {};
};
