/* Takeuchi's function: four calls in each, three of them nested in the arguments of the last. */
#include "checksum.h"

__attribute__((noinline)) static int32_t tak(int32_t x, int32_t y, int32_t z) {
    if (y >= x)
        return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static volatile int32_t x = 18, y = 12, z = 6, rounds = 2400;

int main(void) {
    uint64_t hash = 1;
    for (int32_t i = 0; i < rounds; i++)
        hash = mix(hash, (uint32_t)tak(x, y + (i & 1), z));
    report(hash);
    return 0;
}
