/* Table-driven CRC-32 (reflected 0x04C11DB7), one byte at a time. */
#include "checksum.h"

#define SIZE (1 << 20)
#define ROUNDS 200

static uint32_t table[256];
static uint8_t data[SIZE];

static uint32_t crc(const uint8_t *bytes, size_t count) {
    uint32_t value = ~0u;
    for (size_t i = 0; i < count; i++)
        value = table[(value ^ bytes[i]) & 255] ^ value >> 8;
    return ~value;
}

int main(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
        table[i] = value;
    }
    if (crc((const uint8_t *)"123456789", 9) != 0xCBF43926u)
        return 1;
    uint64_t hash = 1;
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < SIZE; i += 64)
            data[i] = (uint8_t)(i + (uint32_t)round);
        hash = mix(hash, crc(data, SIZE));
    }
    report(hash);
    return 0;
}
