# What the two libraries show to a linker: the functions that conex.h declares, all of them and nothing else.
#
#   SHARED, STATIC  the libraries    HEADER  conex.h    SONAME  what SHARED must be called
#   LOCALISED       whether STATIC hides the rest    NM

file(READ "${HEADER}" header)
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" header "${header}") # comments speak of functions too
string(REGEX REPLACE "//[^\n]*" "" header "${header}")
string(REGEX REPLACE "#define[^\n]*" "" header "${header}")
# A declaration is a name before a parenthesis; a function type is a name inside one: (*conex_drop_fn)(...).
string(REGEX MATCHALL "[^*a-z0-9_(]\\**conex_[a-z0-9_]+\\(" declared "${header}")
list(TRANSFORM declared REPLACE ".*(conex_[a-z0-9_]+)\\($" "\\1")
list(REMOVE_DUPLICATES declared)
list(SORT declared)
list(LENGTH declared count)
if(count EQUAL 0)
  message(FATAL_ERROR "${HEADER} declares no function")
endif()

function(compare file)
  execute_process(COMMAND "${NM}" ${ARGN} --defined-only "${file}" OUTPUT_VARIABLE out COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]+ [A-Za-z] [^\n]+" shown "${out}")
  list(TRANSFORM shown REPLACE "^[0-9a-f]+ [A-Za-z] " "")
  list(SORT shown)
  if(shown STREQUAL declared)
    message(STATUS "${file}: ${count} symbols, as declared")
    return()
  endif()
  set(missing ${declared})
  list(REMOVE_ITEM missing ${shown})
  list(REMOVE_ITEM shown ${declared})
  message(FATAL_ERROR "${file}\n  shows, but conex.h does not declare: ${shown}\n  does not show, but conex.h declares: ${missing}")
endfunction()

compare("${SHARED}" -D)
if(LOCALISED)
  compare("${STATIC}" -g)
endif()

execute_process(COMMAND readelf -d "${SHARED}" OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "." "\\." soname "${SONAME}")
if(NOT dynamic MATCHES "SONAME[^\n]*\\[${soname}\\]")
  message(FATAL_ERROR "${SHARED} is not called ${SONAME}:\n${dynamic}")
endif()
if(NOT dynamic MATCHES "NODELETE")
  message(FATAL_ERROR "${SHARED} could be unmapped while threads still have to run its exit code: no NODELETE\n${dynamic}")
endif()
