/* A byte-oriented LZ compressor with a hash of the last positions, and its decompressor. */
#include "checksum.h"

#define SIZE (1 << 19)
#define ROUNDS 70
#define HASH_BITS 14

static uint8_t plain[SIZE + 8], packed[SIZE * 2], back[SIZE + 64];
static int32_t last[1 << HASH_BITS];

/* Words drawn from a small vocabulary, so that matches of many lengths exist. */
static void fill(uint32_t state) {
    int at = 0;
    while (at < SIZE) {
        state = state * 1103515245u + 12345u;
        uint32_t word = state >> 16 & 511, length = 2 + (word * 7 & 7);
        for (uint32_t i = 0; i < length && at < SIZE; i++)
            plain[at++] = (uint8_t)('a' + (word * (i + 3) + i) % 26);
        if (at < SIZE)
            plain[at++] = ' ';
    }
}

static size_t compress(void) {
    uint8_t *out = packed;
    int literals = 0, at = 0;
    memset(last, 255, sizeof last);
    while (at < SIZE) {
        uint32_t four;
        memcpy(&four, plain + at, 4);
        uint32_t slot = four * 2654435761u >> (32 - HASH_BITS);
        int32_t seen = last[slot], length = 0;
        last[slot] = at;
        if (seen >= 0 && at - seen < 65536)
            while (length < 130 && at + length < SIZE && plain[seen + length] == plain[at + length])
                length++;
        if (length >= 4) {
            *out++ = (uint8_t)(128 | (length - 4));
            *out++ = (uint8_t)(at - seen);
            *out++ = (uint8_t)((at - seen) >> 8);
            at += length;
            literals = 0;
        } else {
            if (literals == 0 || literals == 127) {
                *out++ = 0;
                literals = 0;
            }
            out[-1 - literals]++;
            *out++ = plain[at++];
            literals++;
        }
    }
    return (size_t)(out - packed);
}

static void expand(size_t count) {
    uint8_t *out = back;
    for (size_t at = 0; at < count;) {
        uint8_t head = packed[at++];
        if (head & 128) {
            const uint8_t *from = out - (packed[at] | packed[at + 1] << 8);
            at += 2;
            for (int n = (head & 127) + 4; n > 0; n--)
                *out++ = *from++;
        } else {
            for (int n = head; n > 0; n--)
                *out++ = packed[at++];
        }
    }
}

int main(void) {
    uint64_t hash = 1;
    for (int round = 0; round < ROUNDS; round++) {
        fill((uint32_t)round + 99);
        size_t count = compress();
        expand(count);
        if (memcmp(plain, back, SIZE) != 0)
            return 1;
        hash = mix(hash, count);
        for (size_t i = 0; i < count; i += 251)
            hash = mix(hash, packed[i]);
    }
    report(hash);
    return 0;
}
