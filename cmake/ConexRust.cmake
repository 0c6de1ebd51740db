# Finds the Rust toolchain and asks it what only it knows.
#
#   CONEX_CARGO, CONEX_RUSTC   the programs
#   conex_rust_env             environment for both, as arguments of `cmake -E env`
#   conex_rust_target          the triple given to cargo, or empty for cargo's default
#   conex_native_libs          what a program that links libconex.a must link besides

find_program(CONEX_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
find_program(CONEX_RUSTC rustc HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
if(NOT CONEX_CARGO OR NOT CONEX_RUSTC)
  message(FATAL_ERROR "conex is written in Rust: building it needs cargo and rustc (https://rustup.rs), and neither PATH nor ~/.cargo/bin has them")
endif()

set(conex_rust_env)
if(CONEX_RUST_TOOLCHAIN)
  list(APPEND conex_rust_env "RUSTUP_TOOLCHAIN=${CONEX_RUST_TOOLCHAIN}")
elseif(CONEX_SANITIZE)
  list(APPEND conex_rust_env "RUSTUP_TOOLCHAIN=nightly")
endif()

# Runs rustc where cargo will run it, so that a toolchain override of that folder holds for both.
function(conex_ask_rustc result_out result_err)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env ${conex_rust_env} "${CONEX_RUSTC}" ${ARGN}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "conex: `${CONEX_RUSTC} ${ARGN}` failed:\n${err}")
  endif()
  set(${result_out} "${out}" PARENT_SCOPE)
  set(${result_err} "${err}" PARENT_SCOPE)
endfunction()

conex_ask_rustc(conex_rustc_about unused -vV)
string(REGEX REPLACE ".*release: ([0-9.]+).*" "\\1" conex_rustc_version "${conex_rustc_about}")
string(REGEX REPLACE ".*host: ([^\n]+).*" "\\1" conex_rust_host "${conex_rustc_about}")
file(STRINGS "${PROJECT_SOURCE_DIR}/Cargo.toml" conex_rustc_least REGEX "^rust-version = " LIMIT_COUNT 1)
string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" conex_rustc_least "${conex_rustc_least}")
if(conex_rustc_version VERSION_LESS conex_rustc_least)
  message(FATAL_ERROR "conex needs Rust ${conex_rustc_least} or later; ${CONEX_RUSTC} is ${conex_rustc_version}")
endif()

set(conex_rust_target "${CONEX_RUST_TARGET}")
if(CMAKE_CROSSCOMPILING AND NOT conex_rust_target)
  message(FATAL_ERROR "conex: set CONEX_RUST_TARGET when cross compiling, for instance aarch64-unknown-linux-gnu")
endif()
if(CMAKE_CROSSCOMPILING)
  string(TOUPPER "${conex_rust_target}" triple)
  string(REPLACE "-" "_" triple "${triple}")
  list(APPEND conex_rust_env "CARGO_TARGET_${triple}_LINKER=${CMAKE_C_COMPILER}")
endif()

# The list differs between compilers and targets, so it is asked for rather than written down.
set(query --crate-type staticlib --print native-static-libs -o "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/conex_native_libs.a")
if(conex_rust_target)
  list(APPEND query --target "${conex_rust_target}")
endif()
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/conex_native_libs.rs" "")
conex_ask_rustc(unused answer ${query} "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/conex_native_libs.rs")
file(REMOVE "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/conex_native_libs.a")
if(NOT answer MATCHES "native-static-libs: ([^\n]*)")
  message(FATAL_ERROR "conex: ${CONEX_RUSTC} does not say which native libraries its standard library needs:\n${answer}")
endif()
separate_arguments(conex_native_libs UNIX_COMMAND "${CMAKE_MATCH_1}")
list(REMOVE_DUPLICATES conex_native_libs)
list(REMOVE_ITEM conex_native_libs -lc) # every C and C++ compiler adds it

if(conex_rust_target)
  message(STATUS "conex ${PROJECT_VERSION}: Rust ${conex_rustc_version} for ${conex_rust_target}")
else()
  message(STATUS "conex ${PROJECT_VERSION}: Rust ${conex_rustc_version} for ${conex_rust_host}")
endif()
