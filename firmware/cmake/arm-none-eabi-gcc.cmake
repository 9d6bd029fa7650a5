# arm-none-eabi-gcc from the PATH, as STM32CubeIDE for VS Code brings it.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m4)

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lgcc")
set(CMAKE_C_COMPILER_WORKS TRUE) # there is no operating system to link a test program for
