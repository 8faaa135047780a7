(module (global $g i32 (i32.const 1)) (func $f (global.set $g (i32.const 2))))
;; error: Invalid: global is immutable: cannot modify it with `global.set` (at offset 0x21, in function `f`)
