# SPDX-License-Identifier: MIT
# The command 'ktm': all of src/cli but main.c is a library, so that tests/cli can call its parts.

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
if(cli_sources)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c)
    pkg_check_modules(SMARTCOLS REQUIRED IMPORTED_TARGET smartcols)

    list(FILTER cli_sources EXCLUDE REGEX "/main\\.c$")
    if(NOT cli_sources)
        set(cli_sources ${KTM_EMPTY})
    endif()
    add_library(ktm_cli STATIC ${cli_sources})
    target_link_libraries(ktm_cli PUBLIC ktm_internal PkgConfig::JSONC PkgConfig::SMARTCOLS)
    set_target_properties(ktm_cli PROPERTIES
        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/internal)

    if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/main.c)
        add_executable(ktm_command ${PROJECT_SOURCE_DIR}/src/cli/main.c)
        set_target_properties(ktm_command PROPERTIES OUTPUT_NAME ktm)
        target_compile_definitions(ktm_cli PUBLIC KTM_VERSION="${PROJECT_VERSION}")
        target_link_libraries(ktm_command PRIVATE ktm_cli)
    endif()
endif()
