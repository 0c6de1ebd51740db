// malloc without a lock, for programs that freeze their own threads.
//
// A thread frozen inside an allocator that locks says nothing about the container that called it. Here no call waits for
// another thread: each thread has a list of free blocks a size class; a list that grows too long gives a batch to a shared
// stack (one CAS loop that fails only if another batch came in), and an empty one takes the whole shared stack by one
// exchange. New memory is cut from one reserved range by a fetch-add. Large blocks are cut from it too, rounded to a power
// of two. It never gives memory back to the kernel, which is fine for a test of seconds. What is in use is counted.
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr std::size_t kRange = std::size_t{1} << 40; // address space, not memory
constexpr std::size_t kCutoff = 1024;                // classes of 16 bytes below, powers of two above
constexpr std::size_t kClasses = kCutoff / 16 + 40;
constexpr unsigned kBatch = 256;

struct Block {
    Block* next;
    Block* next_batch;
};

// Before every block: its size class, and the distance back to the block's real begin if alignment moved it.
struct Header {
    std::uint32_t size_class;
    std::uint32_t shift;
    std::size_t size;
};
static_assert(sizeof(Header) == 16);

struct Local {
    Block* free[kClasses];
    unsigned length[kClasses];
};

std::atomic<std::uintptr_t> g_next{0};
std::atomic<Block*> g_batches[kClasses];
thread_local Local t_local; // zero-initialised, so usable before and after every constructor

std::size_t class_of(std::size_t size) {
    if (size <= kCutoff) return (size + 15) / 16;
    return kCutoff / 16 + static_cast<std::size_t>(64 - __builtin_clzll((size - 1) / kCutoff));
}

std::size_t class_size(std::size_t c) {
    return c <= kCutoff / 16 ? c * 16 : kCutoff << (c - kCutoff / 16);
}

std::uintptr_t range() {
    std::uintptr_t begin = g_next.load(std::memory_order_acquire);
    if (begin != 0) return begin;
    void* fresh = mmap(nullptr, kRange, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) return 0;
    if (!g_next.compare_exchange_strong(begin, reinterpret_cast<std::uintptr_t>(fresh))) munmap(fresh, kRange);
    return g_next.load(std::memory_order_acquire);
}

void* take(std::size_t size) {
    const std::size_t c = class_of(size == 0 ? 1 : size);
    Local& local = t_local;
    if (local.free[c] == nullptr) {
        // The whole stack of batches comes out by one exchange, so there is no ABA; all but the first go back.
        Block* batches = g_batches[c].exchange(nullptr, std::memory_order_acquire);
        if (batches != nullptr) {
            local.free[c] = batches;
            local.length[c] = kBatch;
            for (Block* rest = batches->next_batch; rest != nullptr;) {
                Block* const next = rest->next_batch;
                Block* head = g_batches[c].load(std::memory_order_relaxed);
                do rest->next_batch = head;
                while (!g_batches[c].compare_exchange_weak(head, rest, std::memory_order_release, std::memory_order_relaxed));
                rest = next;
            }
        }
    }
    if (Block* const block = local.free[c]; block != nullptr) {
        local.free[c] = block->next;
        if (local.length[c] > 0) --local.length[c];
        return block;
    }
    if (range() == 0) return nullptr;
    const std::size_t bytes = sizeof(Header) + class_size(c);
    const std::uintptr_t at = g_next.fetch_add(bytes, std::memory_order_relaxed);
    Header* const header = reinterpret_cast<Header*>(at);
    header->size_class = static_cast<std::uint32_t>(c);
    return header + 1;
}

void give(void* ptr) {
    Header* const header = static_cast<Header*>(ptr) - 1;
    const std::size_t c = header->size_class;
    Local& local = t_local;
    Block* const block = static_cast<Block*>(ptr);
    block->next = local.free[c];
    local.free[c] = block;
    if (++local.length[c] < 2 * kBatch) return;
    Block* last = block;
    for (unsigned i = 1; i < kBatch; ++i) last = last->next;
    local.free[c] = last->next;
    local.length[c] -= kBatch;
    last->next = nullptr;
    Block* head = g_batches[c].load(std::memory_order_relaxed);
    do block->next_batch = head;
    while (!g_batches[c].compare_exchange_weak(head, block, std::memory_order_release, std::memory_order_relaxed));
}

void* aligned(std::size_t align, std::size_t size) {
    if (align <= 16) {
        void* const ptr = take(size);
        if (ptr != nullptr) {
            Header* const header = static_cast<Header*>(ptr) - 1;
            header->shift = 0;
            header->size = size;
        }
        return ptr;
    }
    char* const ptr = static_cast<char*>(take(size + align));
    if (ptr == nullptr) return nullptr;
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(ptr);
    const std::size_t shift = align - at % align; // at least 16, so there is room for a header
    Header* const header = reinterpret_cast<Header*>(ptr + shift) - 1;
    header->shift = static_cast<std::uint32_t>(shift);
    header->size = size;
    return ptr + shift;
}

} // namespace

// Bytes and blocks that were asked for and not given back.
std::atomic<long long> g_live_bytes{0}, g_live_blocks{0};

namespace {

void count(const void* ptr, int sign) {
    g_live_bytes.fetch_add(sign * static_cast<long long>((static_cast<const Header*>(ptr) - 1)->size), std::memory_order_relaxed);
    g_live_blocks.fetch_add(sign, std::memory_order_relaxed);
}

} // namespace

extern "C" {

void* malloc(std::size_t size) {
    void* const ptr = aligned(16, size);
    if (ptr == nullptr) errno = ENOMEM;
    else count(ptr, +1);
    return ptr;
}

void free(void* ptr) {
    if (ptr == nullptr) return;
    count(ptr, -1);
    const Header* const header = static_cast<Header*>(ptr) - 1;
    give(static_cast<char*>(ptr) - header->shift);
}

void* calloc(std::size_t n, std::size_t size) {
    std::size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return nullptr;
    void* const ptr = malloc(bytes);
    if (ptr != nullptr) std::memset(ptr, 0, bytes);
    return ptr;
}

void* realloc(void* old, std::size_t size) {
    if (old == nullptr) return malloc(size);
    const std::size_t had = (static_cast<Header*>(old) - 1)->size;
    void* const ptr = malloc(size);
    if (ptr == nullptr) return nullptr;
    std::memcpy(ptr, old, had < size ? had : size);
    free(old);
    return ptr;
}

int posix_memalign(void** out, std::size_t align, std::size_t size) {
    void* const ptr = aligned(align, size);
    if (ptr == nullptr) return ENOMEM;
    count(ptr, +1);
    *out = ptr;
    return 0;
}

void* aligned_alloc(std::size_t align, std::size_t size) {
    void* ptr = nullptr;
    return posix_memalign(&ptr, align, size) == 0 ? ptr : nullptr;
}
void* memalign(std::size_t align, std::size_t size) { return aligned_alloc(align, size); }
std::size_t malloc_usable_size(void* ptr) { return ptr == nullptr ? 0 : (static_cast<Header*>(ptr) - 1)->size; }
}
