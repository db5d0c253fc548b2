# SPDX-License-Identifier: MIT
# Each bench/*.c answers one performance question; it becomes <build>/bench/<name>.

file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
foreach(source IN LISTS bench_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(bench-${name} ${source})
    target_link_libraries(bench-${name} PRIVATE ktm_internal m)
    set_target_properties(bench-${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()
