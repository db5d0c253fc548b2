# SPDX-License-Identifier: MIT
# The library three times from one compilation: ktm_internal (all symbols, for the tests and the
# command), libktm.so.0 and libktm.a (public symbols only).

set(KTM_ROOMS base sys clfs core engine nt win32 rm)
set(KTM_SOURCES "")
foreach(room IN LISTS KTM_ROOMS)
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.c)
    list(APPEND KTM_SOURCES ${found})
endforeach()
# Resource managers that need a client library become libraries of their own (design section 1).
list(FILTER KTM_SOURCES EXCLUDE REGEX "/src/rm/(server|sqlite|postgres|mariadb|xa|xa_helper|sqlite_xa|tx)/")
# The simulated system and the fault layer serve tests only: in ktm_internal, not in the product.
set(KTM_TWIN_SOURCES ${KTM_SOURCES})
list(FILTER KTM_TWIN_SOURCES INCLUDE REGEX "/src/sys/(sim[a-z_]*|fault)\\.c$")
list(FILTER KTM_SOURCES EXCLUDE REGEX "/src/sys/(sim[a-z_]*|fault)\\.c$")
foreach(sources KTM_SOURCES KTM_TWIN_SOURCES)
    if(NOT ${sources})
        set(${sources} ${KTM_EMPTY})
    endif()
endforeach()

add_library(ktm_objects OBJECT ${KTM_SOURCES})
target_link_libraries(ktm_objects PUBLIC ktm_flags)
add_library(ktm_twin OBJECT ${KTM_TWIN_SOURCES})
target_link_libraries(ktm_twin PUBLIC ktm_flags)

add_library(ktm_internal STATIC $<TARGET_OBJECTS:ktm_objects> $<TARGET_OBJECTS:ktm_twin>)
target_link_libraries(ktm_internal PUBLIC ktm_flags)
set_target_properties(ktm_internal PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/internal)

set(KTM_MAP ${PROJECT_SOURCE_DIR}/ktm.map)
add_library(ktm SHARED $<TARGET_OBJECTS:ktm_objects>)
target_link_libraries(ktm PRIVATE ktm_flags)
set_target_properties(ktm PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${KTM_MAP})
# nodelete: threads that have used the library run code of it when they end.
target_link_options(ktm PRIVATE -Wl,--version-script=${KTM_MAP} -Wl,-z,nodelete)

# The public static library: one object in which everything hidden has become local, so that a
# program may call its own function 'list_first' or 'guid_parse'.
add_custom_command(OUTPUT libktm.a
    COMMAND ${CMAKE_LINKER} -r -o ktm-public.o $<TARGET_OBJECTS:ktm_objects>
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ktm-public.o
    COMMAND ${CMAKE_COMMAND} -E rm -f libktm.a
    COMMAND ${CMAKE_AR} qcs libktm.a ktm-public.o
    DEPENDS ktm_objects $<TARGET_OBJECTS:ktm_objects>
    COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(ktm_static ALL DEPENDS libktm.a)
