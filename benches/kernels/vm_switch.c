/* A register machine dispatched by one `switch` in a loop (`br_table`). */
#include "checksum.h"

enum { SET, MOVE, ADD, ADD_I, MUL, AND_I, SHIFT_R, LOAD, STORE, LESS_JUMP, JUMP, HALT };

struct instruction {
    uint8_t op, a, b, c;
    int32_t k;
};

static uint32_t data[1024];

/* Walks `data` as a linear congruential random walk that reads and rewrites every cell it meets. */
static const struct instruction program[] = {
    {SET, 0, 0, 0, 0},          {SET, 1, 0, 0, 1},       {SET, 2, 0, 0, 1664525},
    {SET, 6, 0, 0, 10000000},    {MUL, 1, 1, 2, 0},       {ADD_I, 1, 1, 0, 1013904223},
    {SHIFT_R, 3, 1, 0, 22},     {AND_I, 3, 3, 0, 1023},  {LOAD, 4, 3, 0, 0},
    {ADD, 4, 4, 0, 0},          {ADD, 4, 4, 1, 0},       {STORE, 4, 3, 0, 0},
    {ADD_I, 0, 0, 0, 1},        {LESS_JUMP, 0, 6, 0, 4}, {HALT, 0, 0, 0, 0},
};

static uint32_t run(void) {
    uint32_t r[8] = {0};
    const struct instruction *at = program;
    for (;;) {
        const struct instruction *i = at++;
        switch (i->op) {
        case SET: r[i->a] = (uint32_t)i->k; break;
        case MOVE: r[i->a] = r[i->b]; break;
        case ADD: r[i->a] = r[i->b] + r[i->c]; break;
        case ADD_I: r[i->a] = r[i->b] + (uint32_t)i->k; break;
        case MUL: r[i->a] = r[i->b] * r[i->c]; break;
        case AND_I: r[i->a] = r[i->b] & (uint32_t)i->k; break;
        case SHIFT_R: r[i->a] = r[i->b] >> i->k; break;
        case LOAD: r[i->a] = data[r[i->b]]; break;
        case STORE: data[r[i->b]] = r[i->a]; break;
        case LESS_JUMP:
            if (r[i->a] < r[i->b])
                at = program + i->k;
            break;
        case JUMP: at = program + i->k; break;
        default: return r[1];
        }
    }
}

int main(void) {
    uint64_t hash = mix(1, run());
    for (int i = 0; i < 1024; i++)
        hash = mix(hash, data[i]);
    report(hash);
    return 0;
}
