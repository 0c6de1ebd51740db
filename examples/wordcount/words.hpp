// What a word is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

// Text is read as UTF-8. A word is a letter and what letters and digits follow it. Letters are ASCII's and every character
// beyond ASCII except two blocks of punctuation and symbols: U+0080 to U+00BF and U+2000 to U+2FFF, whose first bytes are
// C2 and E2.
constexpr bool is_ascii_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool starts_word(unsigned char c) { return is_ascii_letter(c) || (c >= 0xC3 && c != 0xE2); }
constexpr bool continues_word(unsigned char c)
{
    return is_ascii_letter(c) || (c >= '0' && c <= '9') || (c >= 0x80 && c != 0xC2 && c != 0xE2);
}

// Where a text too long for one buffer may be cut: behind the last byte that belongs to no word, and in a marked-up
// text behind the last tag, so that each part counts the same alone as it would within the whole.
inline std::size_t cut_between_words(std::string_view text, bool markup)
{
    if (markup) {
        const std::size_t tag_end = text.rfind('>');
        if (tag_end != text.npos) return tag_end + 1;
    }
    std::size_t cut = text.size();
    while (cut > 0 && continues_word(static_cast<unsigned char>(text[cut - 1]))) --cut;
    return cut > 0 ? cut : text.size(); // a single word longer than the buffer is split
}

// Calls count(word) for each word of [at, end), in lower case; the text is changed to lower case in place for that.
// In a marked-up text, <tags> and &entities; are no words.
template <class Count>
void for_each_word(char* at, char* const end, bool markup, Count count)
{
    constexpr std::ptrdiff_t longest_entity = 10;
    while (at != end) {
        const auto c = static_cast<unsigned char>(*at);
        if (starts_word(c)) {
            char* const word = at;
            do {
                if (*at >= 'A' && *at <= 'Z') *at = static_cast<char>(*at + ('a' - 'A'));
                ++at;
            } while (at != end && continues_word(static_cast<unsigned char>(*at)));
            count(std::string_view(word, static_cast<std::size_t>(at - word)));
        } else if (markup && c == '<') {
            at = std::find(at, end, '>');
        } else if (markup && c == '&') {
            char* const limit = at + std::min(longest_entity, end - at);
            char* const semicolon = std::find(at, limit, ';');
            at = semicolon != limit ? semicolon : at + 1;
        } else {
            ++at;
        }
    }
}
