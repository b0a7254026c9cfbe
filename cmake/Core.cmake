# How deltarule's own code is compiled, and the libraries made of it.

# Options for a target made of our own code; LEVEL is v2, v3, v4, generic, or custom (the user's flags decide).
# OPTIMIZE (default 3, but 2 for v2, where size counts more) may be "s" for code that runs once.
function(deltarule_compile_options target level)
  cmake_parse_arguments(arg "" "OPTIMIZE" "" ${ARGN})
  if(NOT arg_OPTIMIZE)
    set(arg_OPTIMIZE 3)
    if(level STREQUAL "v2")
      set(arg_OPTIMIZE 2)
    endif()
  endif()
  set(flags $<$<NOT:$<CONFIG:Debug>>:-O${arg_OPTIMIZE}> -fno-math-errno -fno-trapping-math -ffp-contract=fast)
  set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND warnings -Wno-psabi # a note about vectors passed by value; they never leave one module
                         -Wno-maybe-uninitialized # false alarms from g++ 12's own AVX-512 header
                         -Wno-ignored-attributes # a vector type as template argument
                         -Wno-missing-field-initializers) # designated initialisers: what is not named is zero
  elseif(NOT MSVC)
    list(APPEND warnings -Wno-deprecated-declarations) # std::stable_sort of libstdc++ 12, for clang 19
  endif()
  if(DELTARULE_WERROR)
    list(APPEND warnings -Werror)
  endif()
  if(level MATCHES "^v[234]$")
    list(APPEND flags -march=x86-64-${level})
  endif()
  if(MSVC) # clang-cl
    list(TRANSFORM flags REPLACE "^-" "/clang:-")
    list(TRANSFORM flags REPLACE ":-O([23s])>" ":/clang:-O\\1>")
    set(warnings /W4)
  endif()
  target_compile_options(${target} PRIVATE ${flags} ${warnings})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_definitions(${target} PRIVATE EIGEN_DONT_PARALLELIZE DELTARULE_ISA="${level}"
                                               DELTARULE_VERSION="${PROJECT_VERSION}")
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# Initialisers and the like must give the same bits on every CPU: no fused multiply-add there.
function(deltarule_exact_sources)
  set(exact ${ARGN})
  list(FILTER exact INCLUDE REGEX "_exact\\.cpp$")
  set(flag -ffp-contract=off)
  if(MSVC)
    set(flag /clang:-ffp-contract=off)
  endif()
  set_property(SOURCE ${exact} APPEND PROPERTY COMPILE_OPTIONS "${flag}")
endfunction()

# What runs at set-up only (descriptions, files, the catalogue) is compiled for size: a quarter of the time and bytes.
# What arranges the work of kernels gains nothing by -O3.
function(deltarule_lean_sources)
  set(setup ${ARGN})
  list(FILTER setup INCLUDE REGEX "/src/(adaptation|atomic_file|bfloat16_weights|catalog|control_specs|custom|export_c/[a-z]+|fit|fit_many|layer|network|serialize|specs|trace|training_control|training_state)\\.cpp$")
  set(others ${ARGN})
  list(FILTER others EXCLUDE REGEX "/src/(activations/.*|gemm|gemm_bfloat16|losses|norm_kernels|optimizers|row_ops|training_run|training_stages|layers/(convolution|dropout|normalization)|second_order/(lbfgs|natural_gradient))\\.cpp$")
  list(REMOVE_ITEM others ${setup})
  set(prefix)
  if(MSVC)
    set(prefix /clang:)
  endif()
  set_source_files_properties(${setup} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:${prefix}-Os>")
  set_source_files_properties(${others} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:${prefix}-O2>")
endfunction()

# Small files of one kind that take longer to read their headers than to compile.
function(deltarule_grouped_sources target)
  set(small ${ARGN})
  list(FILTER small INCLUDE REGEX "/src/activations/")
  set_source_files_properties(${small} PROPERTIES UNITY_GROUP activations)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# The objects of the whole library for one level, good for static and shared libraries.
function(deltarule_add_objects target level)
  add_library(${target} OBJECT ${DELTARULE_SOURCES})
  deltarule_lean_sources(${DELTARULE_SOURCES})
  deltarule_exact_sources(${DELTARULE_SOURCES})
  deltarule_grouped_sources(${target} ${DELTARULE_SOURCES})
  deltarule_compile_options(${target} ${level})
  if(DELTARULE_ELF)
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cpp/include")
  target_include_directories(${target} SYSTEM PRIVATE "${DELTARULE_JSON_INCLUDE_DIR}")
  target_link_libraries(${target} PRIVATE deltarule_eigen Threads::Threads)
  if(DELTARULE_USE_OPENMP)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endfunction()

# A library of such objects, and what those who link it need.
function(deltarule_add_library target type objects)
  add_library(${target} ${type} $<TARGET_OBJECTS:${objects}>)
  set_target_properties(${target} PROPERTIES
    LINKER_LANGUAGE CXX OUTPUT_NAME deltarule WINDOWS_EXPORT_ALL_SYMBOLS ON
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # before 1.0 a minor version may change anything
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cpp/include>)
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:deltarule_eigen> $<INSTALL_INTERFACE:Eigen3::Eigen>
                                  PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  if(DELTARULE_USE_OPENMP)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
  endif()
  if(type STREQUAL "SHARED" AND DELTARULE_ELF)
    target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions
                        "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/exports.map")
  endif()
endfunction()

# deltarule_static and deltarule_shared of the lowest level; of every higher one deltarule_shared_<level>, in a folder
# beside the first where glibc's dynamic linker looks by itself (>= 2.33) for what the CPU can run, and _isa.py too.
function(deltarule_add_libraries)
  list(GET DELTARULE_LEVELS 0 lowest)
  foreach(level IN LISTS DELTARULE_LEVELS)
    deltarule_add_objects(deltarule_objects_${level} ${level})
    if(level STREQUAL lowest)
      deltarule_add_library(deltarule_static STATIC deltarule_objects_${level})
      deltarule_add_library(deltarule_shared SHARED deltarule_objects_${level})
    else()
      set(folder "${CMAKE_CURRENT_BINARY_DIR}/glibc-hwcaps/x86-64-${level}")
      deltarule_add_library(deltarule_shared_${level} SHARED deltarule_objects_${level})
      set_target_properties(deltarule_shared_${level} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "${folder}" RUNTIME_OUTPUT_DIRECTORY "${folder}" ARCHIVE_OUTPUT_DIRECTORY "${folder}")
      add_dependencies(deltarule_shared deltarule_shared_${level}) # whoever builds one gets the choice
    endif()
  endforeach()
  if(WIN32) # where the shared library's import library has this name
    set_target_properties(deltarule_static PROPERTIES OUTPUT_NAME deltarule_static)
  endif()
  add_library(deltarule::static ALIAS deltarule_static)
  add_library(deltarule::shared ALIAS deltarule_shared)
  if(BUILD_SHARED_LIBS)
    add_library(deltarule::deltarule ALIAS deltarule_shared)
  else()
    add_library(deltarule::deltarule ALIAS deltarule_static)
  endif()
endfunction()
