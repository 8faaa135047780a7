/* Objects of several classes, whose methods are called through tables of pointers as C++ does. */
#include "checksum.h"

struct shape;

struct class {
    uint32_t (*area)(const struct shape *);
    void (*grow)(struct shape *, uint32_t);
};

struct shape {
    const struct class *class;
    uint32_t a, b, c;
};

static uint32_t square_area(const struct shape *s) { return s->a * s->a; }
static uint32_t oblong_area(const struct shape *s) { return s->a * s->b; }
static uint32_t wedge_area(const struct shape *s) { return s->a * s->b / 2; }
static uint32_t frame_area(const struct shape *s) { return s->a * s->b - s->c * s->c; }
static void grow_one(struct shape *s, uint32_t by) { s->a = (s->a + by) & 1023; }
static void grow_two(struct shape *s, uint32_t by) {
    s->a = (s->a + by) & 1023;
    s->b = (s->b ^ by) & 1023;
}
static void grow_three(struct shape *s, uint32_t by) {
    grow_two(s, by);
    s->c = (s->c + 1) & 15;
}

static const struct class square = {square_area, grow_one}, oblong = {oblong_area, grow_two},
                          wedge = {wedge_area, grow_two}, frame = {frame_area, grow_three};

enum { SHAPES = 4096 };
static struct shape shapes[SHAPES];
static volatile uint32_t rounds = 24000;

int main(void) {
    /* Nine of ten are oblongs, as one class is the most frequent in most programs. */
    const struct class *const classes[] = {&oblong, &square, &wedge, &frame};
    uint32_t random = 12345;
    for (int i = 0; i < SHAPES; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t kind = (random >> 16) % 30;
        shapes[i] = (struct shape){classes[kind < 27 ? 0 : kind - 26], random >> 22, (random >> 12) & 1023, 3};
    }
    uint32_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++)
        for (int i = 0; i < SHAPES; i++) {
            struct shape *s = &shapes[i];
            sum += s->class->area(s);
            if ((i & 7) == 0)
                s->class->grow(s, sum & 7);
        }
    report(mix(1, sum));
    return 0;
}
