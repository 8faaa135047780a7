/* A stack machine whose instructions are functions reached through a table (`call_indirect`). */
#include "checksum.h"

struct machine {
    const int32_t *pc;
    int32_t *top;
    int32_t slots[8];
    int32_t running;
};

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, LESS, JUMP_IF, HALT };

static void op_push(struct machine *m) { *++m->top = *m->pc++; }
static void op_load(struct machine *m) { *++m->top = m->slots[*m->pc++]; }
static void op_store(struct machine *m) { m->slots[*m->pc++] = *m->top--; }
static void op_add(struct machine *m) { m->top--; m->top[0] = (int32_t)((uint32_t)m->top[0] + (uint32_t)m->top[1]); }
static void op_sub(struct machine *m) { m->top--; m->top[0] = (int32_t)((uint32_t)m->top[0] - (uint32_t)m->top[1]); }
static void op_mul(struct machine *m) { m->top--; m->top[0] = (int32_t)((uint32_t)m->top[0] * (uint32_t)m->top[1]); }
static void op_xor(struct machine *m) { m->top--; m->top[0] ^= m->top[1]; }
static void op_less(struct machine *m) { m->top--; m->top[0] = m->top[0] < m->top[1]; }
static void op_jump_if(struct machine *m) {
    int32_t by = *m->pc++;
    if (*m->top--)
        m->pc += by;
}
static void op_halt(struct machine *m) { m->running = 0; }

static void (*const volatile table[])(struct machine *) = {
    op_push, op_load, op_store, op_add, op_sub, op_mul, op_xor, op_less, op_jump_if, op_halt,
};

/* for (i = 0; i < limit; i++) acc = (acc * 31 + i) ^ (i - acc) */
static const int32_t program[] = {
    PUSH, 0, STORE, 0, PUSH, 7, STORE, 1,
    LOAD, 1, PUSH, 31, MUL, LOAD, 0, ADD,
    LOAD, 0, LOAD, 1, SUB, XOR, STORE, 1,
    LOAD, 0, PUSH, 1, ADD, STORE, 0,
    LOAD, 0, LOAD, 2, LESS, JUMP_IF, -30,
    HALT,
};

int main(void) {
    int32_t stack[16];
    struct machine m = {program, stack, {0}, 1};
    m.slots[2] = 2500000;
    while (m.running)
        table[*m.pc++](&m);
    report(mix(mix(1, (uint32_t)m.slots[1]), (uint32_t)m.slots[0]));
    return 0;
}
