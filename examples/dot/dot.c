/* The same dot products with scalar code and with 128-bit SIMD, and a check that they agree. */
#include <stdint.h>
#include <stdio.h>
#include <wasm_simd128.h>

#define N 4096

static int16_t a[N], b[N];
static uint8_t picture[N], brighter[N];

__attribute__((noinline)) static int32_t scalar_dot(void) {
    int32_t sum = 0;
#pragma clang loop vectorize(disable)
    for (int i = 0; i < N; i++)
        sum += a[i] * b[i];
    return sum;
}

__attribute__((noinline)) static int32_t simd_dot(void) {
    v128_t sum = wasm_i32x4_splat(0);
    for (int i = 0; i < N; i += 8)
        sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(a + i), wasm_v128_load(b + i)));
    return wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) +
           wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3);
}

/* Sixteen pixels a step: saturating addition, then the mask of those that clipped. */
static int brighten(uint8_t by) {
    int clipped = 0;
    for (int i = 0; i < N; i += 16) {
        v128_t lighter = wasm_u8x16_add_sat(wasm_v128_load(picture + i), wasm_u8x16_splat(by));
        wasm_v128_store(brighter + i, lighter);
        clipped += __builtin_popcount(wasm_i8x16_bitmask(wasm_i8x16_eq(lighter, wasm_u8x16_splat(255))));
    }
    return clipped;
}

int main(void) {
    for (int i = 0; i < N; i++) {
        a[i] = (int16_t)(i % 251 - 125);
        b[i] = (int16_t)(i % 127 - 63);
        picture[i] = (uint8_t)(i * 7 % 256);
    }
    int32_t scalar = scalar_dot(), simd = simd_dot();
    printf("scalar %d, simd %d: %s\n", scalar, simd, scalar == simd ? "equal" : "DIFFERENT");
    printf("%d of %d pixels clipped\n", brighten(60), N);
    return scalar == simd ? 0 : 1;
}
