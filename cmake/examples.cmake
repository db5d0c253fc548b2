# SPDX-License-Identifier: MIT
# Each examples/*.c and *.cpp becomes <build>/examples/<name>, compiled as a stranger would: with nothing
# but the public headers, linked with the shared library, and with that of a resource manager whose header
# it includes; it is left out where that one is, or where there is no C++ compiler of the same maker as the
# C compiler (the run-time libraries of sanitizers differ).

file(GLOB example_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/examples/*.c ${PROJECT_SOURCE_DIR}/examples/*.cpp)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND NOT CMAKE_CXX_COMPILER)
    string(REGEX REPLACE "clang([-0-9]*)$" "clang++\\1" matching "${CMAKE_C_COMPILER}")
    if(EXISTS ${matching})
        set(CMAKE_CXX_COMPILER ${matching})
    endif()
elseif(NOT CMAKE_CXX_COMPILER)
    include(CheckLanguage)
    check_language(CXX)
endif()
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
else()
    list(FILTER example_sources EXCLUDE REGEX "\\.cpp$")
endif()
foreach(source IN LISTS example_sources)
    get_filename_component(name ${source} NAME_WE)
    set(managers "")
    set(is_complete TRUE)
    foreach(manager sqlite postgres mariadb tx sqlite_xa)
        file(STRINGS ${source} uses REGEX "#include <ktm_${manager}\\.(h|hpp)>")
        string(REPLACE _ - library ktm-${manager})
        if(uses AND TARGET ${library})
            list(APPEND managers ${library} ktm_${manager}_client)
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
        -Wall -Wextra $<$<COMPILE_LANGUAGE:C>:-Wshadow$<SEMICOLON>-Wstrict-prototypes>
        $<$<BOOL:${KTM_WERROR}>:-Werror>)
    if(KTM_SANITIZE)
        target_compile_options(example-${name} PRIVATE -fsanitize=${KTM_SANITIZE}
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(example-${name} PRIVATE -fsanitize=${KTM_SANITIZE})
    endif()
    target_compile_features(example-${name} PRIVATE cxx_std_17)
    target_link_libraries(example-${name} PRIVATE ktm ${managers} Threads::Threads)
    set_target_properties(example-${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
endforeach()
