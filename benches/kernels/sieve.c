/* Sieve of Eratosthenes over bytes. */
#include "checksum.h"

#define LIMIT 2000000
#define ROUNDS 60

static uint8_t composite[LIMIT + 1];

int main(void) {
    uint64_t hash = 1;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t primes = 0, sum = 0;
        memset(composite, 0, sizeof composite);
        for (uint32_t i = 2; i <= LIMIT; i++) {
            if (composite[i])
                continue;
            primes++;
            sum += i * (uint32_t)(round + 1);
            if (i <= LIMIT / i)
                for (uint32_t j = i * i; j <= LIMIT; j += i)
                    composite[j] = 1;
        }
        hash = mix(mix(hash, primes), sum);
    }
    report(hash);
    return 0;
}
