// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::status and the version.
#include <conex/status.hpp>

#include <climits>
#include <cstring>
#include <set>
#include <string>

#include "support/check.hpp"

TEST("every status has a text of its own") {
    const conex::status all[] = {conex::status::ok,         conex::status::empty,       conex::status::full,
                                 conex::status::closed,     conex::status::busy,        conex::status::timeout,
                                 conex::status::not_found,  conex::status::exists,      conex::status::mismatch,
                                 conex::status::err_null,   conex::status::err_invalid, conex::status::err_no_memory,
                                 conex::status::err_handle, conex::status::err_stalled, conex::status::err_panic};
    std::set<std::string> texts;
    for (const conex::status each : all) {
        const char* const text = conex::to_string(each);
        if (CHECK(text != nullptr)) texts.insert(text);
        CHECK(conex::to_string(each) == text);  // static text
    }
    CHECK(texts.size() == 15);
    CHECK(texts.count("") == 0);
}

TEST("what is no status has a text too") {
    for (const int value : {INT_MIN, -1000, -7, 9, 1000, INT_MAX}) {
        const char* const text = conex::to_string(static_cast<conex::status>(value));
        CHECK(text != nullptr && std::strlen(text) > 0);
    }
}

TEST("the library is the one of this header") {
    CHECK(conex::version() == CONEX_VERSION_NUMBER);
    CHECK(std::string(conex::version_string()) == CONEX_VERSION_STRING);
    CHECK(CONEX_VERSION_NUMBER == CONEX_VERSION_MAJOR * 1000000 + CONEX_VERSION_MINOR * 1000 + CONEX_VERSION_PATCH);
    CHECK(static_cast<int>(conex::status::ok) == 0);
    CHECK(static_cast<int>(conex::status::empty) == 1 && static_cast<int>(conex::status::mismatch) == 8);
    CHECK(static_cast<int>(conex::status::err_null) == -1 && static_cast<int>(conex::status::err_panic) == -6);
}
