(module (memory 1) (func $f (drop (i32.load align=8 (i32.const 0)))))
;; error: Invalid: invalid memop alignment: alignment must not be larger than natural (at offset 0x1e, in function `f`)
