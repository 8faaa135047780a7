/* Evaluates expressions as trees of nodes, each with a pointer to the function that evaluates it. */
#include "checksum.h"

struct node {
    int32_t (*eval)(const struct node *);
    const struct node *left, *right;
    int32_t value;
};

static int32_t variables[4];

static int32_t constant(const struct node *n) { return n->value; }
static int32_t variable(const struct node *n) { return variables[n->value]; }
static int32_t add(const struct node *n) {
    return (int32_t)((uint32_t)n->left->eval(n->left) + (uint32_t)n->right->eval(n->right));
}
static int32_t subtract(const struct node *n) {
    return (int32_t)((uint32_t)n->left->eval(n->left) - (uint32_t)n->right->eval(n->right));
}
static int32_t multiply(const struct node *n) {
    return (int32_t)((uint32_t)n->left->eval(n->left) * (uint32_t)n->right->eval(n->right));
}
static int32_t choose(const struct node *n) {
    return n->left->eval(n->left) < 0 ? n->value : n->right->eval(n->right);
}

enum { NODES = 255 };
static struct node nodes[NODES];
static volatile uint32_t rounds = 250000;

int main(void) {
    int32_t (*const inner[])(const struct node *) = {add, subtract, multiply, choose, add};
    uint32_t random = 42;
    for (int i = 0; i < NODES; i++) {
        random = random * 1664525 + 1013904223;
        struct node *n = &nodes[i];
        n->value = (int32_t)(random >> 8) & 3;
        if (2 * i + 2 < NODES) {
            n->eval = inner[(random >> 16) % 5];
            n->left = &nodes[2 * i + 1];
            n->right = &nodes[2 * i + 2];
        } else {
            n->eval = random >> 31 ? variable : constant;
        }
    }
    uint64_t hash = 1;
    for (uint32_t round = 0; round < rounds; round++) {
        variables[round & 3] = (int32_t)(round * 2654435761u);
        hash = mix(hash, (uint32_t)nodes[0].eval(&nodes[0]));
    }
    report(hash);
    return 0;
}
