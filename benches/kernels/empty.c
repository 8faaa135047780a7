/* Does nothing: what it takes is what starting takes, which `benches/run peak` takes off. */
#include "checksum.h"

int main(void) {
    report(mix(1, 0));
    return 0;
}
