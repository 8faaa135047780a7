(module (func $f local.get 3 drop))
;; error: Invalid: unknown local 3: local index out of bounds (at offset 0x17, in function `f`)
