(module (func $f call 7))
;; error: Invalid: unknown function 7: function index out of bounds (at offset 0x17, in function `f`)
