# Headers, library and the CMake package. The folders can be moved: nothing in them names a path of this machine.
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
        ARCHIVE DESTINATION ${_lib} LIBRARY DESTINATION ${_lib} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY cpp/include/deltarule DESTINATION ${_include} FILES_MATCHING PATTERN "*.h")
install(EXPORT deltarule-targets NAMESPACE deltarule:: DESTINATION ${_cmake})

configure_package_config_file(cmake/deltarule-config.cmake.in deltarule-config.cmake INSTALL_DESTINATION ${_cmake}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(deltarule-config-version.cmake VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/deltarule-config-version.cmake" cmake/EigenVersion.cmake
        DESTINATION ${_cmake})
