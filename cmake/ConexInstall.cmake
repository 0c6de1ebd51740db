# Install rules: headers, both libraries, a CMake package and a pkg-config file. Nothing that is installed names the
# folder it was built in or installed to: the whole prefix may be moved afterwards.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/conex")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/conex" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT devel FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${conex_library_dir}/${conex_shared_file}" "${conex_library_dir}/${conex_shared_soname}"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
  PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
install(FILES "${conex_library_dir}/libconex.so" "${conex_library_dir}/${conex_static_file}"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT devel)

# `cmake --install --strip` strips what CMake built itself; the shared library comes from cargo.
install(CODE "
  if(CMAKE_INSTALL_DO_STRIP)
    execute_process(COMMAND \"${CMAKE_STRIP}\" \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/${conex_shared_file}\")
  endif()" COMPONENT runtime)

set(CONEX_STATIC_NEEDS "${conex_static_needs}")
set(CONEX_SHARED_FILE "${conex_shared_file}")
set(CONEX_SHARED_SONAME "${conex_shared_soname}")
configure_package_config_file(cmake/conexConfig.cmake.in "${PROJECT_BINARY_DIR}/package/conexConfig.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_DATADIR)
# Before 1.0 a minor version may break: 0.2 is no answer to a request for 0.1.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/conexConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/conexConfig.cmake" "${PROJECT_BINARY_DIR}/package/conexConfigVersion.cmake"
  DESTINATION "${package_dir}" COMPONENT devel)

# conex.pc finds its prefix from its own place.
file(RELATIVE_PATH CONEX_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" CONEX_PC_PREFIX "${CONEX_PC_PREFIX}")
file(RELATIVE_PATH CONEX_PC_LIBDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH CONEX_PC_INCLUDEDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
file(RELATIVE_PATH CONEX_PC_DATADIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_DATADIR}")
list(JOIN conex_native_libs " " CONEX_PC_PRIVATE)
configure_file(cmake/conex.pc.in "${PROJECT_BINARY_DIR}/package/conex.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/conex.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT devel)

# For users whose own program is built with ThreadSanitizer.
install(FILES "${PROJECT_SOURCE_DIR}/cpp-tests/support/tsan.supp" DESTINATION "${CMAKE_INSTALL_DATADIR}/conex" COMPONENT devel)

file(GLOB licences CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/LICENSE*")
if(licences)
  install(FILES ${licences} DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT devel)
endif()
