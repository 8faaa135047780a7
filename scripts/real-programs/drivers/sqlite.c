/* A small shell for SQLite: runs the SQL on stdin against the database named as the argument. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused;
    (void)names;
    for (int i = 0; i < count; i++)
        printf("%s%s", i > 0 ? "|" : "", values[i] != NULL ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    static char text[1 << 16];
    sqlite3 *db;
    char *message = NULL;
    if (argc != 2) {
        fputs("usage: sqlite DATABASE < SQL\n", stderr);
        return 2;
    }
    size_t length = fread(text, 1, sizeof text - 1, stdin);
    text[length] = '\0';
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
        fprintf(stderr, "sqlite: cannot open `%s`: %s\n", argv[1], sqlite3_errmsg(db));
        return 1;
    }
    if (sqlite3_exec(db, text, print_row, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s\n", message);
        return 1;
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
