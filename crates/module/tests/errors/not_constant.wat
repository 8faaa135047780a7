(module (global i32 (i32.popcnt (i32.const 1))))
;; error: Invalid: constant expression required: non-constant operator: `i32.popcnt` (at offset 0xf)
