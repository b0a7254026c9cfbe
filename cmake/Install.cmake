# Headers, library and the CMake package. The folders can be moved: nothing in them names a path of this machine.
# Components: deltarule_runtime (what a program needs to run: the shared library), deltarule_development (the rest).
#   cmake --install   <prefix>/include, <prefix>/lib, <prefix>/lib/cmake/deltarule
#   wheel             deltarule/include, deltarule/lib, deltarule/cmake (python -m deltarule --cmake-dir)
include(CMakePackageConfigHelpers)

if(SKBUILD)
  set(_include deltarule/include)
  set(_lib deltarule/lib)
  set(_cmake deltarule/cmake)
  # One level, the lowest, so that it runs wherever the wheel does; C++ users who want more build the library.
  list(GET _levels 0 _level)
  set(_target deltarule_core_${_level})
  set_target_properties(${_target} PROPERTIES EXPORT_NAME deltarule OUTPUT_NAME deltarule)
else()
  set(_include ${CMAKE_INSTALL_INCLUDEDIR})
  set(_lib ${CMAKE_INSTALL_LIBDIR})
  set(_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/deltarule)
  set(_target deltarule)
endif()

target_include_directories(${_target} INTERFACE $<INSTALL_INTERFACE:${_include}>)
install(TARGETS ${_target} EXPORT deltarule-targets
        ARCHIVE DESTINATION ${_lib} COMPONENT deltarule_development
        LIBRARY DESTINATION ${_lib} COMPONENT deltarule_runtime NAMELINK_COMPONENT deltarule_development
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT deltarule_runtime)
install(DIRECTORY cpp/include/deltarule DESTINATION ${_include} COMPONENT deltarule_development
        FILES_MATCHING PATTERN "*.h")
install(EXPORT deltarule-targets NAMESPACE deltarule:: DESTINATION ${_cmake} COMPONENT deltarule_development)

# A static library passes on what it is linked with; a shared one has it inside.
get_target_property(_type ${_target} TYPE)
set(DELTARULE_NEEDS_OPENMP OFF)
set(DELTARULE_OPENMP_NAMES "omp libomp.so.5")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(DELTARULE_OPENMP_NAMES "gomp libgomp.so.1")
endif()
set(DELTARULE_NEEDS_THREADS OFF)
if(_type STREQUAL "STATIC_LIBRARY")
  set(DELTARULE_NEEDS_OPENMP ${DELTARULE_USE_OPENMP})
  set(DELTARULE_NEEDS_THREADS ON)
endif()

configure_package_config_file(cmake/deltarule-config.cmake.in deltarule-config.cmake INSTALL_DESTINATION ${_cmake}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(deltarule-config-version.cmake VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config-version.cmake" cmake/EigenVersion.cmake
        DESTINATION ${_cmake} COMPONENT deltarule_development)
