// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs that must not compile, and whose error must say why. CASE chooses one; each `case` line gives the words that
// the compiler's output must contain. Case 0 compiles.
#include <conex/conex.hpp>

#include <memory>
#include <string>
#include <vector>

struct unhashed {
    char tag;
    long number;
    friend bool operator==(const unhashed&, const unhashed&) { return true; }
};
struct throwing_destructor {
    ~throwing_destructor() noexcept(false) {}
};
struct throwing_move {
    throwing_move() = default;
    throwing_move(throwing_move&&) noexcept(false) {}
    throwing_move(const throwing_move&) = default;
};
struct immovable {
    immovable() = default;
    immovable(const immovable&) = delete;
};
struct incomplete;

int main() {
#if CASE == 0
    conex::stack<int>().push(1);
#elif CASE == 1  // case: an element type must be an object type
    conex::stack<const int> s;
#elif CASE == 2  // case: an element type must be an object type
    conex::queue<int&> q;
#elif CASE == 3  // case: destructor must not throw
    conex::queue<throwing_destructor> q;
#elif CASE == 4  // case: must be movable or copyable
    conex::stack<immovable> s;
#elif CASE == 5  // case: cannot promise not to throw
    conex::queue<throwing_move> q;
    static_cast<void>(q.try_push(std::nothrow, throwing_move()));
#elif CASE == 6  // case: pass std::make_move_iterator
    std::vector<std::unique_ptr<int>> v;
    conex::queue<std::unique_ptr<int>> q;
    q.push_range(v.begin(), v.end());
#elif CASE == 7  // case: this key type has no hash
    conex::map<unhashed, int> m;
    m.insert(unhashed{}, 1);
#elif CASE == 8  // case: value type is not copyable; use visit, find or update
    conex::map<int, std::unique_ptr<int>> m;
    static_cast<void>(m.get(1));
#elif CASE == 9  // case: fetch_add is for values that are 8-byte integers
    conex::map<int, int> m;
    m.fetch_add(1, 1);
#elif CASE == 10  // case: the function must be callable with
    conex::map<std::string, int> m;
    m.for_each([](int, int) {});
#elif CASE == 11  // case: update needs a function that takes
    conex::map<int, int> m;
    m.update(1, [](int) {});
#elif CASE == 12  // case: retire needs a complete type
    conex::domain().retire(static_cast<incomplete*>(nullptr));
#elif CASE == 13  // case: a key must be copyable
    struct hash {
        std::size_t operator()(const std::unique_ptr<int>&) const { return 0; }
    };
    conex::map<std::unique_ptr<int>, int, hash> m;
#elif CASE == 14  // case: yields temporary keys
    struct iterator {
        std::string operator*() const { return {}; }
        iterator& operator++() { return *this; }
        bool operator!=(const iterator&) const { return false; }
        bool operator==(const iterator&) const { return true; }
    };
    conex::map<std::string, int> m;
    m.erase_n(iterator(), iterator());
#elif CASE == 15  // case: alignment must not exceed 4096
    struct alignas(8192) page {
        char bytes[8192];
    };
    conex::stack<page> s;
#endif
}
