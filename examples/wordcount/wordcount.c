/* Counts the words of every file in a directory and writes a report to a file and to stdout. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_WORD 64
#define BUCKETS 4096
#define MOST_FILES 256
#define RANKS 10

struct word {
    struct word *next;
    unsigned long count;
    char text[];
};

struct totals {
    unsigned long lines, words, bytes;
};

static struct word *buckets[BUCKETS];
static unsigned long distinct;

static void fail(const char *what, const char *on) {
    fprintf(stderr, "wordcount: %s `%s`: %s\n", what, on, strerror(errno));
    exit(1);
}

static void count_word(const char *text) {
    unsigned hash = 5381;
    for (const char *c = text; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    struct word **slot = &buckets[hash % BUCKETS];
    for (struct word *w = *slot; w != NULL; w = w->next)
        if (strcmp(w->text, text) == 0) {
            w->count++;
            return;
        }
    struct word *made = malloc(sizeof *made + strlen(text) + 1);
    if (made == NULL)
        fail("no memory for", text);
    strcpy(made->text, text);
    made->count = 1;
    made->next = *slot;
    *slot = made;
    distinct++;
}

static struct totals count_file(const char *path) {
    struct totals t = {0, 0, 0};
    char word[LONGEST_WORD + 1];
    size_t length = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail("cannot open", path);
    for (int c; (c = getc(file)) != EOF;) {
        t.bytes++;
        if (c == '\n')
            t.lines++;
        if (isalpha(c) && length < LONGEST_WORD) {
            word[length++] = (char)tolower(c);
        } else if (length > 0) {
            word[length] = '\0';
            count_word(word);
            t.words++;
            length = 0;
        }
    }
    if (length > 0) {
        word[length] = '\0';
        count_word(word);
        t.words++;
    }
    if (ferror(file))
        fail("cannot read", path);
    fclose(file);
    return t;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list(const char *directory, char *names[MOST_FILES]) {
    size_t count = 0;
    DIR *dir = opendir(directory);
    if (dir == NULL)
        fail("cannot list", directory);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < MOST_FILES;)
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    return count;
}

static void print_both(FILE *report, const char *line) {
    fputs(line, stdout);
    if (report != NULL)
        fputs(line, report);
}

/* The most frequent word not yet printed; ties go to the alphabet. */
static struct word *take_top(void) {
    struct word *best = NULL;
    for (int i = 0; i < BUCKETS; i++)
        for (struct word *w = buckets[i]; w != NULL; w = w->next)
            if (w->count > 0 &&
                (best == NULL || w->count > best->count ||
                 (w->count == best->count && strcmp(w->text, best->text) < 0)))
                best = w;
    return best;
}

int main(int argc, char **argv) {
    char *names[MOST_FILES], path[1024], line[1200];
    if (argc < 2 || argc > 3) {
        fputs("usage: wordcount DIRECTORY [REPORT]\n", stderr);
        return 2;
    }
    FILE *report = NULL;
    if (argc == 3 && (report = fopen(argv[2], "w")) == NULL)
        fail("cannot create", argv[2]);
    struct totals sum = {0, 0, 0};
    size_t files = list(argv[1], names);
    print_both(report, "  lines   words   bytes  file\n");
    for (size_t i = 0; i < files; i++) {
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]);
        struct totals t = count_file(path);
        sum.lines += t.lines;
        sum.words += t.words;
        sum.bytes += t.bytes;
        snprintf(line, sizeof line, "%7lu %7lu %7lu  %s\n", t.lines, t.words, t.bytes, names[i]);
        print_both(report, line);
    }
    snprintf(line, sizeof line, "%7lu %7lu %7lu  in %zu files, %lu distinct words\n\n", sum.lines,
             sum.words, sum.bytes, files, distinct);
    print_both(report, line);
    struct word *top;
    for (int rank = 1; rank <= RANKS && (top = take_top()) != NULL; rank++) {
        snprintf(line, sizeof line, "%3d. %-12s %5lu\n", rank, top->text, top->count);
        print_both(report, line);
        top->count = 0;
    }
    if (report != NULL && fclose(report) != 0)
        fail("cannot write", argv[2]);
    return 0;
}
