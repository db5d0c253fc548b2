# SPDX-License-Identifier: MIT
# Each examples/*.c becomes <build>/examples/<name>, compiled as a stranger would: with nothing but
# the public headers, linked with the shared library, and with that of a resource manager whose header it
# includes; it is left out where that one is.

file(GLOB example_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source IN LISTS example_sources)
    get_filename_component(name ${source} NAME_WE)
    set(managers "")
    set(is_complete TRUE)
    foreach(manager sqlite postgres mariadb)
        file(STRINGS ${source} uses REGEX "#include <ktm_${manager}\\.h>")
        if(uses AND TARGET ktm-${manager})
            list(APPEND managers ktm-${manager} ktm_${manager}_client)
        elseif(uses)
            set(is_complete FALSE)
        endif()
    endforeach()
    if(NOT is_complete)
        continue()
    endif()
    add_executable(example-${name} ${source})
    target_include_directories(example-${name} PRIVATE ${PROJECT_SOURCE_DIR}/include/ktm)
    target_compile_options(example-${name} PRIVATE
        -Wall -Wextra -Wshadow -Wstrict-prototypes $<$<BOOL:${KTM_WERROR}>:-Werror>)
    if(KTM_SANITIZE)
        target_compile_options(example-${name} PRIVATE -fsanitize=${KTM_SANITIZE}
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(example-${name} PRIVATE -fsanitize=${KTM_SANITIZE})
    endif()
    target_link_libraries(example-${name} PRIVATE ktm ${managers} Threads::Threads)
    set_target_properties(example-${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
endforeach()
