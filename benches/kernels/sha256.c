/* SHA-256 (FIPS 180-4) of a generated message. */
#include "checksum.h"

#define MESSAGE (24 * 1024 * 1024)

static uint32_t k[64], start[8];
static uint8_t message[MESSAGE + 128];

/* Fractional bits of a root of a prime, by bisection on integers: the standard defines its
   constants so, and 128-bit products keep it exact. */
static uint32_t root_fraction(uint32_t prime, int degree) {
    uint64_t low = 0, high = (uint64_t)1 << 37;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        unsigned __int128 power = (unsigned __int128)middle * middle;
        int above;
        if (degree == 2)
            above = power > (unsigned __int128)prime << 64;
        else
            above = power > ((unsigned __int128)prime << 96) / middle;
        if (above)
            high = middle;
        else
            low = middle;
    }
    return (uint32_t)low;
}

static void constants(void) {
    int found = 0;
    for (uint32_t n = 2; found < 64; n++) {
        int prime = 1;
        for (uint32_t d = 2; d * d <= n; d++)
            if (n % d == 0)
                prime = 0;
        if (!prime)
            continue;
        k[found] = root_fraction(n, 3);
        if (found < 8)
            start[found] = root_fraction(n, 2);
        found++;
    }
}

static uint32_t turn(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void block(uint32_t h[8], const uint8_t *bytes) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
               (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25);
        uint32_t one = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t a = turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22);
        uint32_t two = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6];
        s[6] = s[5];
        s[5] = s[4];
        s[4] = s[3] + one;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = s[0];
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

static void digest(uint32_t h[8], size_t length) {
    size_t padded = (length + 9 + 63) / 64 * 64;
    message[length] = 0x80;
    memset(message + length + 1, 0, padded - length - 9);
    for (int i = 0; i < 8; i++)
        message[padded - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    memcpy(h, start, sizeof start);
    for (size_t at = 0; at < padded; at += 64)
        block(h, message + at);
}

int main(void) {
    uint32_t h[8];
    constants();
    memcpy(message, "abc", 3);
    digest(h, 3);
    if (h[0] != 0xba7816bf || h[7] != 0xf20015ad)
        return 1;
    for (size_t i = 0; i < MESSAGE; i++)
        message[i] = (uint8_t)(i * 31 + (i >> 8));
    digest(h, MESSAGE);
    uint64_t hash = 1;
    for (int i = 0; i < 8; i++)
        hash = mix(hash, h[i]);
    report(hash);
    return 0;
}
