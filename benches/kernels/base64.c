/* Base64 encoding and decoding, round trip. */
#include "checksum.h"

#define SIZE 300000
#define ROUNDS 150

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint8_t value[256], plain[SIZE], back[SIZE], text[SIZE / 3 * 4];

static void encode(void) {
    uint8_t *out = text;
    for (int i = 0; i < SIZE; i += 3) {
        uint32_t group = (uint32_t)plain[i] << 16 | (uint32_t)plain[i + 1] << 8 | plain[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = (uint8_t)alphabet[group >> shift & 63];
    }
}

static int decode(void) {
    uint8_t *out = back;
    for (int i = 0; i < (int)sizeof text; i += 4) {
        uint32_t group = 0;
        for (int j = 0; j < 4; j++) {
            uint8_t v = value[text[i + j]];
            if (v > 63)
                return 0;
            group = group << 6 | v;
        }
        *out++ = (uint8_t)(group >> 16);
        *out++ = (uint8_t)(group >> 8);
        *out++ = (uint8_t)group;
    }
    return 1;
}

int main(void) {
    uint64_t hash = 1;
    memset(value, 255, sizeof value);
    for (int i = 0; i < 64; i++)
        value[(uint8_t)alphabet[i]] = (uint8_t)i;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZE; i++)
            plain[i] = (uint8_t)(i * 7 + (i >> 7) * 3 + round);
        encode();
        if (!decode() || memcmp(plain, back, SIZE) != 0)
            return 1;
        for (int i = 0; i < (int)sizeof text; i += 1009)
            hash = mix(hash, text[i]);
    }
    report(hash);
    return 0;
}
