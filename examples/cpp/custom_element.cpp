// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A type of one's own that owns something. Destructors run exactly once, whether an element is popped or left behind. A
// type that can be moved by copying its bytes may say so, and then lives inside the container without a box.
#include <conex/stack.hpp>

#include <cstdio>
#include <iostream>
#include <utility>

class temporary_file {
public:
    temporary_file() : file_(std::tmpfile()) { ++open; }
    temporary_file(temporary_file&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
    temporary_file& operator=(temporary_file&& other) noexcept {
        std::swap(file_, other.file_);
        return *this;
    }
    ~temporary_file() {
        if (file_ == nullptr) return;
        std::fclose(file_);
        --open;
    }
    void write(const char* text) { std::fputs(text, file_); }

    static inline int open = 0;

private:
    std::FILE* file_;
};

// It holds a pointer, but none into itself.
template <>
struct conex::is_trivially_relocatable<temporary_file> : std::true_type {};

int main() {
    {
        conex::stack<temporary_file> files;
        files.emplace();
        files.push(temporary_file());
        if (auto file = files.try_pop()) file->write("hello");  // popped: closed at the end of this line
        std::cout << "open: " << temporary_file::open << '\n';
    }  // left behind: closed with the stack
    std::cout << "open: " << temporary_file::open << '\n';
    return temporary_file::open;
}
