/* Compresses stdin with zstd at several levels, expands it again and prints the sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

int main(void) {
    static char input[1 << 20];
    static const int levels[] = {-5, 1, 3, 6, 9, 13, 19, 22};
    size_t size = fread(input, 1, sizeof input, stdin);
    size_t room = ZSTD_compressBound(size);
    char *packed = malloc(room), *back = malloc(size);
    if (packed == NULL || back == NULL)
        return 1;
    printf("zstd %s, %zu bytes\n", ZSTD_versionString(), size);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        size_t count = ZSTD_compress(packed, room, input, size, levels[i]);
        size_t again = ZSTD_isError(count) ? count : ZSTD_decompress(back, size, packed, count);
        if (ZSTD_isError(again) || again != size || memcmp(input, back, size) != 0) {
            printf("level %d: wrong: %s\n", levels[i], ZSTD_getErrorName(again));
            return 1;
        }
        printf("level %3d: %zu\n", levels[i], count);
    }
    return 0;
}
