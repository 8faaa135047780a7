/* In-place LU decomposition of a diagonally dominant matrix, without pivoting. */
#include "checksum.h"

#define N 360
#define ROUNDS 10

static double m[N][N];

static void fill(int round) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            m[i][j] = i == j ? 2.0 * N + round : (double)((i * 7 + j * 13 + round) % N) / N;
}

static void decompose(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            double sum = m[i][j];
            for (int k = 0; k < j; k++)
                sum -= m[i][k] * m[k][j];
            m[i][j] = sum / m[j][j];
        }
        for (int j = i; j < N; j++) {
            double sum = m[i][j];
            for (int k = 0; k < i; k++)
                sum -= m[i][k] * m[k][j];
            m[i][j] = sum;
        }
    }
}

int main(void) {
    uint64_t hash = 1;
    for (int round = 0; round < ROUNDS; round++) {
        fill(round);
        decompose();
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                hash = mix_double(hash, m[i][j]);
    }
    report(hash);
    return 0;
}
