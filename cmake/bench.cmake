# SPDX-License-Identifier: MIT
# Each bench/*.c answers one performance question; it becomes <build>/bench/<name>. bench/support is what
# they have in common.

function(ktm_add_bench name)
    add_executable(bench-${name} ${PROJECT_SOURCE_DIR}/bench/${name}.c ${ARGN})
    target_include_directories(bench-${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(bench-${name} PRIVATE ktm_flags m)
    set_target_properties(bench-${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endfunction()

set(support ${PROJECT_SOURCE_DIR}/bench/support)
foreach(name commit log)
    ktm_add_bench(${name})
    target_link_libraries(bench-${name} PRIVATE ktm_internal)
endforeach()
ktm_add_bench(files ${support}/bench.c)
target_link_libraries(bench-files PRIVATE ktm)

# Databases: with the shared libraries, as applications have them, and the servers of the tests.
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
if(TARGET ktm-sqlite AND TARGET ktm-postgres AND TARGET ktm-mariadb AND CMOCKA_FOUND)
    set(servers ${PROJECT_SOURCE_DIR}/tests/rm/servers)
    ktm_add_bench(databases ${support}/bench.c ${support}/servers.c
        ${servers}/postgres.c ${servers}/mariadb.c)
    target_compile_definitions(bench-databases PRIVATE KTM_BUILD="${PROJECT_BINARY_DIR}")
    target_link_libraries(bench-databases PRIVATE ktm PkgConfig::CMOCKA)
    foreach(manager sqlite postgres mariadb)
        target_link_libraries(bench-databases PRIVATE ktm-${manager} ktm_${manager}_client)
    endforeach()
endif()
