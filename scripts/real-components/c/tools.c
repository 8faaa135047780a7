/* Areas of shapes: a component in C, through the bindings that wit-bindgen makes of the world `tools`. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

double exports_tools_area(tools_shape_t *shape) {
  switch (shape->tag) {
    case TOOLS_SHAPE_CIRCLE: return 3.141592653589793 * shape->val.circle * shape->val.circle;
    case TOOLS_SHAPE_SQUARE: return shape->val.square * shape->val.square;
    default: return shape->val.rectangle.f0 * shape->val.rectangle.f1;
  }
}

void exports_tools_describe(tools_list_shape_t *shapes, tools_string_t *result) {
  char *text = malloc(64 * (shapes->len + 1));
  size_t length = sprintf(text, "%zu shapes:", shapes->len);
  for (size_t i = 0; i < shapes->len; i++) {
    length += sprintf(text + length, " %.3f", exports_tools_area(&shapes->ptr[i]));
  }
  result->ptr = (uint8_t *)text;
  result->len = length;
  tools_list_shape_free(shapes);
}
