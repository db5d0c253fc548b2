# SPDX-License-Identifier: MIT
# The command 'ktm', linked with libktm.so as any program is: the libraries of databases, which it loads
# when a home has need of them, bring no other engine then (decision 0031). Like these it has its own
# copy of base/ and of sys/. ktm_cli is all of it but main.c, with all of the engine, for the tests.

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
list(FILTER cli_sources EXCLUDE REGEX "/main\\.c$")
find_package(PkgConfig REQUIRED)
pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(SMARTCOLS REQUIRED IMPORTED_TARGET smartcols)

add_library(ktm_cli_objects OBJECT ${cli_sources})
target_link_libraries(ktm_cli_objects PUBLIC ktm_flags PkgConfig::JSONC PkgConfig::SMARTCOLS)
target_compile_definitions(ktm_cli_objects PUBLIC
    KTM_VERSION="${PROJECT_VERSION}" KTM_SOVERSION="${PROJECT_VERSION_MAJOR}")

add_library(ktm_cli STATIC $<TARGET_OBJECTS:ktm_cli_objects>)
target_link_libraries(ktm_cli PUBLIC ktm_internal PkgConfig::JSONC PkgConfig::SMARTCOLS)
target_compile_definitions(ktm_cli PUBLIC
    KTM_VERSION="${PROJECT_VERSION}" KTM_SOVERSION="${PROJECT_VERSION_MAJOR}")
set_target_properties(ktm_cli PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/internal)

add_executable(ktm_command ${PROJECT_SOURCE_DIR}/src/cli/main.c
    $<TARGET_OBJECTS:ktm_cli_objects> ${KTM_BASE_SOURCES} ${KTM_SYS_SOURCES})
target_link_libraries(ktm_command PRIVATE
    ktm ktm_flags PkgConfig::JSONC PkgConfig::SMARTCOLS ${CMAKE_DL_LIBS})
file(RELATIVE_PATH libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
set_target_properties(ktm_command PROPERTIES OUTPUT_NAME ktm
    INSTALL_RPATH "$ORIGIN/${libraries}") # also below a prefix of one's own
