# arm-none-eabi-gcc as a C compiler for Cortex-M.
# GCC is the compiler's executable; by default the one on the PATH, as STM32CubeIDE for VS Code has.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)

if(NOT GCC)
  set(GCC arm-none-eabi-gcc)
endif()
foreach(language C ASM)
  set(CMAKE_${language}_COMPILER "${GCC}")
  set(CMAKE_${language}_FLAGS_INIT "-mthumb")
endforeach()
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lgcc")
set(CMAKE_C_COMPILER_WORKS TRUE) # there is no operating system to link a test program for
