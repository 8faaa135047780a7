/* Largest singular value of an infinite matrix, by the power method. */
#include "checksum.h"
#include <math.h>

#define N 1500
#define ROUNDS 16

static double u[N], v[N], scratch[N];

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void apply(const double *from, double *to) {
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += element(i, j) * from[j];
        to[i] = sum;
    }
}

static void apply_transposed(const double *from, double *to) {
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += element(j, i) * from[j];
        to[i] = sum;
    }
}

int main(void) {
    for (int i = 0; i < N; i++)
        u[i] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        apply(u, scratch);
        apply_transposed(scratch, v);
        apply(v, scratch);
        apply_transposed(scratch, u);
    }
    double cross = 0, square = 0;
    for (int i = 0; i < N; i++) {
        cross += u[i] * v[i];
        square += v[i] * v[i];
    }
    report(mix_double(1, sqrt(cross / square)));
    return 0;
}
