/* All-pairs shortest paths over a dense graph of integer weights. */
#include "checksum.h"

#define N 640

static int32_t path[N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            path[i][j] = i * j % 7 + 1;
            if ((i + j) % 13 == 0 || (i + j) % 7 == 0 || (i + j) % 11 == 0)
                path[i][j] = 999;
        }
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t through = path[i][k] + path[k][j];
                if (through < path[i][j])
                    path[i][j] = through;
            }
    uint64_t hash = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            hash = mix(hash, (uint32_t)path[i][j]);
    report(hash);
    return 0;
}
