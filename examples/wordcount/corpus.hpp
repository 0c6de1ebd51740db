// The text: which files it is in, and how a buffer is filled from them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

// What the user can mend: a wrong option, a path that is not there. The program ends with its text and exit code 2.
struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct source {
    std::string path;
    std::uint64_t size = 0;
    bool markup = false; // HTML
};

struct corpus {
    std::vector<source> files;
    std::uint64_t bytes = 0;
};

// All regular files of the given files and folders. Throws failure if one cannot be found or read.
corpus list_files(const std::vector<std::string>& paths);

struct buffer {
    std::array<char, 128 * 1024> bytes;
    std::size_t size = 0;
    bool markup = false;
};

// A place in a file from which on it is still unread.
struct piece {
    const source* file;
    std::uint64_t offset;
};

// Fills `text` with whole words from `from` on, and returns where to read on if the file has more. Of a binary file,
// one with a zero byte in its beginning, nothing is read. Throws failure if the file cannot be read.
std::optional<piece> read_piece(const piece& from, buffer& text);
