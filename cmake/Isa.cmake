# x86-64 levels: v2 (SSE4.2), v3 (AVX2, FMA), v4 (AVX-512). Every other processor has the one level "generic".
# Generic tuning only: -mtune=native and -mtune=znver* made the products a third slower (g++ 12).

set(_processor "${CMAKE_SYSTEM_PROCESSOR}")
if(APPLE AND CMAKE_OSX_ARCHITECTURES)
  set(_processor "${CMAKE_OSX_ARCHITECTURES}")
endif()
if(_processor MATCHES "^(x86_64|AMD64|amd64)$")
  set(DELTARULE_X86 ON)
else()
  set(DELTARULE_X86 OFF)
endif()

# The best level of the CPU that runs CMake.
function(deltarule_native_level out)
  if(NOT DEFINED CACHE{DELTARULE_NATIVE_LEVEL})
    try_run(run compiled "${CMAKE_CURRENT_BINARY_DIR}/cpu_probe" "${PROJECT_SOURCE_DIR}/cpp/bindings/cpu.c"
            COMPILE_DEFINITIONS -DDELTARULE_CPU_PROBE RUN_OUTPUT_VARIABLE level)
    if(NOT compiled OR NOT run EQUAL 0 OR NOT level MATCHES "^[234]$")
      message(FATAL_ERROR "deltarule: 'native' found no x86-64 level of at least v2 on this CPU; name a level instead.")
    endif()
    set(DELTARULE_NATIVE_LEVEL "v${level}" CACHE INTERNAL "x86-64 level of the building CPU")
  endif()
  set(${out} "${DELTARULE_NATIVE_LEVEL}" PARENT_SCOPE)
endfunction()

# Turns names of levels, "native" among them, into a list of levels to build.
function(deltarule_resolve_levels out)
  set(levels)
  foreach(level IN LISTS ARGN)
    if(NOT DELTARULE_X86)
      set(level generic)
    elseif(level STREQUAL native)
      deltarule_native_level(level)
    elseif(NOT level MATCHES "^v[234]$")
      message(FATAL_ERROR "deltarule: unknown level '${level}'; choose from v2, v3, v4, native.")
    endif()
    list(APPEND levels ${level})
  endforeach()
  list(REMOVE_DUPLICATES levels)
  set(${out} "${levels}" PARENT_SCOPE)
endfunction()
