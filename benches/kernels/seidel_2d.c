/* Nine-point Gauss-Seidel relaxation in place, a chain of dependent additions. */
#include "checksum.h"

#define N 200
#define STEPS 1500

static double grid[N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            grid[i][j] = ((double)i * (j + 2) + 2) / N;
    for (int step = 0; step < STEPS; step++)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                grid[i][j] = (grid[i - 1][j - 1] + grid[i - 1][j] + grid[i - 1][j + 1] +
                              grid[i][j - 1] + grid[i][j] + grid[i][j + 1] +
                              grid[i + 1][j - 1] + grid[i + 1][j] + grid[i + 1][j + 1]) / 9.0;
    uint64_t hash = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            hash = mix_double(hash, grid[i][j]);
    report(hash);
    return 0;
}
