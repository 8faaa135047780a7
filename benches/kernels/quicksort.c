/* Recursive quicksort, median of three, insertion sort for short runs. */
#include "checksum.h"

#define N 600000
#define ROUNDS 12

static int32_t data[N];

static void swap(int32_t *a, int32_t *b) {
    int32_t held = *a;
    *a = *b;
    *b = held;
}

static void sort(int32_t *low, int32_t *high) {
    while (high - low > 12) {
        int32_t *middle = low + (high - low) / 2;
        if (*middle < *low)
            swap(middle, low);
        if (high[-1] < *low)
            swap(high - 1, low);
        if (high[-1] < *middle)
            swap(high - 1, middle);
        int32_t pivot = *middle;
        int32_t *left = low, *right = high - 1;
        while (left <= right) {
            while (*left < pivot)
                left++;
            while (*right > pivot)
                right--;
            if (left <= right)
                swap(left++, right--);
        }
        sort(low, right + 1);
        low = left;
    }
    for (int32_t *next = low + 1; next < high; next++) {
        int32_t value = *next, *hole = next;
        for (; hole > low && hole[-1] > value; hole--)
            *hole = hole[-1];
        *hole = value;
    }
}

int main(void) {
    uint64_t hash = 1;
    uint32_t state = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) {
            state = state * 1664525u + 1013904223u;
            data[i] = (int32_t)state;
        }
        sort(data, data + N);
        for (int i = 0; i < N; i += 97)
            hash = mix(hash, (uint32_t)data[i]);
        for (int i = 1; i < N; i++)
            if (data[i - 1] > data[i])
                return 1;
    }
    report(hash);
    return 0;
}
