/* Dynamic programming over base pairs of a sequence (Nussinov's recurrence). */
#include "checksum.h"

#define N 1000

static uint8_t base[N];
static int32_t best[N][N];

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

int main(void) {
    for (int i = 0; i < N; i++)
        base[i] = (uint8_t)((i + 1) * 5 % 7 % 4);
    for (int i = N - 1; i >= 0; i--)
        for (int j = i + 1; j < N; j++) {
            int32_t score = larger(best[i][j - 1], i + 1 < N ? best[i + 1][j] : 0);
            if (i + 1 < N) {
                int32_t pair = i < j - 1 && base[i] + base[j] == 3;
                score = larger(score, best[i + 1][j - 1] + pair);
            }
            for (int k = i + 1; k < j; k++)
                score = larger(score, best[i][k] + best[k + 1][j]);
            best[i][j] = score;
        }
    uint64_t hash = 1;
    for (int i = 0; i < N; i++)
        for (int j = i; j < N; j++)
            hash = mix(hash, (uint32_t)best[i][j]);
    report(hash);
    return 0;
}
