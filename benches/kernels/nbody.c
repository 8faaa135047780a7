/* Symplectic integration of a small planetary system. */
#include "checksum.h"
#include <math.h>

#define BODIES 5
#define STEPS 2000000

struct body {
    double x[3], v[3], mass;
};

static struct body system_[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, 39.5},
    {{4.84, -1.16, -0.10}, {0.606, 2.812, -0.025}, 0.0377},
    {{8.34, 4.12, -0.40}, {-1.011, 1.825, 0.0084}, 0.0113},
    {{12.89, -15.11, -0.22}, {1.083, 0.869, -0.0108}, 0.0017},
    {{15.38, -25.92, 0.18}, {0.979, 0.594, -0.0347}, 0.0020},
};

static void step(double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *p = &system_[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *q = &system_[j];
            double d[3], square = 0;
            for (int k = 0; k < 3; k++) {
                d[k] = p->x[k] - q->x[k];
                square += d[k] * d[k];
            }
            double pull = dt / (square * sqrt(square));
            for (int k = 0; k < 3; k++) {
                p->v[k] -= d[k] * q->mass * pull;
                q->v[k] += d[k] * p->mass * pull;
            }
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            system_[i].x[k] += dt * system_[i].v[k];
}

int main(void) {
    for (int i = 0; i < STEPS; i++)
        step(0.01);
    uint64_t hash = 1;
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            hash = mix_double(mix_double(hash, system_[i].x[k]), system_[i].v[k]);
    report(hash);
    return 0;
}
