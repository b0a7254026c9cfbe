# The Python package's compiled part: the bindings `_core`, linked with the shared library, and the CPU probe `_cpu`, by
# which _isa.py chooses the library's level. The bindings call kernels and hold none: one level of them is enough.
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
if(NOT pybind11_DIR AND NOT SKBUILD)
  execute_process(COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir OUTPUT_VARIABLE _folder ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(APPEND CMAKE_PREFIX_PATH "${_folder}")
endif()
find_package(pybind11 3 CONFIG REQUIRED)

list(GET DELTARULE_LEVELS 0 _lowest)
file(GLOB DELTARULE_BINDINGS CONFIGURE_DEPENDS cpp/bindings/*.cpp)
pybind11_add_module(_core MODULE NO_EXTRAS ${DELTARULE_BINDINGS})
deltarule_compile_options(_core ${_lowest} OPTIMIZE s)
target_link_libraries(_core PRIVATE deltarule_shared)
set_target_properties(_core PROPERTIES
  VISIBILITY_INLINES_HIDDEN ON
  UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6 # pybind11's own templates once per six files
  INSTALL_RPATH $<IF:$<PLATFORM_ID:Darwin>,@loader_path,$ORIGIN>/lib)

Python_add_library(_cpu MODULE WITH_SOABI cpp/bindings/cpu.c)
list(JOIN DELTARULE_LEVELS " " _levels)
target_compile_definitions(_cpu PRIVATE DELTARULE_LEVELS="${_levels}"
                                        DELTARULE_LIBRARY="$<TARGET_FILE_NAME:deltarule_shared>")
install(TARGETS _core _cpu DESTINATION deltarule COMPONENT deltarule_python)
