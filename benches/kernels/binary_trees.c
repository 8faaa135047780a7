/* Allocates, walks and frees complete binary trees with the C library's allocator. */
#include "checksum.h"
#include <stdlib.h>

#define DEEPEST 17

struct node {
    struct node *left, *right;
};

static struct node *grow(int depth) {
    struct node *made = malloc(sizeof *made);
    if (made == NULL)
        _exit(1);
    made->left = depth > 0 ? grow(depth - 1) : NULL;
    made->right = depth > 0 ? grow(depth - 1) : NULL;
    return made;
}

static uint32_t count(const struct node *tree) {
    return tree->left == NULL ? 1 : 1 + count(tree->left) + count(tree->right);
}

static void fell(struct node *tree) {
    if (tree->left != NULL) {
        fell(tree->left);
        fell(tree->right);
    }
    free(tree);
}

int main(void) {
    uint64_t hash = 1;
    struct node *lasting = grow(DEEPEST);
    for (int depth = 4; depth <= DEEPEST; depth += 2) {
        uint32_t nodes = 0;
        for (int i = 1 << (DEEPEST - depth + 2); i > 0; i--) {
            struct node *tree = grow(depth);
            nodes += count(tree);
            fell(tree);
        }
        hash = mix(hash, nodes);
    }
    report(mix(hash, count(lasting)));
    return 0;
}
