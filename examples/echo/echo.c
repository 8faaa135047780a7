/* Serves connections on a listener the host opened: every line comes back in capitals. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first descriptor after stdin, stdout and stderr when no directory is granted. */
#define LISTENER 3

/* A host may hand out descriptors that do not block: wait then, whichever call said so. */
static int waited(int descriptor, short events) {
    struct pollfd wanted = {.fd = descriptor, .events = events};
    return (errno == EAGAIN || errno == EWOULDBLOCK) && poll(&wanted, 1, -1) > 0;
}

static int serve(int connection) {
    char buffer[4096];
    for (;;) {
        ssize_t got = recv(connection, buffer, sizeof buffer, 0);
        if (got < 0 && waited(connection, POLLIN))
            continue;
        if (got <= 0)
            return (int)got;
        for (ssize_t i = 0; i < got; i++)
            buffer[i] = (char)toupper((unsigned char)buffer[i]);
        for (ssize_t sent = 0; sent < got;) {
            ssize_t now = send(connection, buffer + sent, (size_t)(got - sent), 0);
            if (now < 0 && waited(connection, POLLOUT))
                continue;
            if (now < 0)
                return -1;
            sent += now;
        }
    }
}

int main(int argc, char **argv) {
    int connections = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < connections; i++) {
        int connection;
        do
            connection = accept(LISTENER, NULL, NULL);
        while (connection < 0 && waited(LISTENER, POLLIN));
        if (connection < 0) {
            fprintf(stderr, "echo: cannot accept on descriptor %d: %s\n", LISTENER, strerror(errno));
            return 1;
        }
        if (serve(connection) < 0)
            fprintf(stderr, "echo: connection %d failed: %s\n", i + 1, strerror(errno));
        shutdown(connection, SHUT_RDWR);
        close(connection);
    }
    printf("served %d connection(s)\n", connections);
    return 0;
}
