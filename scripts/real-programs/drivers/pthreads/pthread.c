/* Threads by `wasi.thread-spawn`; locks and condition variables by `memory.atomic.wait32` and `notify`. */
#include "pthread.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { STACK = 256 << 10 };

struct thread {
    char *stack_top; /* first: `wasi_thread_start` reads it */
    void *tls;
    void *(*start)(void *);
    void *argument;
    void *result;
    void *block;
    atomic_int done;
};

/* Made by the linker: sets a thread's own variables up in the memory given. */
void __wasm_init_tls(void *);

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int thread_spawn(struct thread *);

/* What the host calls on the new thread: it has no stack yet. */
__asm__(".globaltype __stack_pointer, i32\n"
        ".functype run_thread (i32, i32) -> ()\n"
        ".globl wasi_thread_start\n"
        ".type wasi_thread_start,@function\n"
        "wasi_thread_start:\n"
        "  .functype wasi_thread_start (i32, i32) -> ()\n"
        "  local.get 1\n"
        "  i32.load 0\n"
        "  global.set __stack_pointer\n"
        "  local.get 0\n"
        "  local.get 1\n"
        "  call run_thread\n"
        "  end_function\n"
        ".export_name wasi_thread_start, wasi_thread_start\n");

static void wait_while(void *address, int value) {
    __builtin_wasm_memory_atomic_wait32(address, value, -1);
}

static void wake(void *address, unsigned count) { __builtin_wasm_memory_atomic_notify(address, count); }

__attribute__((used)) void run_thread(int id, struct thread *t) {
    (void)id;
    __wasm_init_tls(t->tls);
    t->result = t->start(t->argument);
    atomic_store(&t->done, 1);
    wake((void *)&t->done, 1);
}

int pthread_create(pthread_t *out, const void *attributes, void *(*start)(void *), void *argument) {
    (void)attributes;
    size_t align = __builtin_wasm_tls_align();
    char *block = locked_malloc(NULL, sizeof(struct thread) + STACK + 16 + __builtin_wasm_tls_size() + align);
    if (block == NULL) return EAGAIN;
    struct thread *t = (struct thread *)block;
    char *top = block + sizeof *t + STACK;
    top -= (size_t)top % 16;
    char *tls = top + (align ? (align - (size_t)top % align) % align : 0);
    *t = (struct thread){.stack_top = top, .tls = tls, .start = start, .argument = argument, .block = block};
    *out = t;
    if (thread_spawn(t) >= 0) return 0;
    locked_free(NULL, block);
    return EAGAIN;
}

int pthread_join(pthread_t t, void **result) {
    while (!atomic_load(&t->done)) wait_while((void *)&t->done, 0);
    if (result) *result = t->result;
    locked_free(NULL, t->block);
    return 0;
}

int pthread_mutex_init(pthread_mutex_t *m, const void *attributes) { return (void)attributes, *m = 0; }
int pthread_mutex_destroy(pthread_mutex_t *m) { return (void)m, 0; }

int pthread_mutex_lock(pthread_mutex_t *m) {
    int was = 0;
    if (__atomic_compare_exchange_n(m, &was, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
    while (__atomic_exchange_n(m, 2, __ATOMIC_SEQ_CST) != 0) wait_while(m, 2);
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *m) {
    if (__atomic_exchange_n(m, 0, __ATOMIC_SEQ_CST) == 2) wake(m, 1);
    return 0;
}

int pthread_cond_init(pthread_cond_t *c, const void *attributes) { return (void)attributes, *c = 0; }
int pthread_cond_destroy(pthread_cond_t *c) { return (void)c, 0; }

int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m) {
    int seen = __atomic_load_n(c, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(m);
    wait_while(c, seen);
    return pthread_mutex_lock(m);
}

static int signal_some(pthread_cond_t *c, unsigned count) {
    __atomic_fetch_add(c, 1, __ATOMIC_SEQ_CST);
    wake(c, count);
    return 0;
}

int pthread_cond_signal(pthread_cond_t *c) { return signal_some(c, 1); }
int pthread_cond_broadcast(pthread_cond_t *c) { return signal_some(c, -1u); }

static pthread_mutex_t heap;

void *locked_malloc(void *unused, size_t size) {
    (void)unused;
    pthread_mutex_lock(&heap);
    void *block = malloc(size);
    pthread_mutex_unlock(&heap);
    return block;
}

void locked_free(void *unused, void *block) {
    (void)unused;
    pthread_mutex_lock(&heap);
    free(block);
    pthread_mutex_unlock(&heap);
}
