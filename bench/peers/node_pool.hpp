// Nodes for the intrusive peers, which leave allocation to the user: a free list for each thread, filled from and spilled to a
// shared one in batches of 64, so that a producer's nodes come back from its consumer. Nodes are never given back before
// the pool dies: peers without safe reclamation may still read them.
#pragma once

#include <cstdlib>
#include <mutex>
#include <vector>

#include "../harness/platform.hpp"

namespace bench {

template <class Node>
class node_pool {
    static constexpr std::size_t batch = 64;

public:
    node_pool() = default;
    node_pool(const node_pool&) = delete;
    ~node_pool() {
        for (void* chunk : chunks_) std::free(chunk);
    }

    class local {
    public:
        explicit local(node_pool& p) : pool_(p) { free_.reserve(2 * batch); }
        local(const local&) = delete;
        ~local() { pool_.give(free_, free_.size()); }
        Node* take() {
            if (free_.empty()) pool_.refill(free_);
            Node* n = free_.back();
            free_.pop_back();
            return n;
        }
        void put(Node* n) {
            if (free_.size() == 2 * batch) pool_.give(free_, batch);
            free_.push_back(n);
        }

    private:
        node_pool& pool_;
        std::vector<Node*> free_;
    };

private:
    void refill(std::vector<Node*>& to) {
        std::lock_guard<std::mutex> hold(lock_);
        if (shared_.empty()) {
            auto* chunk = static_cast<Node*>(std::aligned_alloc(cache_line, round_up(sizeof(Node) * batch)));
            if (chunk == nullptr) std::abort();
            chunks_.push_back(chunk);
            for (std::size_t i = 0; i < batch; ++i) to.push_back(chunk + i);
            return;
        }
        const std::size_t n = shared_.size() < batch ? shared_.size() : batch;
        to.insert(to.end(), shared_.end() - static_cast<std::ptrdiff_t>(n), shared_.end());
        shared_.resize(shared_.size() - n);
    }
    void give(std::vector<Node*>& from, std::size_t n) {
        std::lock_guard<std::mutex> hold(lock_);
        shared_.insert(shared_.end(), from.end() - static_cast<std::ptrdiff_t>(n), from.end());
        from.resize(from.size() - n);
    }
    static std::size_t round_up(std::size_t n) { return (n + cache_line - 1) / cache_line * cache_line; }

    std::mutex lock_;
    std::vector<Node*> shared_;
    std::vector<void*> chunks_;
};

}  // namespace bench
