/* A command in C for WASI 0.1: the game of life on a torus. An adapter makes a component of it. */

#include <stdio.h>
#include <string.h>

#define SIZE 24

int main(int argc, char **argv) {
  static unsigned char now[SIZE][SIZE], next[SIZE][SIZE];
  const int glider[][2] = {{0, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}};
  for (int i = 0; i < 5; i++) now[glider[i][0] + 2][glider[i][1] + 2] = 1;
  for (int i = 0; i < 3; i++) now[15][10 + i] = 1;
  for (int step = 0; step < 1000; step++) {
    for (int y = 0; y < SIZE; y++) {
      for (int x = 0; x < SIZE; x++) {
        int around = -now[y][x];
        for (int dy = -1; dy <= 1; dy++) {
          for (int dx = -1; dx <= 1; dx++) around += now[(y + dy + SIZE) % SIZE][(x + dx + SIZE) % SIZE];
        }
        next[y][x] = around == 3 || (around == 2 && now[y][x]);
      }
    }
    memcpy(now, next, sizeof now);
  }
  for (int y = 0; y < SIZE; y++) {
    for (int x = 0; x < SIZE; x++) putchar(now[y][x] ? '#' : '.');
    putchar('\n');
  }
  fprintf(stderr, "%d arguments\n", argc);
  return argc > 1 ? 3 : 0;
}
