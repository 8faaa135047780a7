(module (func $f) (func $g ref.func $f drop))
;; error: Invalid: undeclared function reference (at offset 0x1b, in function `g`)
