(module (func $f (param i32)) (start $f))
;; error: Invalid: invalid start function type (at offset 0x15)
