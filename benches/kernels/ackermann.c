/* Ackermann's function: calls in tail position and not, thousands of them inside one another. */
#include "checksum.h"

/* `volatile` keeps the compiler from turning the tail calls into a loop. */
static volatile uint32_t one = 1;

__attribute__((noinline)) static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0)
        return n + one;
    if (n == 0)
        return ackermann(m - 1, 1) + one - 1;
    return ackermann(m - 1, ackermann(m, n - 1)) + one - 1;
}

static volatile uint32_t m = 3, n = 9, rounds = 20;

int main(void) {
    uint64_t hash = 1;
    for (uint32_t i = 0; i < rounds; i++)
        hash = mix(hash, ackermann(m, n - (i & 1)));
    report(hash);
    return 0;
}
