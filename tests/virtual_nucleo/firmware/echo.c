/* Sends back every byte; blinks LD2 while it waits. */
#include "board.c"

int main(void) {
  GPIOA_MODER = (GPIOA_MODER & ~(3u << 10)) | 1u << 10; /* PA5: output */
  for (;;) {
    uint8_t byte = get();
    GPIOA_BSRR = byte & 1 ? 1u << 5 : 1u << 21;
    put(byte);
  }
}
