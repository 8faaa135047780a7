/* Pancake flipping over every permutation of ten elements, in factorial counting order. */
#include "checksum.h"

#define N 10

int main(void) {
    int order[N], work[N], count[N];
    int most = 0, sum = 0, sign = 1, depth = N;
    for (int i = 0; i < N; i++)
        order[i] = i;
    for (;;) {
        for (; depth > 1; depth--)
            count[depth - 1] = depth;
        if (order[0] != 0) {
            int flips = 0;
            memcpy(work, order, sizeof work);
            for (int first = work[0]; first != 0; first = work[0]) {
                for (int low = 0, high = first; low < high; low++, high--) {
                    int held = work[low];
                    work[low] = work[high];
                    work[high] = held;
                }
                flips++;
            }
            if (flips > most)
                most = flips;
            sum += sign * flips;
        }
        sign = -sign;
        for (depth = 1;; depth++) {
            if (depth == N) {
                report(mix(mix(1, (uint32_t)sum), (uint32_t)most));
                return 0;
            }
            int front = order[0];
            for (int i = 0; i < depth; i++)
                order[i] = order[i + 1];
            order[depth] = front;
            if (--count[depth] > 0)
                break;
        }
    }
}
