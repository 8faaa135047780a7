/* The part of POSIX threads that zstd uses, on wasi-threads: Debian 12's wasi-libc has none. */
#pragma once

typedef struct thread *pthread_t;
typedef int pthread_mutex_t; /* 0: free, 1: held, 2: held and waited for */
typedef int pthread_cond_t;  /* counts its signals */

int pthread_create(pthread_t *, const void *attributes, void *(*start)(void *), void *argument);
int pthread_join(pthread_t, void **result);
int pthread_mutex_init(pthread_mutex_t *, const void *attributes);
int pthread_mutex_destroy(pthread_mutex_t *);
int pthread_mutex_lock(pthread_mutex_t *);
int pthread_mutex_unlock(pthread_mutex_t *);
int pthread_cond_init(pthread_cond_t *, const void *attributes);
int pthread_cond_destroy(pthread_cond_t *);
int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int pthread_cond_signal(pthread_cond_t *);
int pthread_cond_broadcast(pthread_cond_t *);

/* The library's `malloc` knows no threads: this one is behind a lock. */
void *locked_malloc(void *unused, __SIZE_TYPE__ size);
void locked_free(void *unused, void *block);
