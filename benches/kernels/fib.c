/* Doubly recursive Fibonacci numbers: nothing but calls. */
#include "checksum.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static volatile uint32_t n = 39;

int main(void) {
    report(mix(1, fib(n)));
    return 0;
}
