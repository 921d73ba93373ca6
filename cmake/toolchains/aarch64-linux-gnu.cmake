# SPDX-License-Identifier: Apache-2.0
# Cross builds for 64-bit ARM with the distribution's g++-aarch64-linux-gnu, against the folder of libraries that
# scripts/cross-sysroot makes (docs/howto/cross-compile.md). KENNING_SYSROOT names another folder.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

if(NOT KENNING_SYSROOT)
  if(DEFINED ENV{KENNING_SYSROOT})
    set(KENNING_SYSROOT "$ENV{KENNING_SYSROOT}")
  else()
    execute_process(COMMAND "${CMAKE_CURRENT_LIST_DIR}/../../scripts/cross-sysroot" --print
                    OUTPUT_VARIABLE KENNING_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
if(NOT EXISTS "${KENNING_SYSROOT}/usr/include")
  message(FATAL_ERROR "There are no libraries for aarch64 in '${KENNING_SYSROOT}'; run scripts/cross-sysroot")
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KENNING_SYSROOT)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_STRIP aarch64-linux-gnu-strip)
set(CMAKE_SYSROOT "${KENNING_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH "${KENNING_SYSROOT}")
# Programs run here (protoc), everything else is the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Tests of the cross build run where user-mode emulation is there.
find_program(KENNING_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(KENNING_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${KENNING_QEMU_AARCH64};-L;${KENNING_SYSROOT}")
endif()
