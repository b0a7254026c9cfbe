# Also installed: the package file looks for the Eigen that the compiled library was built with, and refuses others.

# The version of the Eigen headers in a folder, e.g. 3.4.0 or 5.0.1; empty if there are none.
function(deltarule_eigen_version folder out)
  set(${out} "" PARENT_SCOPE)
  set(file "${folder}/Eigen/Version") # Eigen 5
  if(NOT EXISTS "${file}")
    set(file "${folder}/Eigen/src/Core/util/Macros.h")
  endif()
  if(NOT folder OR NOT EXISTS "${folder}/Eigen/Core" OR NOT EXISTS "${file}")
    return()
  endif()
  foreach(part WORLD MAJOR MINOR PATCH)
    file(STRINGS "${file}" line REGEX "^#define EIGEN_${part}_VERSION +[0-9]+" LIMIT_COUNT 1)
    string(REGEX REPLACE ".* ([0-9]+).*" "\\1" ${part} "${line}")
  endforeach()
  if(MAJOR GREATER_EQUAL 5) # since then WORLD, still 3, is no part of the version
    set(${out} "${MAJOR}.${MINOR}.${PATCH}" PARENT_SCOPE)
  else()
    set(${out} "${WORLD}.${MAJOR}.${MINOR}" PARENT_SCOPE)
  endif()
endfunction()

# The headers that pip's `eigency` brought to the Python at hand; empty if there are none. Not by find_package(Python),
# which would choose one for the whole project.
function(deltarule_python_eigen out)
  set(${out} "" PARENT_SCOPE)
  foreach(python "${Python_EXECUTABLE}" "${Python3_EXECUTABLE}" python3 python)
    if(python)
      execute_process(
        COMMAND "${python}" -c
                "import importlib.util as u; s = u.find_spec('eigency'); print(s.submodule_search_locations[0] if s else '', end='')"
        RESULT_VARIABLE failed OUTPUT_VARIABLE folder ERROR_QUIET)
      file(TO_CMAKE_PATH "${folder}" folder)
      if(failed STREQUAL "0" AND folder)
        set(${out} "${folder}/eigen" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()
