# zig from PyPI as a C compiler for Cortex-M.
# ZIG is the zig executable; by default the one in the project's .venv.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG)

if(NOT ZIG)
  file(GLOB ZIG
    "${CMAKE_CURRENT_LIST_DIR}/../../.venv/lib/python3*/site-packages/ziglang/zig"
    "${CMAKE_CURRENT_LIST_DIR}/../../.venv/Lib/site-packages/ziglang/zig.exe")
endif()
if(NOT ZIG)
  message(FATAL_ERROR "zig was not found. Run `python3 workshop.py run` once: it installs it.")
endif()

foreach(language C ASM)
  set(CMAKE_${language}_COMPILER "${ZIG}" cc)
  set(CMAKE_${language}_FLAGS_INIT "-target thumb-freestanding-eabihf -fno-sanitize=undefined")
  set(CMAKE_${language}_ARCHIVE_CREATE "\"${ZIG}\" ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "")
endforeach()
# What CMake would find out by trials in each build.
set(CMAKE_ASM_COMPILER_ID Clang)
set(CMAKE_C_ABI_COMPILED TRUE)
set(CMAKE_C_COMPILER_WORKS TRUE) # there is no operating system to link a test program for
