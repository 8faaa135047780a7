(module
  (@anything (a "b" 3.5.7 $c)
