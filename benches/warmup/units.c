/* Does the same piece of work again and again, and says when each was done: throughput over time.
 *
 * `units SECONDS` prints microseconds since 1970, one line each: the start, then the end of every
 * unit. A unit is some of everything: hashing, sorting, matrices, an interpreter, lists. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 8192, NUMBERS = 1024, SIDE = 32, STEPS = 20000, MOST_UNITS = 1 << 20 };

static uint64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525 + 1013904223; }

static uint32_t hash_bytes(uint32_t seed) {
    static uint8_t bytes[BYTES];
    uint32_t table[256], hash = 0xFFFFFFFF;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t entry = i;
        for (int bit = 0; bit < 8; bit++)
            entry = entry >> 1 ^ (entry & 1 ? 0xEDB88320 : 0);
        table[i] = entry;
    }
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(next_random(&seed) >> 24);
    for (int i = 0; i < BYTES; i++)
        hash = hash >> 8 ^ table[(hash ^ bytes[i]) & 255];
    return hash;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t sort_numbers(uint32_t seed) {
    static uint32_t numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = next_random(&seed);
    qsort(numbers, NUMBERS, sizeof *numbers, ascending);
    return numbers[NUMBERS / 3];
}

static uint32_t multiply_matrices(uint32_t seed) {
    static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = next_random(&seed) >> 20;
            b[i][j] = i - j;
            c[i][j] = 0;
        }
    for (int i = 0; i < SIDE; i++)
        for (int k = 0; k < SIDE; k++)
            for (int j = 0; j < SIDE; j++)
                c[i][j] += a[i][k] * b[k][j];
    return (uint32_t)(int64_t)c[seed % SIDE][3];
}

/* Collatz's sequence on a machine with one register and six instructions. */
static uint32_t interpret(uint32_t seed) {
    static const uint8_t program[] = {0, 1, 5, 2, 5, 3, 4, 5};
    uint32_t value = seed | 1, at = 0, sum = 0;
    for (int step = 0; step < STEPS; step++)
        switch (program[at]) {
        case 0: sum += value, at = 1; break;
        case 1: at = value & 1 ? 3 : 6; break;
        case 2: value = 0, at = 0; break;
        case 3: value = value * 3 + 1, at = 5; break;
        case 4: value >>= 1, at = 7; break;
        case 5: at = at == 5 ? 6 : 0, value += value <= 1 ? (uint32_t)step | 27 : 0; break;
        }
    return sum;
}

struct cell {
    struct cell *next;
    uint32_t value;
};

static uint32_t work_lists(uint32_t seed) {
    struct cell *list = NULL;
    uint32_t sum = 0;
    for (int i = 0; i < 500; i++) {
        struct cell *cell = malloc(sizeof *cell);
        *cell = (struct cell){list, next_random(&seed)};
        list = cell;
    }
    while (list) {
        struct cell *next = list->next;
        sum = sum * 31 + list->value;
        free(list);
        list = next;
    }
    return sum;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    uint64_t *times = malloc(sizeof *times * MOST_UNITS);
    uint32_t sum = 0, count = 0;
    if (!times)
        return 1;
    uint64_t end = (times[count++] = microseconds()) + (uint64_t)(seconds * 1e6);
    do {
        sum ^= hash_bytes(sum) + sort_numbers(sum) + multiply_matrices(sum) + interpret(sum) + work_lists(sum);
        times[count++] = microseconds();
    } while (times[count - 1] < end && count < MOST_UNITS);
    for (uint32_t i = 0; i < count; i++)
        printf("%llu\n", (unsigned long long)times[i]);
    fprintf(stderr, "%08x\n", sum);
    return 0;
}
