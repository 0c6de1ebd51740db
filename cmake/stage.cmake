# Puts what cargo built where the imported targets look for it. Run as a script, after each cargo build.
#
#   FROM      cargo's output folder            TO          the folder of the imported targets
#   VERSION   of the library, 0.1.0            ABI         the N of libconex.so.N
#   LOCALISE  make the archive self-contained  KEEP_DEBUG  with its debug information
#   LD OBJCOPY AR NM                           the tools
#
# Files that did not change keep their time stamps, so that nobody relinks for nothing.

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "conex: `${command}` failed (${code}):\n${out}")
  endif()
endfunction()

function(undefined_symbols result object)
  execute_process(COMMAND "${NM}" -u "${object}" OUTPUT_VARIABLE out COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL " [Uwv] [^\n]+" names "${out}")
  list(TRANSFORM names REPLACE "^ . " "")
  set(${result} "${names}" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY "${TO}")

# libconex.so -> libconex.so.ABI -> libconex.so.VERSION, as ldconfig and distributions expect.
file(COPY_FILE "${FROM}/libconex.so" "${TO}/libconex.so.${VERSION}" ONLY_IF_DIFFERENT)
foreach(link IN ITEMS "libconex.so.${ABI}=libconex.so.${VERSION}" "libconex.so=libconex.so.${ABI}")
  string(REPLACE "=" ";" link "${link}")
  list(POP_FRONT link name)
  set(old "")
  if(IS_SYMLINK "${TO}/${name}")
    file(READ_SYMLINK "${TO}/${name}" old)
  endif()
  if(NOT old STREQUAL link)
    file(CREATE_LINK "${link}" "${TO}/${name}" SYMBOLIC)
  endif()
endforeach()

if(NOT LOCALISE)
  file(COPY_FILE "${FROM}/libconex.a" "${TO}/libconex.a" ONLY_IF_DIFFERENT)
  return()
endif()

# rustc's archive holds the whole standard library with global symbols. Beside a second Rust library, of another
# compiler version or built with LTO, the linker finds `rust_eh_personality` and others twice. So the archive is linked
# into one object in which only the C functions stay global:
#
#   ld -r --gc-sections        keeps what the C functions reach, and drops the rest (22 MB become 1 MB)
#   --force-group-allocation   dissolves COMDAT groups. Left as they are, a second library's linker run would drop one of
#                              two equal groups that localised code points into: a crash at the first panic
#   objcopy --keep-global      hides everything else
#   --strip-symbols            forgets undefined symbols that nothing refers to any more. The linker leaves the weak ones
#                              among them behind as strong, and a second Rust library would have to define them
#   -R .llvmbc                 removes embedded bitcode that an `ar` with the LLVM plugin chokes on
file(SHA256 "${FROM}/libconex.a" hash)
set(stamp "${TO}/libconex.a.stamp")
set(recipe "2 ${hash} ${KEEP_DEBUG}")
if(EXISTS "${TO}/libconex.a" AND EXISTS "${stamp}")
  file(READ "${stamp}" done)
  if(done STREQUAL recipe)
    return()
  endif()
endif()

# The symbols to keep are those that the shared library exports: one list for both.
execute_process(COMMAND "${NM}" -D --defined-only "${FROM}/libconex.so" OUTPUT_VARIABLE symbols RESULT_VARIABLE code)
string(REGEX MATCHALL " [TDBR] (conex_[a-z0-9_]+)" symbols "${symbols}")
list(TRANSFORM symbols REPLACE "^ . " "")
if(NOT code EQUAL 0 OR NOT symbols)
  message(FATAL_ERROR "conex: `${NM} -D ${FROM}/libconex.so` names no conex_* symbol")
endif()
set(work "${TO}/localise")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")
list(JOIN symbols "\n" keep)
file(WRITE "${work}/keep.txt" "${keep}\n")
list(TRANSFORM symbols PREPEND "-u ")
list(JOIN symbols "\n" roots)
file(WRITE "${work}/roots.rsp" "${roots}\n")
set(strip --strip-debug)
if(KEEP_DEBUG)
  set(strip)
endif()
run("${LD}" -r --gc-sections ${strip} --force-group-allocation "@${work}/roots.rsp" -o "${work}/linked.o" "${FROM}/libconex.a")
run("${OBJCOPY}" -R .llvmbc -R .llvmcmd "--keep-global-symbols=${work}/keep.txt" "${work}/linked.o" "${work}/hidden.o")

# --strip-unneeded knows which symbols nothing refers to, but would take the names of all functions as well.
run("${OBJCOPY}" --strip-unneeded "${work}/hidden.o" "${work}/needed.o")
undefined_symbols(dangling "${work}/hidden.o")
undefined_symbols(needed "${work}/needed.o")
list(REMOVE_ITEM dangling ${needed})
list(JOIN dangling "\n" dangling)
file(WRITE "${work}/dangling.txt" "${dangling}\n")
run("${OBJCOPY}" "--strip-symbols=${work}/dangling.txt" "${work}/hidden.o" "${work}/conex.o")
run("${AR}" rcs "${work}/libconex.a" "${work}/conex.o")
file(RENAME "${work}/libconex.a" "${TO}/libconex.a")
file(REMOVE_RECURSE "${work}")
file(WRITE "${stamp}" "${recipe}")
