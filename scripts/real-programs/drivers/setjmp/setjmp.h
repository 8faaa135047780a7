/* setjmp and longjmp by WebAssembly exceptions, which Debian 12's wasi-libc does not have yet: the structure and the three
   functions that clang's `-wasm-enable-sjlj` calls. */
#pragma once

typedef struct {
    void *frame;    /* the invocation of the function that called setjmp */
    unsigned label; /* which of its setjmp calls */
    struct {        /* what the exception carries the address of */
        void *buffer;
        int value;
    } thrown;
} jmp_buf[1];

int setjmp(jmp_buf) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf, int);

#ifdef DEFINE_SETJMP
/* The number clang has for the tag of longjmp. */
enum { C_LONGJMP = 1 };

void __wasm_setjmp(void *buffer, unsigned label, void *frame) {
    jmp_buf *b = buffer;
    (*b)->frame = frame;
    (*b)->label = label;
}

unsigned __wasm_setjmp_test(void *buffer, void *frame) {
    jmp_buf *b = buffer;
    return (*b)->frame == frame ? (*b)->label : 0;
}

void __wasm_longjmp(void *buffer, int value) {
    jmp_buf *b = buffer;
    (*b)->thrown.buffer = buffer;
    (*b)->thrown.value = value ? value : 1;
    __builtin_wasm_throw(C_LONGJMP, &(*b)->thrown);
}
#endif
