# arm-none-eabi-gcc as a C compiler for Cortex-M.
# GCC is the compiler's executable; by default the one on the PATH, as STM32CubeIDE for VS Code has.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)

if(NOT GCC)
  set(GCC arm-none-eabi-gcc)
endif()
set(CMAKE_C_COMPILER "${GCC}")
set(CMAKE_C_FLAGS_INIT "-mthumb")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lgcc")
set(CMAKE_C_COMPILER_WORKS TRUE) # there is no operating system to link a test program for
