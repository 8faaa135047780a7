/* Draws the Mandelbrot set in characters; an argument sets the width. */
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 1000

static int escape(double cr, double ci) {
    double zr = 0, zi = 0;
    for (int n = 0; n < LIMIT; n++) {
        double rr = zr * zr, ii = zi * zi;
        if (rr + ii > 4)
            return n;
        zi = 2 * zr * zi + ci;
        zr = rr - ii + cr;
    }
    return LIMIT;
}

int main(int argc, char **argv) {
    static const char shades[] = " .:-=+*%#@";
    int width = argc > 1 ? atoi(argv[1]) : 76;
    if (width < 8 || width > 1000) {
        fputs("mandelbrot: the width must be between 8 and 1000\n", stderr);
        return 2;
    }
    int height = width * 2 / 5;
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            int n = escape(-2.2 + 3.2 * column / width, -1.2 + 2.4 * row / height);
            int shade = 0;
            for (int left = n; left > 0 && shade < 8; left /= 2)
                shade++;
            putchar(n == LIMIT ? shades[9] : shades[shade]);
        }
        putchar('\n');
    }
    return 0;
}
