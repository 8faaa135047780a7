(module
  (@custom "x" (before nowhere) ""))
