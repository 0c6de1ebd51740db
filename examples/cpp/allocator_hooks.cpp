// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory from a place of one's own, here a std::pmr pool. The hooks may be called from any thread that uses the container,
// so the resource must be a synchronised one. Boxes of elements come from it too.
#include <conex/conex.hpp>

#include <iostream>
#include <memory_resource>
#include <string>

void* pool_alloc(std::size_t size, std::size_t align, void* ctx) noexcept {
    try {
        return static_cast<std::pmr::memory_resource*>(ctx)->allocate(size, align);
    } catch (...) {
        return nullptr;  // the operation throws std::bad_alloc and has changed nothing
    }
}

void pool_free(void* ptr, std::size_t size, std::size_t align, void* ctx) noexcept {
    static_cast<std::pmr::memory_resource*>(ctx)->deallocate(ptr, size, align);
}

int main() {
    std::pmr::synchronized_pool_resource pool;  // must outlive the containers

    conex::map_options options;
    options.allocator = {pool_alloc, pool_free, &pool};
    options.capacity = 1000;
    conex::map<std::string, std::string> map(options);
    for (int i = 0; i < 1000; ++i) map.insert(std::to_string(i), std::to_string(i * i));
    std::cout << "12 squared is " << *map.get("12") << '\n';

    // With no memory at all, an operation throws and has changed nothing.
    conex::queue_options none;
    none.allocator = {[](std::size_t, std::size_t, void*) -> void* { return nullptr; },
                      [](void*, std::size_t, std::size_t, void*) {}, nullptr};
    try {
        conex::queue<int> queue(none);
        queue.push(1);
    } catch (const std::bad_alloc&) {
        std::cout << "no memory\n";
        return map.size() == 1000 ? 0 : 1;
    }
    return 1;
}
