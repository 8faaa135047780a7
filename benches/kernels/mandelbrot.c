/* Escape-time iteration over a square of the complex plane. */
#include "checksum.h"

#define SIZE 1000
#define LIMIT 350

int main(void) {
    uint64_t hash = 1;
    for (int row = 0; row < SIZE; row++) {
        uint32_t total = 0;
        double ci = 2.0 * row / SIZE - 1.0;
        for (int column = 0; column < SIZE; column++) {
            double cr = 2.0 * column / SIZE - 1.5, zr = 0, zi = 0, rr = 0, ii = 0;
            int n = 0;
            while (n < LIMIT && rr + ii <= 4.0) {
                zi = 2 * zr * zi + ci;
                zr = rr - ii + cr;
                rr = zr * zr;
                ii = zi * zi;
                n++;
            }
            total += (uint32_t)n;
        }
        hash = mix(hash, total);
    }
    report(hash);
    return 0;
}
