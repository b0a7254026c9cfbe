# The Python package's compiled part: the CPU probe `_cpu` and one `_core_<level>` per level. Each module holds its own
# core with hidden symbols, so that no template compiled for AVX-512 can be linked into the module for older CPUs.
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
if(NOT pybind11_DIR AND NOT SKBUILD)
  execute_process(COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir OUTPUT_VARIABLE _folder ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(APPEND CMAKE_PREFIX_PATH "${_folder}")
endif()
find_package(pybind11 3 CONFIG REQUIRED)

Python_add_library(_cpu MODULE WITH_SOABI cpp/bindings/cpu.c)
install(TARGETS _cpu DESTINATION deltarule)

file(GLOB DELTARULE_BINDINGS CONFIGURE_DEPENDS cpp/bindings/*.cpp)
deltarule_resolve_levels(_levels ${DELTARULE_ISA_LEVELS})
message(STATUS "deltarule: Python modules for ${_levels}")
foreach(level IN LISTS _levels)
  deltarule_add_core(deltarule_core_${level} ${level} STATIC)
  set_target_properties(deltarule_core_${level} PROPERTIES CXX_VISIBILITY_PRESET hidden
                                                           VISIBILITY_INLINES_HIDDEN ON)
  pybind11_add_module(_core_${level} MODULE NO_EXTRAS ${DELTARULE_BINDINGS})
  deltarule_compile_options(_core_${level} ${level} OPTIMIZE s)
  target_compile_definitions(_core_${level} PRIVATE DELTARULE_MODULE_NAME=_core_${level})
  target_link_libraries(_core_${level} PRIVATE deltarule_core_${level})
  set_target_properties(_core_${level} PROPERTIES VISIBILITY_INLINES_HIDDEN ON
                         UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6) # pybind11's own templates once per six files
  install(TARGETS _core_${level} DESTINATION deltarule)
endforeach()
