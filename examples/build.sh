#!/bin/sh
# Rebuilds every example's .wasm (all of them, or those named as arguments) with the compilers the
# committed files were built with; examples/README.md says where each compiler comes from.
set -eu
cd "$(dirname "$0")"
CLANG=${CLANG:-clang-19}
ASC=${ASC:-npx --yes --package=assemblyscript@0.28.20 -- asc}
DUNLIN=${DUNLIN:-../target/release/dunlin}
GUEST_RUSTC=${GUEST_RUSTC:-/usr/bin/rustc}

c() { # NAME FLAGS…
    name=$1
    shift
    "$CLANG" --target=wasm32-wasi -O2 -Wall -Wextra -Wl,--strip-all "$@" -o "$name/$name.wasm" "$name/$name.c"
}

# A component of a freestanding module and its WIT.
component() {
    "$CLANG" --target=wasm32 -O2 -Wall -Wextra -nostdlib -Wl,--no-entry,--strip-all -o "$1/$1.wasm" "$1/$1.c"
    "$DUNLIN" component embed --wit "$1/$1.wit" "$1/$1.wasm" -o "$1/$1.wasm"
    "$DUNLIN" component new "$1/$1.wasm" -o "$1/$1.wasm"
}

wat() { "$DUNLIN" wat "$1/$1.wat" -o "$1/$1.wasm"; }

# No prebuilt standard library is needed: it is compiled with the guest, and linked by clang with
# the system's wasi-libc.
rust() {
    RUSTC=$GUEST_RUSTC RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Zunstable-options -Clink-self-contained=no -Clinker=$(command -v "$CLANG") \
-Clinker-flavor=wasm-lld-cc -Clink-arg=--target=wasm32-wasi -Lnative=/usr/lib/wasm32-wasi" \
        cargo build --quiet --release -Zbuild-std=std,panic_abort --target wasm32-wasip1 \
        --manifest-path "$1/Cargo.toml" --target-dir ../target/guests
    cp "../target/guests/wasm32-wasip1/release/$1.wasm" "$1/$1.wasm"
}

build() {
    case $1 in
    hello | wordcount | mandelbrot | echo) c "$1" ;;
    dot) c dot -msimd128 ;;
    calc | relay) wat "$1" ;;
    shop) component shop ;;
    primes) $ASC primes/primes.ts -o primes/primes.wasm -O3 --runtime stub --use abort= --noAssert ;;
    json) rust json ;;
    *)
        echo "build.sh: no example \`$1\`" >&2
        exit 2
        ;;
    esac
    chmod 644 "$1/$1.wasm"
    echo "built $1/$1.wasm ($(wc -c <"$1/$1.wasm") bytes)"
}

[ $# -gt 0 ] || set -- hello wordcount mandelbrot echo dot calc relay shop primes json
for name; do build "$name"; done
