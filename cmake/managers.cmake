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

# ktm_add_manager(NAME MODULE [SOURCES…]): MODULE is the client library's name in pkg-config, "" when it
# needs none; all but SQLite's share src/rm/server.
function(ktm_add_manager name module)
    string(TOUPPER ${name} upper)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/${name}/*.c)
    if(module)
        pkg_check_modules(KTM_${upper} ${module})
    else()
        set(KTM_${upper}_FOUND TRUE)
    endif()
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
    set(KTM_STORE ${module})
    if(NOT module)
        set(KTM_STORE "switches of ${upper}")
    endif()
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
ktm_add_manager(xa "")

# X/Open TX over the bridge to XA: tx_open and its like, and what switches call.
file(GLOB tx_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/tx/*.c)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/ktm-tx.map
    CONTENT "KTM_TX_0 { global: tx_*; ax_reg; ax_unreg; ktm_tx_*; local: *; };\n")
add_library(ktm-tx SHARED ${tx_sources} ${PROJECT_SOURCE_DIR}/src/rm/server/conninfo.c ${KTM_BASE_SOURCES})
target_link_libraries(ktm-tx PUBLIC ktm-xa ktm PRIVATE $<BUILD_INTERFACE:ktm_flags>)
target_link_options(ktm-tx PRIVATE -Wl,--version-script=${PROJECT_BINARY_DIR}/ktm-tx.map)
set_target_properties(ktm-tx PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")
add_library(ktm_tx_client INTERFACE)
configure_file(${PROJECT_SOURCE_DIR}/cmake/ktm-tx.pc.in ktm-tx.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ktm-tx.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(TARGETS ktm-tx LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# A switch of XA over SQLite, for transaction managers of others: what prepares in libktm-sqlite.so, without
# what speaks KTM.
if(TARGET ktm-sqlite)
    file(GLOB switch_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/sqlite_xa/*.c)
    foreach(part connection frame park shim rm store words)
        list(APPEND switch_sources ${PROJECT_SOURCE_DIR}/src/rm/sqlite/${part}.c)
    endforeach()
    add_library(ktm-sqlite-xa SHARED ${switch_sources} ${KTM_BASE_SOURCES} ${KTM_SYS_SOURCES})
    target_compile_definitions(ktm-sqlite-xa PRIVATE KTM_SHIM_NAME="ktm-xa-prepare")
    target_link_libraries(ktm-sqlite-xa PRIVATE ktm_flags ktm_sqlite_client)
    set_target_properties(ktm-sqlite-xa PROPERTIES
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    add_library(ktm_sqlite_xa_client ALIAS ktm_sqlite_client)
    install(TARGETS ktm-sqlite-xa LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# The process in which libktm-xa.so calls switches; the library looks for it beside itself, in 'ktm'. What
# switches call of it has to be found: hence the exports.
file(GLOB helper_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/rm/xa_helper/*.c)
add_executable(ktm-xa-helper ${helper_sources} ${PROJECT_SOURCE_DIR}/src/rm/xa/switch.c
    ${PROJECT_SOURCE_DIR}/src/rm/xa/quirk.c ${KTM_BASE_SOURCES})
target_link_libraries(ktm-xa-helper PRIVATE ktm_flags)
set_target_properties(ktm-xa-helper PROPERTIES ENABLE_EXPORTS TRUE)
install(TARGETS ktm-xa-helper DESTINATION ${CMAKE_INSTALL_LIBDIR}/ktm)
