(module (memory 2 1))
;; error: Invalid: size minimum must not be greater than maximum (at offset 0xb)
