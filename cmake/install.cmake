# SPDX-License-Identifier: MIT
# What a consumer of the library gets: headers in one directory on the include path, both libraries,
# ktm.pc, a CMake package, the command and the manual.

install(TARGETS ktm EXPORT ktm
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ktm)
install(FILES ${PROJECT_BINARY_DIR}/libktm.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ktm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/python/ktm
    DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/python3/dist-packages
    FILES_MATCHING PATTERN "*.py")
if(TARGET ktm_command)
    install(TARGETS ktm_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_file(${PROJECT_SOURCE_DIR}/cmake/ktm.pc.in ktm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ktm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

include(CMakePackageConfigHelpers)
set(KTM_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/ktm)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/ktm-config.cmake.in ktm-config.cmake
    INSTALL_DESTINATION ${KTM_CMAKE_DIR} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(ktm-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT ktm NAMESPACE ktm:: FILE ktm-targets.cmake DESTINATION ${KTM_CMAKE_DIR})
install(FILES ${PROJECT_BINARY_DIR}/ktm-config.cmake ${PROJECT_BINARY_DIR}/ktm-config-version.cmake
    DESTINATION ${KTM_CMAKE_DIR})

find_program(SCDOC scdoc)
file(GLOB man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.scd)
if(SCDOC AND man_sources)
    foreach(source IN LISTS man_sources)
        get_filename_component(page ${source} NAME_WLE) # ktm.1.scd -> ktm.1
        string(REGEX MATCH "[0-9]$" section ${page})
        add_custom_command(OUTPUT man/${page}
            COMMAND ${CMAKE_COMMAND} -E make_directory man
            COMMAND sh -c "\"$0\" <\"$1\" >\"$2\"" ${SCDOC} ${source} man/${page}
            DEPENDS ${source} VERBATIM)
        list(APPEND man_pages man/${page})
        install(FILES ${PROJECT_BINARY_DIR}/man/${page}
            DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
endif()
