#include "corpus.hpp"

#include "words.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

void add_file(corpus& text, const fs::path& path)
{
    const auto extension = path.extension();
    const auto size = fs::file_size(path);
    text.files.push_back({path.string(), size, extension == ".html" || extension == ".htm"});
    text.bytes += size;
}

class file_descriptor {
public:
    explicit file_descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC))
    {
        if (fd_ < 0) throw failure("cannot open " + path + ": " + std::strerror(errno));
    }
    ~file_descriptor() { ::close(fd_); }
    file_descriptor(const file_descriptor&) = delete;
    file_descriptor& operator=(const file_descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

} // namespace

corpus list_files(const std::vector<std::string>& paths)
{
    corpus text;
    for (const std::string& path : paths) {
        try {
            switch (fs::status(path).type()) {
            case fs::file_type::regular:
                add_file(text, path);
                break;
            case fs::file_type::directory:
                for (const auto& entry : fs::recursive_directory_iterator(path))
                    if (entry.is_regular_file() && !entry.is_symlink()) add_file(text, entry.path());
                break;
            case fs::file_type::not_found:
                throw failure("there is no file or folder '" + path + "'");
            default:
                throw failure("'" + path + "' is neither a file nor a folder");
            }
        } catch (const fs::filesystem_error& error) {
            const std::string where = error.path1().empty() ? path : error.path1().string();
            throw failure("cannot read " + where + ": " + error.code().message());
        }
    }
    return text;
}

std::optional<piece> read_piece(const piece& from, buffer& text)
{
    const file_descriptor file(from.file->path);
    text.size = 0;
    text.markup = from.file->markup;
    while (text.size < text.bytes.size()) {
        const ssize_t got = ::pread(file.get(), text.bytes.data() + text.size, text.bytes.size() - text.size,
                                    static_cast<off_t>(from.offset + text.size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw failure("cannot read " + from.file->path + ": " + std::strerror(errno));
        if (got == 0) break; // the end of the file
        text.size += static_cast<std::size_t>(got);
    }

    if (from.offset == 0 && std::memchr(text.bytes.data(), '\0', text.size) != nullptr) {
        text.size = 0;
        return std::nullopt;
    }
    if (text.size < text.bytes.size()) return std::nullopt;
    text.size = cut_between_words(std::string_view(text.bytes.data(), text.size), text.markup);
    return piece{from.file, from.offset + text.size};
}
