/* Five-point Jacobi relaxation over two alternating grids. */
#include "checksum.h"

#define N 250
#define STEPS 1500

static double grid[2][N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            grid[0][i][j] = ((double)i * (j + 2) + 2) / N;
            grid[1][i][j] = ((double)i * (j + 3) + 3) / N;
        }
    for (int step = 0; step < STEPS; step++) {
        double(*from)[N] = grid[step & 1];
        double(*to)[N] = grid[~step & 1];
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] +
                                  from[i + 1][j] + from[i - 1][j]);
    }
    uint64_t hash = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            hash = mix_double(hash, grid[STEPS & 1][i][j]);
    report(hash);
    return 0;
}
