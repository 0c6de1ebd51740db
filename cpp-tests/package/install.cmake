# Installs a build tree, moves the installed prefix elsewhere, and looks for what would have stayed behind.
#
#   BUILD   the build tree    CONFIG  its configuration    SOURCE  the source tree
#   PREFIX  where the prefix ends up

set(first "${PREFIX}.as-installed")
file(REMOVE_RECURSE "${first}" "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --config "${CONFIG}" --prefix "${first}"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${first}" "${PREFIX}")

file(GLOB_RECURSE texts "${PREFIX}/*.cmake" "${PREFIX}/*.pc" "${PREFIX}/*.h" "${PREFIX}/*.hpp")
list(LENGTH texts count)
if(count LESS 4)
  message(FATAL_ERROR "only ${count} text files were installed: ${texts}")
endif()
foreach(text IN LISTS texts)
  file(READ "${text}" content)
  foreach(path IN ITEMS "${first}" "${BUILD}" "${SOURCE}")
    string(FIND "${content}" "${path}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${text} names ${path}: the prefix cannot be moved")
    endif()
  endforeach()
endforeach()

foreach(file IN ITEMS include/conex/conex.h include/conex/conex.hpp lib/libconex.a lib/libconex.so
    lib/cmake/conex/conexConfig.cmake lib/cmake/conex/conexConfigVersion.cmake lib/pkgconfig/conex.pc share/conex/tsan.supp)
  if(NOT EXISTS "${PREFIX}/${file}")
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()
