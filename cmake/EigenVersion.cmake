# deltarule_eigen_version(folder out): the version of the Eigen headers in FOLDER, e.g. 3.4.0 or 5.0.1.
# Also installed: the package file uses it to refuse an Eigen that the compiled library was not built with.
function(deltarule_eigen_version folder out)
  set(file "${folder}/Eigen/Version") # Eigen 5
  if(NOT EXISTS "${file}")
    set(file "${folder}/Eigen/src/Core/util/Macros.h")
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
