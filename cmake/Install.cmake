# Headers, libraries and the CMake package. The folders can be moved. The one path of this machine in them is the last but one
# place where the package file looks for Eigen's headers, and a wheel has none.
# Components: deltarule_runtime (what a program needs to run: the shared libraries), deltarule_development (the rest).
#   cmake --install   <prefix>/include, <prefix>/lib, <prefix>/lib/cmake/deltarule
#   wheel             deltarule/include, deltarule/lib, deltarule/cmake (python -m deltarule --cmake-dir)
include(CMakePackageConfigHelpers)

if(SKBUILD)
  set(_include deltarule/include)
  set(_lib deltarule/lib)
  set(_bin deltarule/lib)
  set(_cmake deltarule/cmake)
  set(_namelink NAMELINK_SKIP) # a wheel has no symbolic links
  set(DELTARULE_EIGEN_AT_BUILD "")
  set(_kinds shared) # the static library alone would be a third of the wheel
else()
  set(_include ${CMAKE_INSTALL_INCLUDEDIR})
  set(_lib ${CMAKE_INSTALL_LIBDIR})
  set(_bin ${CMAKE_INSTALL_BINDIR})
  set(_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/deltarule)
  set(_namelink NAMELINK_COMPONENT deltarule_development)
  set(_kinds shared static)
endif()

foreach(_kind IN LISTS _kinds)
  set_target_properties(deltarule_${_kind} PROPERTIES EXPORT_NAME ${_kind})
  target_include_directories(deltarule_${_kind} INTERFACE $<INSTALL_INTERFACE:${_include}>)
  install(TARGETS deltarule_${_kind} EXPORT deltarule-targets
          ARCHIVE DESTINATION ${_lib} COMPONENT deltarule_development
          LIBRARY DESTINATION ${_lib} COMPONENT deltarule_runtime ${_namelink}
          RUNTIME DESTINATION ${_bin} COMPONENT deltarule_runtime)
endforeach()
set(_higher ${DELTARULE_LEVELS})
list(REMOVE_AT _higher 0)
foreach(_level IN LISTS _higher)
  install(TARGETS deltarule_shared_${_level}
          LIBRARY DESTINATION ${_lib}/glibc-hwcaps/x86-64-${_level} COMPONENT deltarule_runtime NAMELINK_SKIP
          RUNTIME DESTINATION ${_bin}/glibc-hwcaps/x86-64-${_level} COMPONENT deltarule_runtime
          ARCHIVE DESTINATION ${_lib}/glibc-hwcaps/x86-64-${_level} COMPONENT deltarule_development)
endforeach()
install(DIRECTORY cpp/include/deltarule DESTINATION ${_include} COMPONENT deltarule_development
        FILES_MATCHING PATTERN "*.h")
install(EXPORT deltarule-targets NAMESPACE deltarule:: DESTINATION ${_cmake} COMPONENT deltarule_development)

# A static library passes on what it is linked with; the shared one has it inside.
set(DELTARULE_OPENMP_NAMES "omp libomp.so.5")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(DELTARULE_OPENMP_NAMES "gomp libgomp.so.1")
endif()

configure_package_config_file(cmake/deltarule-config.cmake.in deltarule-config.cmake INSTALL_DESTINATION ${_cmake}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(deltarule-config-version.cmake VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config-version.cmake" cmake/EigenVersion.cmake
        DESTINATION ${_cmake} COMPONENT deltarule_development)
