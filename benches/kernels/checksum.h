/* Prints a kernel's result as one hexadecimal line, without stdio so that the modules stay small. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value;
    hash *= 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static inline uint64_t mix_double(uint64_t hash, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(hash, bits);
}

static void report(uint64_t hash) {
    char line[17];
    for (int i = 0; i < 16; i++)
        line[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
    line[16] = '\n';
    if (write(1, line, sizeof line) != (ssize_t)sizeof line)
        _exit(1);
}

#endif
