# SPDX-License-Identifier: MIT
# Resource managers that need a client library, each a shared library of its own, so that nobody pays
# for what he does not use: src/rm/NAME becomes libktm-NAME.so, built when pkg-config finds the client
# library. What it shares with libktm.so are the public headers; of base/, and of sys/ if it stands on it,
# it brings its own copy.
#
#   ktm_NAME_objects   its compilation, for the tests, which link it with ktm_internal
#   ktm-NAME           the shared library; it exports ktm_NAME and ktm_NAME_*

find_package(PkgConfig REQUIRED)
file(GLOB KTM_BASE_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/base/*.c)

file(GLOB KTM_SYS_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/sys/*.c)
list(FILTER KTM_SYS_SOURCES EXCLUDE REGEX "/(sim[a-z_]*|fault)\\.c$")

file(GLOB KTM_SERVER_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/server/*.c)

# ktm_add_manager(NAME MODULE [SOURCES…]): MODULE is the client library's name in pkg-config; those of
# a database server share src/rm/server.
function(ktm_add_manager name module)
    string(TOUPPER ${name} upper)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/${name}/*.c)
    pkg_check_modules(KTM_${upper} ${module})
    if(NOT KTM_${upper}_FOUND OR NOT sources)
        message(STATUS "libktm-${name}: ${module} is not installed, it is left out")
        return()
    endif()

    if(NOT name STREQUAL sqlite)
        list(APPEND sources ${KTM_SERVER_SOURCES})
    endif()
    add_library(ktm_${name}_objects OBJECT ${sources})
    target_link_libraries(ktm_${name}_objects PUBLIC ktm_flags)
    target_include_directories(ktm_${name}_objects SYSTEM PUBLIC ${KTM_${upper}_INCLUDE_DIRS})
    target_link_libraries(ktm_${name}_objects PUBLIC ${KTM_${upper}_LINK_LIBRARIES})

    # For programs that also use the client library themselves.
    add_library(ktm_${name}_client INTERFACE)
    target_include_directories(ktm_${name}_client SYSTEM INTERFACE ${KTM_${upper}_INCLUDE_DIRS})
    target_link_libraries(ktm_${name}_client INTERFACE ${KTM_${upper}_LINK_LIBRARIES})

    set(map ${PROJECT_BINARY_DIR}/ktm-${name}.map)
    file(CONFIGURE OUTPUT ${map}
        CONTENT "KTM_${upper}_0 { global: ktm_${name}; ktm_${name}_*; ktm_resource_kind; local: *; };\n")
    add_library(ktm-${name} SHARED $<TARGET_OBJECTS:ktm_${name}_objects> ${KTM_BASE_SOURCES} ${ARGN})
    target_link_libraries(ktm-${name} PUBLIC ktm
        PRIVATE $<BUILD_INTERFACE:ktm_flags> ${KTM_${upper}_LINK_LIBRARIES})
    set_target_properties(ktm-${name} PROPERTIES
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME ${name}
        INSTALL_RPATH "$ORIGIN") # libktm.so lies beside it, also below a prefix of one's own
    target_link_options(ktm-${name} PRIVATE -Wl,--version-script=${map})

    set(KTM_MANAGER ${name})
    set(KTM_MODULE ${module})
    configure_file(${PROJECT_SOURCE_DIR}/cmake/ktm-manager.pc.in ktm-${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/ktm-${name}.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
    install(TARGETS ktm-${name} EXPORT ktm-${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(EXPORT ktm-${name} NAMESPACE ktm:: FILE ktm-${name}-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ktm)
endfunction()

ktm_add_manager(postgres libpq)
ktm_add_manager(sqlite sqlite3 ${KTM_SYS_SOURCES})
ktm_add_manager(mariadb libmariadb)
