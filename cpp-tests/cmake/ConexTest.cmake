# conex_add_test(NAME name SOURCES file... [LINK static|shared] [LABELS label...] [TIMEOUT seconds] [OPTIONS option...])
#
# Builds a program and makes it a test of the same name. It links conex::conex, or the library that LINK asks for, and is
# compiled as C11 and C++17 with every warning; OPTIONS are further compiler options. The program is an ordinary target:
# what else it needs is said with target_link_libraries(name ...) or set_target_properties(name ...) after the call.
#
#   LABELS   folders of tests: unit, stress, abuse, package... `ctest -L stress` runs one of them.
#            A test labelled `stress` uses all cores and runs alone.
#   TIMEOUT  60 seconds unless told
function(conex_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LINK;TIMEOUT" "SOURCES;LABELS;OPTIONS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES OR NOT arg_NAME OR NOT arg_SOURCES)
    message(FATAL_ERROR "conex_add_test(${ARGV}): NAME and SOURCES are needed, and '${arg_UNPARSED_ARGUMENTS}' is not known")
  endif()
  if(NOT arg_LINK)
    set(arg_LINK conex)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()

  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE conex::${arg_LINK} Threads::Threads)
  target_include_directories(${arg_NAME} PRIVATE "${conex_cpp_tests_dir}")
  target_compile_options(${arg_NAME} PRIVATE ${conex_warnings} ${arg_OPTIONS})
  set_target_properties(${arg_NAME} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    # conex's headers come with imported targets, which CMake calls system headers: their warnings would be swallowed.
    NO_SYSTEM_FROM_IMPORTED ON)

  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${conex_test_environment}")
  if("stress" IN_LIST arg_LABELS)
    set_tests_properties(${arg_NAME} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

set(conex_cpp_tests_dir "${CMAKE_CURRENT_SOURCE_DIR}")
set(conex_warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(CONEX_WERROR)
  list(APPEND conex_warnings -Werror)
endif()

# What a sanitizer finds must fail the test, also when the program would go on.
set(conex_test_environment)
if(CONEX_SANITIZE STREQUAL "address")
  set(conex_test_environment "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1")
elseif(CONEX_SANITIZE STREQUAL "thread")
  set(conex_test_environment "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
endif()
