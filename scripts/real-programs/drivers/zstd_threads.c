/* Compresses stdin with zstd's own thread pool and expands it again. Arguments: how many workers, once for each time;
   the result is the same for any number of them. How long each took goes to stderr. */
#define ZSTD_STATIC_LINKING_ONLY
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    static char input[16 << 20];
    const ZSTD_customMem memory = {locked_malloc, locked_free, NULL};
    size_t size = fread(input, 1, sizeof input, stdin), room = ZSTD_compressBound(size);
    char *first = locked_malloc(NULL, room), *packed = locked_malloc(NULL, room), *back = locked_malloc(NULL, size);
    size_t expected = 0;
    if (first == NULL || packed == NULL || back == NULL) return 1;
    for (int i = 1; i < argc; i++) {
        ZSTD_CCtx *context = ZSTD_createCCtx_advanced(memory);
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 7);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        ZSTD_CCtx_setParameter(context, ZSTD_c_jobSize, 1 << 20);
        if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, atoi(argv[i])))) return 1;
        double start = now();
        size_t count = ZSTD_compress2(context, packed, room, input, size);
        double end = now();
        ZSTD_freeCCtx(context);
        size_t again = ZSTD_isError(count) ? count : ZSTD_decompress(back, size, packed, count);
        if (ZSTD_isError(again) || again != size || memcmp(input, back, size) != 0) {
            printf("%s workers: wrong: %s\n", argv[i], ZSTD_getErrorName(again));
            return 1;
        }
        if (i == 1) {
            memcpy(first, packed, count);
            expected = count;
        }
        int same = count == expected && memcmp(first, packed, count) == 0;
        printf("%s workers: %zu to %zu bytes, %s\n", argv[i], size, count, same ? "the same" : "others");
        fprintf(stderr, "%s workers: %.3f s\n", argv[i], end - start);
    }
    return 0;
}
