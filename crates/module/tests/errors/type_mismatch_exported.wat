(module (func (export "main") (result i32) f64.const 1))
;; error: Invalid: type mismatch: expected i32, found f64 (at offset 0x2b, in function `main`)
