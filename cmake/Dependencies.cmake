# Headers needed to build: target deltarule_eigen, variable DELTARULE_JSON_INCLUDE_DIR. OpenMP if wanted and there.
# pip brings Eigen in the package `eigency` and JSON in `nlohmann-json`; neither is imported, only their folders are used.

# Where Python would find PACKAGE, without importing it (empty if there is no Python or no such package).
function(deltarule_python_package out package)
  set(${out} "" PARENT_SCOPE)
  find_package(Python QUIET COMPONENTS Interpreter)
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
              "import importlib.util as u; s = u.find_spec('${package}'); print(s.submodule_search_locations[0] if s else '', end='')"
      OUTPUT_VARIABLE folder ERROR_QUIET)
    file(TO_CMAKE_PATH "${folder}" folder)
    set(${out} "${folder}" PARENT_SCOPE)
  endif()
endfunction()

# A folder kept from an earlier isolated build is gone by now: look again.
macro(deltarule_forget_if_gone variable header)
  if(${variable} AND NOT EXISTS "${${variable}}/${header}")
    unset(${variable} CACHE)
  endif()
endmacro()

macro(deltarule_eigen_from_pip)
  if(NOT _eigen_found)
    deltarule_forget_if_gone(DELTARULE_PIP_EIGEN Eigen/Core)
    if(NOT DELTARULE_PIP_EIGEN)
      deltarule_python_package(_folder eigency)
      find_path(DELTARULE_PIP_EIGEN Eigen/Core NO_DEFAULT_PATH
                PATHS "${_folder}/eigen" ${CMAKE_PREFIX_PATH} PATH_SUFFIXES eigency/eigen)
      mark_as_advanced(DELTARULE_PIP_EIGEN)
    endif()
    if(DELTARULE_PIP_EIGEN)
      set(_eigen_found "${DELTARULE_PIP_EIGEN}")
    endif()
  endif()
endmacro()

macro(deltarule_eigen_from_system)
  if(NOT _eigen_found)
    if(NOT TARGET Eigen3::Eigen)
      find_package(Eigen3 CONFIG QUIET)
    endif()
    if(TARGET Eigen3::Eigen)
      get_target_property(_folder Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
      string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" _folder "${_folder}")
      list(FILTER _folder EXCLUDE REGEX "\\$<")
      list(GET _folder 0 _eigen_found)
    endif()
  endif()
endmacro()

set(_eigen_found "")
if(DELTARULE_EIGEN_INCLUDE_DIR)
  set(_eigen_found "${DELTARULE_EIGEN_INCLUDE_DIR}")
elseif(DELTARULE_SYSTEM_EIGEN OR TARGET Eigen3::Eigen)
  deltarule_eigen_from_system()
  deltarule_eigen_from_pip()
else()
  deltarule_eigen_from_pip()
  deltarule_eigen_from_system()
endif()
if(NOT EXISTS "${_eigen_found}/Eigen/Core")
  message(FATAL_ERROR "deltarule needs the Eigen headers (3.4 or newer): pip install eigency==5.0.1.1, install Eigen3, "
                      "or set DELTARULE_EIGEN_INCLUDE_DIR to the folder that holds Eigen/Core.")
endif()

include("${CMAKE_CURRENT_LIST_DIR}/EigenVersion.cmake")
deltarule_eigen_version("${_eigen_found}" DELTARULE_EIGEN_VERSION)
if(DELTARULE_EIGEN_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "deltarule needs Eigen 3.4 or newer; ${_eigen_found} holds ${DELTARULE_EIGEN_VERSION}.")
endif()
message(STATUS "deltarule: Eigen ${DELTARULE_EIGEN_VERSION} (${_eigen_found})")
add_library(deltarule_eigen INTERFACE)
target_include_directories(deltarule_eigen SYSTEM INTERFACE "${_eigen_found}")

deltarule_forget_if_gone(DELTARULE_JSON_INCLUDE_DIR nlohmann/json.hpp)
if(NOT DELTARULE_JSON_INCLUDE_DIR)
  deltarule_python_package(_folder nlohmann_json)
  find_path(DELTARULE_JSON_INCLUDE_DIR nlohmann/json.hpp DOC "the folder that holds nlohmann/json.hpp"
            HINTS "${_folder}/include" ${CMAKE_PREFIX_PATH} PATH_SUFFIXES nlohmann_json/include)
endif()
if(NOT DELTARULE_JSON_INCLUDE_DIR)
  message(FATAL_ERROR "deltarule needs the header nlohmann/json.hpp: pip install nlohmann-json==3.12.0, "
                      "install nlohmann_json, or set DELTARULE_JSON_INCLUDE_DIR.")
endif()

set(DELTARULE_USE_OPENMP OFF)
if(DELTARULE_OPENMP)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    set(DELTARULE_USE_OPENMP ON)
  endif()
endif()
message(STATUS "deltarule: OpenMP ${DELTARULE_USE_OPENMP}")
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
