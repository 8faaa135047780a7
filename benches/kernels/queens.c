/* Counts the ways to place queens: a recursive search with small steps. */
#include "checksum.h"

__attribute__((noinline)) static uint32_t place(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
    uint32_t ways = 0;
    if (columns == all)
        return 1;
    for (uint32_t free = all & ~(columns | left | right); free;) {
        uint32_t bit = free & -free;
        free ^= bit;
        ways += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return ways;
}

static volatile uint32_t size = 14;

int main(void) {
    report(mix(1, place((1u << size) - 1, 0, 0, 0)));
    return 0;
}
