/* Dense matrix product, C = 1.5 A B + 1.2 C, in double precision. */
#include "checksum.h"

#define N 320
#define ROUNDS 7

static double a[N][N], b[N][N], c[N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)((i * j + 1) % N) / N;
            b[i][j] = (double)((i * (j + 2)) % N) / N;
            c[i][j] = (double)((i * (j + 1)) % N) / N;
        }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++)
                c[i][j] *= 1.2;
            for (int k = 0; k < N; k++) {
                double scaled = 1.5 * a[i][k];
                for (int j = 0; j < N; j++)
                    c[i][j] += scaled * b[k][j];
            }
        }
    uint64_t hash = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            hash = mix_double(hash, c[i][j]);
    report(hash);
    return 0;
}
