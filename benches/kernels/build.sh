#!/bin/sh
# Rebuilds every kernel's .wasm; the committed files were built with clang 19.1 and Debian 12's wasi-libc.
set -eu
cd "$(dirname "$0")"
CC=${CC:-clang-19}
for source in *.c; do
    # -mcpu=mvp plus the two features every engine has: no SIMD, no bulk memory.
    "$CC" --target=wasm32-wasi -O3 -mcpu=mvp -msign-ext -mnontrapping-fptoint -ffp-contract=off -Wall -Wextra \
        -Wl,--strip-all -Wl,-z,stack-size=1048576 -o "${source%.c}.wasm" "$source"
    chmod 644 "${source%.c}.wasm"
done
