# Builds both libraries with cargo and wraps them as conex::static, conex::shared and conex::conex.

if(NOT UNIX OR APPLE)
  message(FATAL_ERROR "conex: this build knows ELF platforms only so far; elsewhere use `cargo build --release` and include/conex")
endif()

# One folder a configuration, so that Debug and Release live side by side in a multi-configuration build.
get_property(conex_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
set(conex_library_dir "${PROJECT_BINARY_DIR}/lib")
if(conex_multi_config)
  string(APPEND conex_library_dir "/$<CONFIG>")
endif()
set(conex_static_file "libconex.a")
set(conex_shared_file "libconex.so.${PROJECT_VERSION}")
set(conex_shared_soname "libconex.so.${CONEX_ABI}")

# Configurations that are not named here (an empty one too) get the optimised library.
set(conex_profile "$<IF:$<CONFIG:Debug>,dev,$<IF:$<CONFIG:RelWithDebInfo>,relwithdebinfo,$<IF:$<CONFIG:MinSizeRel>,minsize,release>>>")
set(conex_profile_dir "$<IF:$<CONFIG:Debug>,debug,${conex_profile}>")

set(cargo_args build --lib --profile ${conex_profile} ${CONEX_CARGO_FLAGS})
if(EXISTS "${PROJECT_SOURCE_DIR}/Cargo.lock")
  list(APPEND cargo_args --locked)
endif()
set(cargo_env ${conex_rust_env} "CARGO_TARGET_DIR=${CONEX_CARGO_TARGET_DIR}")
set(sanitize_flags)
if(CONEX_SANITIZE STREQUAL "address")
  list(APPEND cargo_env "RUSTFLAGS=$ENV{RUSTFLAGS} -Zsanitizer=address")
  set(sanitize_flags -fsanitize=address -fno-omit-frame-pointer)
elseif(CONEX_SANITIZE STREQUAL "thread")
  # ThreadSanitizer must see the atomics of the standard library too, hence -Zbuild-std.
  list(APPEND cargo_env "RUSTFLAGS=$ENV{RUSTFLAGS} -Zsanitizer=thread")
  list(APPEND cargo_args -Zbuild-std=std,panic_unwind)
  set(sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(CONEX_SANITIZE)
  message(FATAL_ERROR "conex: CONEX_SANITIZE is '${CONEX_SANITIZE}'; it may be address, thread or empty")
endif()
if(CONEX_SANITIZE AND NOT conex_rust_target)
  set(conex_rust_target "${conex_rust_host}") # rustc instruments only with a target named
endif()
set(conex_cargo_out "${CONEX_CARGO_TARGET_DIR}")
if(conex_rust_target)
  list(APPEND cargo_args --target "${conex_rust_target}")
  string(APPEND conex_cargo_out "/${conex_rust_target}")
endif()
string(APPEND conex_cargo_out "/${conex_profile_dir}")

# Only GNU ld and objcopy can make the archive self-contained (cmake/stage.cmake says how and why).
set(conex_localise ${CONEX_LOCALISE})
if(CONEX_SANITIZE)
  set(conex_localise OFF) # the sanitizers register code from sections that the partial link would drop
endif()
if(conex_localise)
  set(triple "")
  if(CMAKE_CROSSCOMPILING)
    get_filename_component(triple "${CMAKE_C_COMPILER}" NAME)
    string(REGEX REPLACE "(gcc|cc|clang)(-[0-9.]+)?$" "" triple "${triple}")
  endif()
  find_program(CONEX_LD NAMES "${triple}ld.bfd" "${triple}ld")
  find_program(CONEX_OBJCOPY NAMES "${triple}objcopy")
  set(ld_help "")
  if(CONEX_LD)
    execute_process(COMMAND "${CONEX_LD}" --help OUTPUT_VARIABLE ld_help ERROR_QUIET)
  endif()
  if(NOT CONEX_OBJCOPY OR NOT ld_help MATCHES "--force-group-allocation")
    message(WARNING "conex: no GNU ld and objcopy for ${triple}: libconex.a will show the symbols of Rust's standard library and "
      "may not link beside another Rust library. Install binutils, or set CONEX_LOCALISE=OFF to silence this.")
    set(conex_localise OFF)
  endif()
endif()

# Always run: cargo knows better than any list of sources what is out of date. What did not change is not copied, so
# that nothing is relinked.
set(all "")
if(PROJECT_IS_TOP_LEVEL OR CONEX_INSTALL)
  set(all ALL)
endif()
add_custom_target(conex_cargo ${all}
  COMMAND "${CMAKE_COMMAND}" -E env ${cargo_env} "${CONEX_CARGO}" ${cargo_args}
  COMMAND "${CMAKE_COMMAND}"
    "-DFROM=${conex_cargo_out}" "-DTO=${conex_library_dir}" "-DVERSION=${PROJECT_VERSION}" "-DABI=${CONEX_ABI}"
    "-DLOCALISE=${conex_localise}" "-DKEEP_DEBUG=$<CONFIG:Debug,RelWithDebInfo>"
    "-DLD=${CONEX_LD}" "-DOBJCOPY=${CONEX_OBJCOPY}" "-DAR=${CMAKE_AR}" "-DNM=${CMAKE_NM}"
    -P "${PROJECT_SOURCE_DIR}/cmake/stage.cmake"
  BYPRODUCTS
    "${conex_library_dir}/${conex_static_file}" "${conex_library_dir}/${conex_shared_file}"
    "${conex_library_dir}/${conex_shared_soname}" "${conex_library_dir}/libconex.so"
  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
  COMMENT "conex: cargo build"
  USES_TERMINAL VERBATIM)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
add_library(conex::static STATIC IMPORTED GLOBAL)
add_library(conex::shared SHARED IMPORTED GLOBAL)
foreach(kind IN ITEMS static shared)
  # The plain property first: a configuration that nobody foresaw, an empty one too, falls back to it.
  if(conex_multi_config)
    list(GET CMAKE_CONFIGURATION_TYPES 0 first)
    set_property(TARGET conex::${kind} PROPERTY IMPORTED_LOCATION "${PROJECT_BINARY_DIR}/lib/${first}/${conex_${kind}_file}")
    foreach(config IN LISTS CMAKE_CONFIGURATION_TYPES)
      string(TOUPPER "${config}" upper)
      set_property(TARGET conex::${kind} APPEND PROPERTY IMPORTED_CONFIGURATIONS ${upper})
      set_property(TARGET conex::${kind} PROPERTY IMPORTED_LOCATION_${upper} "${PROJECT_BINARY_DIR}/lib/${config}/${conex_${kind}_file}")
      set_property(TARGET conex::${kind} PROPERTY IMPORTED_SONAME_${upper} "${conex_shared_soname}")
    endforeach()
  else()
    set_property(TARGET conex::${kind} PROPERTY IMPORTED_LOCATION "${conex_library_dir}/${conex_${kind}_file}")
  endif()
  target_include_directories(conex::${kind} INTERFACE "${PROJECT_SOURCE_DIR}/include")
  if(CONEX_SANITIZE)
    target_compile_options(conex::${kind} INTERFACE ${sanitize_flags})
    target_link_options(conex::${kind} INTERFACE ${sanitize_flags})
  endif()
  if(CONEX_SANITIZE STREQUAL "thread")
    # The instrumented library reports its own synchronisation; the headers' annotations would hide races in it.
    target_compile_definitions(conex::${kind} INTERFACE CONEX_TSAN_ANNOTATE=0)
  endif()
  add_dependencies(conex::${kind} conex_cargo)
endforeach()
set_property(TARGET conex::shared PROPERTY IMPORTED_SONAME "${conex_shared_soname}")
target_compile_definitions(conex::shared INTERFACE CONEX_SHARED)

set(conex_static_needs ${conex_native_libs})
list(TRANSFORM conex_static_needs REPLACE "^-l?pthread$" "Threads::Threads")
list(TRANSFORM conex_static_needs REPLACE "^-l" "")
list(REMOVE_DUPLICATES conex_static_needs)
target_link_libraries(conex::static INTERFACE ${conex_static_needs})

add_library(conex_conex INTERFACE)
add_library(conex::conex ALIAS conex_conex)
if(BUILD_SHARED_LIBS)
  target_link_libraries(conex_conex INTERFACE conex::shared)
else()
  target_link_libraries(conex_conex INTERFACE conex::static)
endif()
