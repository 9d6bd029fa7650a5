/* Bytes from and to the host, after board.c; and those by which a byte written beside an array is
 * seen. */
#define UNTOUCHED 99

static void get_bytes(void *to, uint32_t count) {
  for (uint8_t *byte = to; count > 0; count--) {
    *byte++ = get();
  }
}

static void put_bytes(const void *from, uint32_t count) {
  for (const uint8_t *byte = from; count > 0; count--) {
    put(*byte++);
  }
}

static void fill(void *to, uint32_t count) {
  for (uint8_t *byte = to; count > 0; count--) {
    *byte++ = UNTOUCHED;
  }
}
