;; The first body is wrong, the second is cut off: the first error counts.
(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\03\02\00\00"
  "\0a\0a\02" "\03\00\1a\0b" "\7f\00")
;; error: Invalid: type mismatch: expected a type but nothing on stack (at offset 0x18, in function #0)
