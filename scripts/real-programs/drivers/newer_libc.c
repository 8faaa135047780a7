/* What Rust's standard library expects of wasi-libc releases newer than Debian 12's: threads that
   cannot start, and two calls WASI 0.1 has no equivalent of. */
#include <errno.h>
#include <stddef.h>

int pthread_attr_init(void *attributes) { return (void)attributes, 0; }
int pthread_attr_setstacksize(void *attributes, size_t size) { return (void)attributes, (void)size, 0; }
int pthread_attr_destroy(void *attributes) { return (void)attributes, 0; }
int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument) {
    (void)thread, (void)attributes, (void)start, (void)argument;
    return ENOTSUP;
}
int pthread_join(void *thread, void **result) { return (void)thread, (void)result, EINVAL; }
int pthread_detach(void *thread) { return (void)thread, EINVAL; }
char *realpath(const char *path, char *resolved) {
    (void)path, (void)resolved;
    errno = ENOTSUP;
    return NULL;
}
int chmod(const char *path, unsigned mode) {
    (void)path, (void)mode;
    errno = ENOTSUP;
    return -1;
}
