# SPDX-License-Identifier: Apache-2.0
# The project's own target functions. Each part of the house declares itself with one of them:
#   kenning_add_library(name SOURCES … [TESTS …] [DEPS …] [TEST_DEPS …])
#   kenning_add_blocks(name SOURCES … REGISTER function [TESTS …] [DEPS …])
#   kenning_add_engine(name DESCRIPTORS … REGISTER function SOURCES … [TESTS …] [DEPS …])
include_guard(GLOBAL)
include(CTest)
include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

find_program(KENNING_CCACHE ccache)
if(KENNING_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${KENNING_CCACHE}")
endif()

# Compile and link flags that all own targets share.
add_library(kenning_flags INTERFACE)
target_include_directories(kenning_flags INTERFACE "${PROJECT_SOURCE_DIR}/include"
                                                   "${PROJECT_SOURCE_DIR}/src")
target_compile_options(kenning_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wformat=2 -Wnon-virtual-dtor
  # Designated initialisers name what matters; the rest keeps its default.
  -Wno-missing-field-initializers
  -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(kenning_flags INTERFACE -Wsuggest-override -Wduplicated-cond -Wlogical-op)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    # Wrong reports about inlined strings, moved tl::expected and nlohmann::json objects.
    target_compile_options(kenning_flags INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds
                                                   -Wno-restrict)
  endif()
endif()
if(KENNING_WERROR)
  target_compile_options(kenning_flags INTERFACE -Werror)
endif()
if(KENNING_SANITIZE)
  target_compile_options(kenning_flags INTERFACE "-fsanitize=${KENNING_SANITIZE}"
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(kenning_flags INTERFACE "-fsanitize=${KENNING_SANITIZE}")
endif()
if(KENNING_COVERAGE)
  target_compile_options(kenning_flags INTERFACE --coverage)
  target_link_options(kenning_flags INTERFACE --coverage)
endif()

# One gtest executable per part: tests stand beside their sources as *_test.cc. With NO_ENTRY the
# caller adds the entries of ctest.
function(kenning_add_test name)
  if(NOT KENNING_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "NO_ENTRY" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE kenning_flags ${arg_DEPS} GTest::gtest GTest::gmock
                                        GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE KENNING_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             KENNING_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if(arg_NO_ENTRY)
    return()
  endif()
  set(labels unit)
  if(arg_LABELS)
    set(labels ${arg_LABELS})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 300)
  if(KENNING_SANITIZE)
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/sanitizers/leaks.txt:print_suppressions=0")
  endif()
endfunction()

function(kenning_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;TESTS;DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  add_library(kenning_${name} STATIC ${arg_SOURCES})
  add_library(kenning::${name} ALIAS kenning_${name})
  target_link_libraries(kenning_${name} PUBLIC kenning_flags ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  if(arg_TESTS)
    kenning_add_test(${name}_test SOURCES ${arg_TESTS} DEPS kenning_${name} ${arg_TEST_DEPS})
  endif()
endfunction()

# Engine-free blocks: a static library and a registration function `void F(kenning::Registry&)`.
function(kenning_add_blocks name)
  cmake_parse_arguments(arg "" "REGISTER" "SOURCES;TESTS;DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  kenning_add_library(blocks_${name} SOURCES ${arg_SOURCES} TESTS ${arg_TESTS}
                      DEPS kenning::registry ${arg_DEPS} PRIVATE_DEPS ${arg_PRIVATE_DEPS}
                      TEST_DEPS ${arg_TEST_DEPS})
  set_property(GLOBAL APPEND PROPERTY KENNING_REGISTER_FUNCTIONS ${arg_REGISTER})
  set_property(GLOBAL APPEND PROPERTY KENNING_REGISTER_LIBRARIES kenning_blocks_${name})
endfunction()

# An engine: descriptors (no SDK, linked into the command) and a module (the SDK, a shared object).
# Without SOURCES only the descriptors are built, and the blocks say that they are unavailable.
function(kenning_add_engine name)
  cmake_parse_arguments(arg "" "REGISTER" "DESCRIPTORS;SOURCES;TESTS;DEPS;TEST_DEPS" ${ARGN})
  kenning_add_library(engine_${name}_descriptors SOURCES ${arg_DESCRIPTORS} DEPS kenning::registry)
  set_property(GLOBAL APPEND PROPERTY KENNING_REGISTER_FUNCTIONS ${arg_REGISTER})
  set_property(GLOBAL APPEND PROPERTY KENNING_REGISTER_LIBRARIES kenning_engine_${name}_descriptors)
  if(NOT arg_SOURCES)
    return()
  endif()
  if(KENNING_AGENT_ONLY)
    # What an engine computes is tested on the host; the agent's own tests run a model on each.
    set(arg_TESTS "")
  endif()
  # The module's code is an archive, too, so that tests can link it directly.
  kenning_add_library(engine_${name}_impl SOURCES ${arg_SOURCES} TESTS ${arg_TESTS}
                      DEPS kenning::registry kenning_engine_${name}_descriptors ${arg_DEPS}
                      TEST_DEPS ${arg_TEST_DEPS})
  # The one exported symbol forwards to the implementation's entry, kenning_engine_<name>_module.
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/module_entry.cc" @ONLY CONTENT
"#include \"kenning/registry/engine_module.h\"

extern \"C\" const kenning::EngineModule* kenning_engine_@name@_module();
extern \"C\" __attribute__((visibility(\"default\"))) const kenning::EngineModule* kenning_engine_module();
extern \"C\" const kenning::EngineModule* kenning_engine_module() {
  return kenning_engine_@name@_module();
}
")
  add_library(kenning_engine_${name} MODULE "${CMAKE_CURRENT_BINARY_DIR}/module_entry.cc")
  # Installed, a module finds its SDK's libraries beside itself.
  set_target_properties(kenning_engine_${name} PROPERTIES PREFIX "" OUTPUT_NAME kenning_engine_${name}
                        CXX_VISIBILITY_PRESET hidden INSTALL_RPATH "$ORIGIN")
  target_link_libraries(kenning_engine_${name} PRIVATE kenning_flags kenning_engine_${name}_impl)
  target_link_options(kenning_engine_${name} PRIVATE -Wl,--exclude-libs,ALL)
  install(TARGETS kenning_engine_${name} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/kenning")
  set_property(GLOBAL APPEND PROPERTY KENNING_ENGINE_MODULES kenning_engine_${name})
endfunction()

# Writes builtin_blocks.cc: the list of registration functions, and nothing else. With ONLY a regular
# expression chooses among the libraries; with LIBRARIES a variable gets their names.
function(kenning_generate_builtin_blocks output)
  cmake_parse_arguments(arg "" "ONLY;LIBRARIES" "" ${ARGN})
  get_property(functions GLOBAL PROPERTY KENNING_REGISTER_FUNCTIONS)
  get_property(libraries GLOBAL PROPERTY KENNING_REGISTER_LIBRARIES)
  set(declarations "")
  set(calls "")
  set(chosen "")
  foreach(function library IN ZIP_LISTS functions libraries)
    if(arg_ONLY AND NOT library MATCHES "${arg_ONLY}")
      continue()
    endif()
    list(APPEND chosen ${library})
    string(APPEND declarations "void ${function}(Registry& registry);\n")
    string(APPEND calls "  ${function}(registry);\n")
  endforeach()
  file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT
"// Generated by CMake from the kenning_add_blocks and kenning_add_engine calls.
#include \"kenning/registry/registry.h\"

namespace kenning {
@declarations@
void RegisterBuiltinBlocks(Registry& registry) {
@calls@}
}  // namespace kenning
")
  if(arg_LIBRARIES)
    set(${arg_LIBRARIES} "${chosen}" PARENT_SCOPE)
  endif()
endfunction()
