// SPDX-License-Identifier: MIT OR Apache-2.0
// What every function of the C API must refuse: the wrong handles, and the right way to say so.
#ifndef CONEX_TESTS_BAD_INPUT_HPP
#define CONEX_TESTS_BAD_INPUT_HPP

#include <conex/conex.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "support/check.hpp"

namespace abuse {

inline void expect(conex_status got, conex_status wanted, const char* function, const char* input) {
    if (got == wanted) return;
    const std::string text = std::string(function) + " with " + input + " answered " + std::to_string(got) + ", not " +
                             std::to_string(wanted) + " (" + conex_status_string(wanted) + ")";
    check::report(false, text.c_str(), __FILE__, __LINE__);
}

/// One live handle of each kind, for use in the wrong place.
class zoo {
public:
    zoo() {
        CHECK(conex_domain_new(nullptr, &domain) == CONEX_OK);
        CHECK(conex_stack_new(nullptr, &stack) == CONEX_OK);
        CHECK(conex_queue_new(nullptr, &queue) == CONEX_OK);
        CHECK(conex_map_new(nullptr, &map) == CONEX_OK);
        CHECK(conex_guard_enter(domain, &guard) == CONEX_OK);
        CHECK(conex_hazard_new(domain, &hazard) == CONEX_OK);
        const std::uint64_t word = 42;
        CHECK(conex_ref_new(domain, nullptr, &word, &ref) == CONEX_OK);
        CHECK(conex_shared_new(domain, nullptr, &shared) == CONEX_OK);
    }
    zoo(const zoo&) = delete;
    zoo& operator=(const zoo&) = delete;
    ~zoo() {
        CHECK(conex_shared_destroy(shared) == CONEX_OK);
        CHECK(conex_ref_release(ref) == CONEX_OK);
        CHECK(conex_hazard_destroy(hazard) == CONEX_OK);
        CHECK(conex_guard_leave(guard) == CONEX_OK);
        CHECK(conex_stack_destroy(stack) == CONEX_OK);
        CHECK(conex_queue_destroy(queue) == CONEX_OK);
        CHECK(conex_map_destroy(map) == CONEX_OK);
        CHECK(conex_domain_destroy(domain) == CONEX_OK);
    }

    conex_domain* domain = nullptr;
    conex_stack* stack = nullptr;
    conex_queue* queue = nullptr;
    conex_map* map = nullptr;
    conex_guard* guard = nullptr;
    conex_hazard* hazard = nullptr;
    conex_ref* ref = nullptr;
    conex_shared* shared = nullptr;
};

struct bad_handle {
    const char* what;
    void* handle;
    conex_status answer;
};

/// Everything that is not a live `Handle`. `live` and `destroyed` are handles of the kind itself.
template <class Handle>
std::vector<bad_handle> bad_handles(const zoo& all, Handle* live, Handle* destroyed, bool null_is_bad) {
    alignas(64) static unsigned char zeros[256] = {};
    alignas(64) static unsigned char ones[256];
    alignas(64) static unsigned char text[256];
    std::memset(ones, 0xFF, sizeof ones);
    for (std::size_t i = 0; i < sizeof text; ++i) text[i] = static_cast<unsigned char>(i * 37 + 11);
    std::vector<bad_handle> bad = {
        {"a pointer one byte into the handle", reinterpret_cast<unsigned char*>(live) + 1, CONEX_ERR_HANDLE},
        {"a pointer four bytes into the handle", reinterpret_cast<unsigned char*>(live) + 4, CONEX_ERR_HANDLE},
        {"a pointer eight bytes into the handle", reinterpret_cast<unsigned char*>(live) + 8, CONEX_ERR_HANDLE},
        {"foreign memory, all zero", zeros, CONEX_ERR_HANDLE},
        {"foreign memory, all ones", ones, CONEX_ERR_HANDLE},
        {"foreign memory", text, CONEX_ERR_HANDLE},
        {"foreign memory, misaligned", text + 3, CONEX_ERR_HANDLE},
        {"a destroyed handle", destroyed, CONEX_ERR_HANDLE},
    };
    if (null_is_bad) bad.push_back({"NULL", nullptr, CONEX_ERR_NULL});
    const auto other = [&](const char* what, void* handle) {
        if (handle != static_cast<void*>(live)) bad.push_back({what, handle, CONEX_ERR_HANDLE});
    };
    if (!std::is_same_v<Handle, conex_domain>) other("a domain", all.domain);
    if (!std::is_same_v<Handle, conex_stack>) other("a stack", all.stack);
    if (!std::is_same_v<Handle, conex_queue>) other("a queue", all.queue);
    if (!std::is_same_v<Handle, conex_map>) other("a map", all.map);
    if (!std::is_same_v<Handle, conex_guard>) other("a guard", all.guard);
    if (!std::is_same_v<Handle, conex_hazard>) other("a hazard pointer", all.hazard);
    if (!std::is_same_v<Handle, conex_ref>) other("a reference", all.ref);
    if (!std::is_same_v<Handle, conex_shared>) other("a shared place", all.shared);
    return bad;
}

/// A function with all arguments good but the handle.
template <class Handle>
struct handle_call {
    const char* name;
    std::function<conex_status(Handle*)> run;
    bool null_is_bad = true;
};

template <class Handle>
void refuse_bad_handles(const zoo& all, Handle* live, Handle* destroyed,
                        const std::vector<handle_call<Handle>>& calls) {
    for (const handle_call<Handle>& each : calls) {
        for (const bad_handle& bad : bad_handles(all, live, destroyed, each.null_is_bad)) {
            expect(each.run(static_cast<Handle*>(bad.handle)), bad.answer, each.name, bad.what);
        }
    }
}

/// Descriptions of elements that cannot be.
inline std::vector<std::pair<const char*, conex_element>> bad_elements() {
    const auto element = [](std::size_t size, std::size_t align) {
        conex_element e = CONEX_ELEMENT_WORD;
        e.size = size;
        e.align = align;
        return e;
    };
    return {
        {"size 0", element(0, 1)},
        {"size 0, align 0", element(0, 0)},
        {"align 0", element(8, 0)},
        {"align 3", element(9, 3)},
        {"align 24", element(48, 24)},
        {"a size that is no multiple of the alignment", element(12, 8)},
        {"align 8192", element(8192, 8192)},
        {"align SIZE_MAX", element(8, SIZE_MAX)},
        {"an alignment of the highest bit", element(8, ~(SIZE_MAX >> 1))},
        {"a size of 1 GiB and 1", element((std::size_t{1} << 30) + 1, 1)},
        {"size SIZE_MAX", element(SIZE_MAX, 1)},
        {"half of memory", element(~(SIZE_MAX >> 1), 8)},
    };
}

/// Refusals that the option structs of all containers have in common. `defaults` is what INIT makes.
template <class Options, class Handle, class New>
void refuse_bad_options(const zoo& all, const Options& defaults, New make, conex_status (*destroy)(Handle*),
                        const char* name) {
    Handle* const marker = reinterpret_cast<Handle*>(0x5AFE);
    const auto refuse = [&](const Options& options, conex_status answer, const char* input) {
        Handle* out = marker;
        expect(make(&options, &out), answer, name, input);
        CHECK(out == marker);
    };
    expect(make(&defaults, nullptr), CONEX_ERR_NULL, name, "a null out");
    expect(make(nullptr, nullptr), CONEX_ERR_NULL, name, "a null out and no options");

    Options o = defaults;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, sizeof(std::size_t), std::size_t{15},
                                   sizeof o - 1, SIZE_MAX, SIZE_MAX / 2, std::size_t{1} << 20}) {
        o.struct_size = size;
        refuse(o, CONEX_ERR_INVALID, ("struct_size " + std::to_string(size)).c_str());
    }
    for (int bit = 0; bit < 64; ++bit) {
        o = defaults;
        o.flags = std::uint64_t{1} << bit;
        refuse(o, CONEX_ERR_INVALID, ("flag " + std::to_string(bit)).c_str());
    }

    // A struct from the future: accepted while what we do not know is zero.
    struct {
        Options known;
        unsigned char unknown[24];
    } future;
    std::memset(static_cast<void*>(&future), 0, sizeof future);
    future.known = defaults;
    future.known.struct_size = sizeof future;
    Handle* out = nullptr;
    expect(make(&future.known, &out), CONEX_OK, name, "a larger struct whose tail is zero");
    CHECK(destroy(out) == CONEX_OK);
    for (unsigned char& byte : future.unknown) {
        byte = 1;
        refuse(future.known, CONEX_ERR_INVALID, "a larger struct whose tail is not zero");
        byte = 0;
    }

    if constexpr (!std::is_same_v<Handle, conex_domain>) {
        static const auto alloc = [](std::size_t, std::size_t, void*) -> void* { return nullptr; };
        static const auto free = [](void*, std::size_t, std::size_t, void*) {};
        o = defaults;
        o.allocator.alloc = alloc;
        refuse(o, CONEX_ERR_INVALID, "alloc without free");
        o = defaults;
        o.allocator.free = free;
        refuse(o, CONEX_ERR_INVALID, "free without alloc");

        conex_domain* gone = nullptr;
        CHECK(conex_domain_new(nullptr, &gone) == CONEX_OK);
        CHECK(conex_domain_destroy(gone) == CONEX_OK);
        for (const bad_handle& bad : bad_handles(all, all.domain, gone, false)) {
            o = defaults;
            o.domain = static_cast<conex_domain*>(bad.handle);
            refuse(o, bad.answer, (std::string("as domain ") + bad.what).c_str());
        }
    }
    o = defaults;
    expect(make(&o, &out), CONEX_OK, name, "the defaults");
    CHECK(destroy(out) == CONEX_OK);
    expect(destroy(out), CONEX_ERR_HANDLE, name, "a handle that was destroyed twice");
}

}  // namespace abuse

#endif
