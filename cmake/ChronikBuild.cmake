# Build settings shared by every target, and the functions that folders declare their targets with.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CHRONIK_PLUGIN_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/chronik/plugins)

option(CHRONIK_BUILD_TESTS "Build the tests" ON)
option(CHRONIK_DEBUG_CHECKS "Compile CHRONIK_DCHECK and invariant checks in" OFF)
option(CHRONIK_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(CHRONIK_SANITIZE "" CACHE STRING "Value for -fsanitize=, such as address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(chronik_options INTERFACE)
target_compile_options(chronik_options INTERFACE
  -Wall -Wextra -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
# g++ 12 sees uninitialised members in moved std::variant and std::optional that aren't there; the
# sanitizer builds watch for real ones.
target_compile_options(chronik_options INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(CHRONIK_DEBUG_CHECKS)
  target_compile_definitions(chronik_options INTERFACE CHRONIK_DEBUG_CHECKS)
endif()
if(CHRONIK_SANITIZE)
  target_compile_options(chronik_options INTERFACE -fsanitize=${CHRONIK_SANITIZE}
    -fno-sanitize-recover=all)
  target_link_options(chronik_options INTERFACE -fsanitize=${CHRONIK_SANITIZE})
endif()

# chronik_add_kernel(FOLDER SOURCES... LIBS...): the static library chronik_FOLDER of kernel/FOLDER.
function(chronik_add_kernel folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(chronik_${folder} STATIC ${ARG_SOURCES})
  target_include_directories(chronik_${folder} PUBLIC ${PROJECT_SOURCE_DIR}/kernel)
  target_link_libraries(chronik_${folder} PUBLIC chronik_options chronik_sdk ${ARG_LIBS})
endfunction()

# chronik_add_plugin(NAME SOURCES... LIBS...): the loadable plugin NAME.so, and the object library
# NAME_static with the descriptor renamed to chronik_plugin_v0_NAME for static registration. A plugin
# sees the SDK and its own files.
function(chronik_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY
    ${CHRONIK_PLUGIN_OUTPUT_DIRECTORY})
  target_link_libraries(${name} PRIVATE chronik_options chronik_sdk ${ARG_LIBS})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_options(${name} PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/sdk/cmake/plugin.map -Wl,--exclude-libs,ALL)
  if(NOT CHRONIK_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/sdk/cmake/plugin.map)

  add_library(${name}_static STATIC EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_compile_definitions(${name}_static PRIVATE CHRONIK_STATIC_PLUGIN=${name})
  target_link_libraries(${name}_static PUBLIC chronik_options chronik_sdk ${ARG_LIBS})
  target_include_directories(${name}_static PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()

# chronik_add_test(NAME SOURCES... LIBS...): a Catch2 program, run by ctest as one test.
function(chronik_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE chronik_catch_main ${ARG_LIBS} chronik_options)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(CHRONIK_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
